"""What people write into the cells of a list: yes and no, days and times of a site."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from edge.identity import narrow

if TYPE_CHECKING:
    from datetime import tzinfo

TRUE = frozenset({"1", "y", "yes", "true", "on", "是", "√", "✓", "✔", "有"})
FALSE = frozenset({"0", "n", "no", "false", "off", "否", "×", "✗", "✘", "无"})

NO_END = frozenset(
    {
        "长期",
        "长期有效",
        "永久",
        "永久有效",
        "无限期",
        "不限",
        "不限期",
        "forever",
        "unlimited",
        "no end",
        "never",
    }
)
"""What lists have for a right that does not end, in simplified signs and small letters."""

LAST_MOMENT = "9999-12-31T00:00Z"

NOTHING = frozenset({"-", "--", "—", "——", "–", "/", "\\", "无", "暂无", "n/a", "na", "none", "nil"})
"""What people write into a cell that they could have left empty."""

_MOMENT = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?"
    r"(?:[T ] *(?P<half>[上下]午 *)?(\d{1,2})[:：](\d{2})(?:[:：](\d{2}))?(?P<half_after> *[AP]M)?)?",
    re.ASCII | re.IGNORECASE,
)
"""A day, and a time as clocks of 24 or of 12 hours show it."""
_REPUBLIC = re.compile(r"(?:中[华華])?民[国國] *(\d{1,3})(?= *[-/.年])", re.ASCII)
"""A year of the Republic of China, as Taiwan counts them: 民国115年 is 2026."""
_REPUBLIC_BEGAN = 1911
_SHORT_YEAR = re.compile(r"\d{1,3} *[-/.年] *\d{1,2} *[-/.月] *\d{1,3}(?!\d).*", re.ASCII | re.DOTALL)
LAST_DAY = (9999, 12, 31)
_HAS_ZONE = re.compile(r"(Z|[+-]\d{2}:?\d{2}|:\d{2}[+-]\d{2})$", re.IGNORECASE)


class CellKind(StrEnum):
    """What is to be known of a cell beside its text."""

    DAY = "day"
    ERROR = "error"
    """#N/A, #REF! and their like."""
    UNCOUNTED = "uncounted"
    """A formula whose result was not kept: some programs write one that nobody opened yet."""
    CUT = "cut"
    """A number of more digits than a spreadsheet keeps."""


_AS_TEXT = re.compile(r"""=\s*"([^"]*)"|'(?=[\d=+@-])([^']*)""")
"""How programs keep a spreadsheet from taking 0101 for a number: ="0101", and '0101."""

_MONTH = "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_SPOILED = {
    CellKind.ERROR: re.compile(r"#(?:N/A|REF!|VALUE!|NAME\?|NUM!|NULL!|DIV/0!|SPILL!|CALC!)|#{3,}"),
    CellKind.CUT: re.compile(r"-?\d(?:[.,]\d+)?E\+\d{2,}", re.ASCII | re.IGNORECASE),
    CellKind.DAY: re.compile(rf"\d{{1,2}}月\d{{1,2}}日|\d{{1,2}}-{_MONTH}|{_MONTH}-\d\d", re.ASCII),
    CellKind.UNCOUNTED: re.compile(r"=.*", re.DOTALL),
}
"""What a spreadsheet writes into CSV in place of what was typed: ###, 1.38E+10 for a telephone's number,
3月2日 or 2-Mar for the flat 3-2."""


def typed_cell(text: str) -> str:
    """Return what a cell holds without the signs that mark it as text."""
    marked = _AS_TEXT.fullmatch(text.strip())
    return text if marked is None else marked[1] or marked[2] or ""


def spoiled(text: str) -> CellKind | None:
    """Return what a spreadsheet made of a cell, None where it may be what was typed."""
    return next((kind for kind, sign in _SPOILED.items() if sign.fullmatch(text)), None)


def has_short_year(text: str) -> bool:
    """Return whether a text is a day whose year has fewer than four digits: nobody can tell which it is."""
    return _SHORT_YEAR.fullmatch(narrow(text)) is not None


def _with_our_years(text: str) -> str:
    """Return a day as it is meant: of plain signs, and a year of the Republic of China is one of ours."""
    text = narrow(text)
    named = _REPUBLIC.match(text)
    return text if named is None else f"{int(named[1]) + _REPUBLIC_BEGAN}{text[named.end() :].lstrip()}"


def needs_zone(text: str) -> bool:
    """Return whether a time in a cell is one of the site's clock: it names no zone, or is a plain day."""
    text = _with_our_years(text)
    return _MOMENT.fullmatch(text) is not None or _HAS_ZONE.search(text) is None


def _of_24(hour: int, half: str | None) -> int:
    """Return the hour that a clock of twelve hours shows as 下午 6:00 or 6:00 PM. Raises ValueError."""
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError(f"{hour} is no hour of a clock of twelve")
    is_later = half.strip().upper() in {"下午", "PM"}
    return hour % 12 + (12 if is_later else 0)


def moment_in(text: str, zone: tzinfo, *, is_end: bool) -> datetime:
    """Return the moment that a cell names: 2027/3/31, 20270331, 2027年3月31日 9:05, 2027-03-31 24:00.

    A clock of twelve hours says 2027/3/31 下午 6:00 or 6:00 PM. Where the text names no zone it is one of
    `zone`. A plain day begins the moment, and with `is_end` still counts: valid until 31 March ends when
    1 April begins. So does "2027/3/31 0:00", which is how spreadsheets write a day into a column of times;
    and 9999-12-31, which lists have for no end at all, is the last moment that there is a name for.
    民国115年3月31日 is 2026-03-31. Raises ValueError (see `has_short_year`), `OverflowError`.
    """
    text = _with_our_years(text)
    with suppress(ValueError):
        text = date.fromisoformat(text).isoformat()  # 20270331 and a day of a week are plain days, too
    found = _MOMENT.fullmatch(text)
    if found is None:
        at = datetime.fromisoformat(text)
        return at if at.tzinfo else at.replace(tzinfo=zone)
    year, month, day, hour, minute, second = (int(found[n] or 0) for n in (1, 2, 3, 5, 6, 7))
    hour = _of_24(hour, found["half"] or found["half_after"])
    is_day = found[5] is None or ((hour, minute, second) == (0, 0, 0) and "T" not in text)
    is_day_over = (hour, minute, second) == (24, 0, 0) or (is_end and is_day)
    at = datetime(year, month, day, 0 if is_day_over else hour, minute, second, tzinfo=zone)
    return at + timedelta(days=1) if is_day_over and (year, month, day) != LAST_DAY else at
