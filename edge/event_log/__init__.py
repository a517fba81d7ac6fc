"""The one way to write an event (`log.EventLog`), and what waits while the disk takes none (`unsaved`)."""
