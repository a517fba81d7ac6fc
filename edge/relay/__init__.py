"""The lock, the process that guards it, and the door's sensors."""
