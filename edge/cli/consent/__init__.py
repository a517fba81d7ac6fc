"""`facegate consent`, and the consents that other commands record."""
