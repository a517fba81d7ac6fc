"""What searching a gallery costs: `facegate bench matcher`."""
