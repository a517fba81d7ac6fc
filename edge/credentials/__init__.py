"""What people hold or type: keypads, card readers, and codes shown to the camera."""
