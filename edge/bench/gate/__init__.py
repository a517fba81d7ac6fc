"""Scenes at a gate, composed from recordings, with what a resident expects of each as a number."""
