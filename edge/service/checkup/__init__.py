"""Does this door work: all that an installer would look at, and the way out of what is wrong."""
