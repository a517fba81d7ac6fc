"""Faces that several doors share: offered where they were enrolled, taken at the doors the consent names."""
