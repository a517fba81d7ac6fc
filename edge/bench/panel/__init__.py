"""What the page costs the door: `facegate bench panel`."""
