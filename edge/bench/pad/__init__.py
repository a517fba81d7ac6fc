"""Attack detection measured: `facegate evaluate pad` and `facegate pad`."""
