"""Promised times within opening hours: how much of them has passed, and when they will have.

The arithmetic counts whole openings and agrees with a walk minute by minute, on nights when the clocks
change, too: a skipped hour does not count, a repeated one counts twice, as `edge.policy.schedule` says.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edge.policy.schedule import Calendar, Schedule

BLOCK = 6 * 3600
"""Seconds looked at in one go; no zone changes its offset twice within them."""
MOST_DAYS = 400
"""A promise that is not kept within so many days of a calendar has no moment."""
MINUTE = 60


@dataclass(frozen=True, slots=True)
class Hours:
    """When time counts: a weekly schedule in a calendar with its zone and holidays."""

    schedule: Schedule
    calendar: Calendar

    def open_seconds(self, begin: int, end: int) -> int:
        """Return how many seconds between two moments (UTC seconds) were within the hours."""
        return sum(until - since for since, until in self._openings(begin, end))

    def after(self, begin: int, seconds: int) -> int | None:
        """Return the moment at which so many open seconds have passed since `begin`.

        None when that is not within 400 days: a schedule that never opens.
        """
        left = seconds
        for since, until in self._openings(begin, begin + MOST_DAYS * 86_400):
            if until - since >= left:
                return since + left
            left -= until - since
        return None

    def _openings(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield what is open between two moments, in order; neighbours may touch."""
        if self.schedule.is_always:
            yield begin, end
            return
        at = begin
        while at < end:
            until = min(end, at - at % BLOCK + BLOCK)
            for since, stop in self._pieces(at, until):
                yield from self._within(since, stop)
            at = until

    def _pieces(self, since: int, until: int) -> Iterator[tuple[int, int]]:
        """Yield the stretch in one piece, or in two where the zone's offset changes."""
        last = until - 1
        if self._offset(since) == self._offset(last):
            yield since, until
            return
        # The second in which the offset changes, found by halving: `zoneinfo` has no call that returns it.
        low, high = since, last
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._offset(middle) == self._offset(since) else (low, middle)
        yield since, high
        yield high, until

    def _within(self, since: int, until: int) -> Iterator[tuple[int, int]]:
        """Yield what is open of a stretch with one offset, overlapping spans counted once."""
        offset = self._offset(since)
        local = datetime.fromtimestamp(since, UTC) + timedelta(seconds=offset)
        spans: list[tuple[int, int]] = []
        # The day before may reach across midnight, and the stretch may end on the day after.
        for ahead in (-1, 0, 1):
            day = local.date() + timedelta(days=ahead)
            midnight = _seconds(day) - offset
            for span in self.calendar.spans_on(self.schedule, day):
                end = span.end + (24 * 60 if span.crosses_midnight else 0)
                spans.append((midnight + span.begin * MINUTE, midnight + end * MINUTE))
        at = since
        for begin, end in sorted(spans):
            begin, end = max(begin, at), min(end, until)  # noqa: PLW2901 - cut to what is left
            if begin < end:
                yield begin, end
                at = end

    def _offset(self, at: int) -> int:
        offset = datetime.fromtimestamp(at, self.calendar.zone).utcoffset()
        return int(offset.total_seconds()) if offset is not None else 0


def _seconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
