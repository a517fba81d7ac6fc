"""Columns of a table on a terminal, where a Chinese character takes two."""

from __future__ import annotations

import unicodedata


def columns(text: str) -> int:
    """Return how many columns `text` takes."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def padded(text: str, width: int, side: str = "<") -> str:
    """Return `text` with blanks up to `width` columns: behind it, or before it where `side` is `>`."""
    blanks = " " * (width - columns(text))
    return blanks + text if side == ">" else text + blanks
