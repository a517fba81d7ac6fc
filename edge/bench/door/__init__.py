"""What a resident waits for at a running door, at full speed and on a core that is slower."""
