"""Make a site: its authority, certificates, signing key, and the broker's configuration."""
