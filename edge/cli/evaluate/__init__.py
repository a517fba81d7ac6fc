"""`facegate evaluate`."""
