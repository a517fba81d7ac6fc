"""The running door's link to the property: events, roster, commands, settings."""
