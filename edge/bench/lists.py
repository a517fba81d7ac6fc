"""Lists of photos and clips that people write down for a measurement: CSV, as an editor or Excel saves it."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from edge.errors import EvaluationRefused

if TYPE_CHECKING:
    from pathlib import Path


def read_rows(file: Path, *columns: str) -> list[dict[str, str]]:
    """Return the rows of a CSV file in UTF-8, with or without its mark; a cell that is missing is "".

    Raises `EvaluationRefused` when it cannot be read, or has rows and not these columns.
    """
    rows = [{name: cell or "" for name, cell in row.items() if name} for row in _read(file)]
    if any(not set(columns) <= row.keys() for row in rows):
        raise EvaluationRefused(f"{file}: needs rows with the columns {', '.join(columns)}")
    return rows


def read_lines(file: Path) -> list[str]:
    """Return the lines of a text file in UTF-8. Raises `EvaluationRefused` when it cannot be read."""
    try:
        return file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationRefused(_why(file, error)) from error


def _read(file: Path) -> list[dict[str, str]]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as text:
            return list(csv.DictReader(text))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise EvaluationRefused(_why(file, error)) from error


def _why(file: Path, error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"{file} is no text in UTF-8; in Excel save it as CSV UTF-8"
    return f"{file} cannot be read: {error}"
