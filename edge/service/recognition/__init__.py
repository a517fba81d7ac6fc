"""The networks and the gallery of a running door, and whose consent is in force."""
