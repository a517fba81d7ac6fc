"""What recognising a recording costs: `facegate bench video` and `bench soak`."""
