"""`facegate bench`."""
