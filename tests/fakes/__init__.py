"""Stand-ins with honest state, for tests of logic."""
