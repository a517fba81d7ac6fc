"""What a spreadsheet's cell shows of the number that it keeps."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta

from edge.sheet_cells import CellKind

DAY_FORMATS = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
"""Numbers of the formats built into spreadsheets that show days and times; 27 to 36 and 50 to 58 are the
Chinese, Japanese and Korean ones (ECMA-376, 18.8.30)."""

SURE_DIGITS = 10**15
"""Spreadsheets keep fifteen digits of a number (IEEE 754 doubles); further ones that were typed are lost."""

_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - what the clocks of whoever typed it show
"""From 1 March 1900 on: before, spreadsheets count a 29 February 1900 that never was."""

_UNREAD = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?![hms]+\])[^\]]*\]', re.IGNORECASE)
"""Parts of a format that are no sign of a day: quoted text, colours, languages."""

_PADDED = re.compile(r'(?:"([^"]*)")?(0+)(?:"([^"]*)")?')
"""A format such as 0000 or "3-"0000: the flat 0101 is kept as 101."""


def is_day(code: str) -> bool:
    """Return whether a number format shows a day or a time."""
    return re.search(r"[ymdhs]", _UNREAD.sub("", code.partition(";")[0]), re.IGNORECASE) is not None


def shown_number(value: str, code: str, *, from_1904: bool) -> tuple[str, CellKind | None]:
    """Return what a cell with this number and format shows, and what is to be known of it."""
    number = float(value)
    if is_day(code):
        return _day(number, from_1904=from_1904)
    if number != number or abs(number) == float("inf"):  # noqa: PLR0124 - NaN is no number a cell can hold
        return "", CellKind.ERROR
    if not number.is_integer():
        return f"{number:.15g}", None
    if abs(number) >= SURE_DIGITS:
        return f"{number:.0f}", CellKind.CUT
    padded = _PADDED.fullmatch(code)
    if padded and number >= 0:
        before, zeros, after = padded.groups("")
        return f"{before}{number:0{len(zeros)}.0f}{after}", None
    return f"{number:.0f}", None


def _day(number: float, *, from_1904: bool) -> tuple[str, CellKind]:
    """Return a day as `2027-03-31`, with its time where it has one; a time alone as `09:30:00`."""
    if not 0 <= number < 2_958_466:  # 31 December 9999; NaN is none either
        return "", CellKind.ERROR
    if number < 1 and not from_1904:
        return f"{_ZERO + timedelta(days=number):%H:%M:%S}", CellKind.DAY
    first = datetime(1904, 1, 1) if from_1904 else _ZERO if number >= 60 else _ZERO + timedelta(days=1)  # noqa: DTZ001
    # Rounded to seconds: 9:30 is kept as 0.39583333333333331.
    at = first + timedelta(seconds=round(number * 86_400))
    return (f"{at:%Y-%m-%d}" if at.time() == time() else at.isoformat(" ")), CellKind.DAY
