"""Typed settings from one TOML file; every mistake at once, with a suggestion."""

from edge.config.load import describe, load_settings
from edge.config.settings import Settings

__all__ = ["Settings", "describe", "load_settings"]
