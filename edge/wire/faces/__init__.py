"""Faces on their way to other doors: certificate, envelope, door list and the letters that carry them."""
