"""The door's page and the display at the gate, wired to the door."""
