"""Weekly schedules in the site's time zone: when does an access level hold.

A schedule speaks of wall-clock time, as the sheet of paper on the door would. On the night the
clocks go forward an hour of it does not happen; on the night they go back an hour happens twice
and counts twice. A span that crosses midnight belongs wholly to the day it begins on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from zoneinfo import ZoneInfo

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
HOLIDAY = "holiday"
MINUTES_A_DAY = 24 * 60

_SPAN = re.compile(r"([01]\d|2[0-4]):([0-5]\d)\s*-\s*([01]\d|2[0-4]):([0-5]\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Span:
    """Part of a day in minutes after midnight: `begin` inclusive, `end` exclusive, 0..1440.

    `end` at or before `begin` means that it ends on the following day.
    """

    begin: int
    end: int

    @classmethod
    def parse(cls, text: str) -> Span:
        """Return the span of `08:00-18:30`, `22:00-06:00` or `00:00-24:00`. Raises `ValueError`."""
        found = _SPAN.fullmatch(text.strip())
        begin, end = _minutes(*found.groups()) if found else (0, 0)
        if not found or begin >= MINUTES_A_DAY or end > MINUTES_A_DAY or begin == end:
            raise ValueError(
                f"{text!r} is no span of a day; write 08:00-18:30, 22:00-06:00 (until the next morning) "
                "or 00:00-24:00"
            )
        return cls(begin, end)

    @property
    def crosses_midnight(self) -> bool:
        """True when the span ends on the day after it begins."""
        return self.end <= self.begin

    def holds(self, minute: int) -> bool:
        """Return whether `minute` of the day it begins on lies within."""
        return self.begin <= minute and (self.crosses_midnight or minute < self.end)

    def spills_over(self, minute: int) -> bool:
        """Return whether `minute` of the following day lies within."""
        return self.crosses_midnight and minute < self.end

    def __str__(self) -> str:
        return f"{self.begin // 60:02}:{self.begin % 60:02}-{self.end // 60:02}:{self.end % 60:02}"


WHOLE_DAY = Span(0, MINUTES_A_DAY)


def _minutes(*parts: str) -> tuple[int, int]:
    hours_a, minutes_a, hours_b, minutes_b = map(int, parts)
    return hours_a * 60 + minutes_a, hours_b * 60 + minutes_b


@dataclass(frozen=True, slots=True)
class Schedule:
    """Spans by kind of day: `mon`..`sun`, `holiday` and the site's own kinds.

    A weekday that is not named is closed. A holiday or special day of a kind that is not named
    is treated as the weekday it falls on.
    """

    name: str
    days: Mapping[str, tuple[Span, ...]]

    @property
    def is_always(self) -> bool:
        """True when no clock is needed to know that it is open."""
        # Also the kinds it names beside the week: open day and night, but shut on holidays, needs a calendar.
        kinds = {*WEEKDAYS, *self.days}
        return all(WHOLE_DAY in self.days.get(kind, ()) for kind in kinds)


ALWAYS = Schedule("always", MappingProxyType(dict.fromkeys(WEEKDAYS, (WHOLE_DAY,))))
NEVER = Schedule("never", MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Opening:
    """One stretch of one schedule: the local day it begins on, and the span."""

    day: date
    span: Span


def no_holidays(_day: date) -> bool:
    """Return False: no day is a holiday."""
    return False


def no_made_up_days(_day: date) -> str:
    """Return "": on no weekend people work."""
    return ""


@dataclass(frozen=True, slots=True)
class Calendar:
    """What the site's clock and calendar say.

    `special` gives single dates a kind of day (a weekday for a make-up working day, `holiday`,
    or a kind of the site's own) and wins over the others. `made_up_as` returns the weekday whose hours a
    Saturday or Sunday has on which a country works in place of another day, "" for any other date.
    """

    zone: ZoneInfo
    special: Mapping[date, str] = field(default_factory=lambda: MappingProxyType({}))
    is_holiday: Callable[[date], bool] = no_holidays
    made_up_as: Callable[[date], str] = no_made_up_days

    def spans_on(self, schedule: Schedule, day: date) -> tuple[Span, ...]:
        """Return the spans of `schedule` that begin on the local date `day`."""
        weekday = WEEKDAYS[day.weekday()]
        # The site's own word first, then the country's: a public holiday, a weekend on which people work.
        kind = self.special.get(day) or (HOLIDAY if self.is_holiday(day) else self.made_up_as(day) or weekday)
        if kind not in WEEKDAYS and kind not in schedule.days:
            kind = weekday
        return schedule.days.get(kind, ())

    def opening(self, schedule: Schedule, at: datetime) -> Opening | None:
        """Return the stretch of `schedule` that holds `at` (any aware time), or None when closed."""
        return next(self._openings(schedule, at), None)

    def is_open(self, schedule: Schedule, at: datetime) -> bool:
        """Return whether `at` (any aware time) lies within `schedule`."""
        return self.opening(schedule, at) is not None

    def _openings(self, schedule: Schedule, at: datetime) -> Iterator[Opening]:
        local = at.astimezone(self.zone)
        today, minute = local.date(), local.hour * 60 + local.minute
        yield from (Opening(today, span) for span in self.spans_on(schedule, today) if span.holds(minute))
        # `date.min`, 1 January of year 1: the day before it cannot be represented.
        if today == date.min:
            return
        before = today - timedelta(days=1)
        spans = self.spans_on(schedule, before)
        yield from (Opening(before, span) for span in spans if span.spills_over(minute))
