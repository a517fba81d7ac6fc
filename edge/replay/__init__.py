"""The door's own controller over a recording: same frames in, same decisions out, bit for bit."""
