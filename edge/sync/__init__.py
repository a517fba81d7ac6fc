"""The door's end of the link to the property: events, roster, commands, settings, state, discovery."""
