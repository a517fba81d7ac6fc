"""A door to look at: rendered walk-ups from public-domain portraits, the real controller, a dry relay."""
