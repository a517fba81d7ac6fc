"""Cells of a table that somebody opens with a spreadsheet."""

from __future__ import annotations

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is run by spreadsheets (OWASP: CSV injection)."""


def harmless(value: object) -> object:
    """Return a cell that no spreadsheet runs: one that begins like a formula gets a quote in front."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
