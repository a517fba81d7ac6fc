"""Hours in one line, such as `mon-fri 07:00-19:00`: when people and programs of the property may ask."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import SyncError
from edge.policy.schedule import WEEKDAYS, WHOLE_DAY, Span

if TYPE_CHECKING:
    from datetime import datetime

_PART = re.compile(r"(?:(?P<first>[a-z]{3})(?:-(?P<last>[a-z]{3}))?\s+)?(?P<span>\S+)")


@dataclass(frozen=True, slots=True)
class GrantHours:
    """When something is allowed, in the site's own time: spans of a day, by weekday from Monday (0)."""

    spans: tuple[tuple[Span, ...], ...]

    @classmethod
    def parse(cls, text: str) -> GrantHours:
        """Return the hours of `mon-fri 07:00-19:00, sat 09:00-12:00`; empty: always.

        A span without days holds on all of them. Raises `SyncError` for anything else.
        """
        days: list[list[Span]] = [[] for _ in WEEKDAYS]
        for part in text.lower().split(",") if text.strip() else ("00:00-24:00",):
            found = _PART.fullmatch(part.strip())
            try:
                if found is None:
                    Span.parse(part)  # says what a span looks like
                    continue
                for day in _days(found["first"], found["last"]):
                    days[day].append(Span.parse(found["span"]))
            except ValueError as error:
                raise SyncError(
                    f"hours {text!r}: {error}; write for example: mon-fri 07:00-19:00, sat 09:00-12:00"
                ) from error
        return cls(tuple(tuple(spans) for spans in days))

    @property
    def is_always(self) -> bool:
        """True when no clock needs to be asked."""
        return all(WHOLE_DAY in spans for spans in self.spans)

    def hold(self, at: datetime) -> bool:
        """Return whether they hold at a moment of the site's own time."""
        minute, today = at.hour * 60 + at.minute, at.weekday()
        return any(span.holds(minute) for span in self.spans[today]) or any(
            span.spills_over(minute) for span in self.spans[today - 1]
        )


def _days(first: str | None, last: str | None) -> list[int]:
    if first is None:
        return list(range(len(WEEKDAYS)))
    if not {first, last or first} <= set(WEEKDAYS):
        raise ValueError(f"days are {', '.join(WEEKDAYS)}")
    # Modulo seven, so that sat-mon is Saturday to Monday.
    begin, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
    return [(begin + n) % len(WEEKDAYS) for n in range((end - begin) % len(WEEKDAYS) + 1)]
