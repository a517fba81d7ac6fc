"""Exact identification in the gallery, and the threshold that an error rate asks for."""
