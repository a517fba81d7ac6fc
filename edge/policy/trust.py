"""Is the wall clock to be believed: a board without a battery boots in the past.

The true time is never earlier than the latest time we once trusted (the floor, kept on disk), so
turning the clock back cannot revive anybody who has expired. Timers elsewhere are monotonic.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

SLACK = timedelta(seconds=10)
"""A clock may fall this far behind the floor: what a time service takes back in one step, and the
10 s a week that IEC 60839-11-1 allows a door's clock."""

MAX_STEP = timedelta(hours=1)
"""What is asked about is near the last look at the clock: a frame is seconds old."""


class Trust(Protocol):
    """What access rules ask about the time they were given."""

    @property
    def floor(self) -> datetime:
        """The true time is not before this (UTC)."""

    def moments(self, at: datetime) -> tuple[datetime, ...]:
        """Return every time that it may be when the clock says `at` (UTC), `at` first; empty: not known.

        Somebody whose rights are bound to a time may pass if they may at each of them.
        """

    def vouches(self, at: datetime) -> bool:
        """Return whether `at` (UTC) may hold a door unlocked for everybody."""


def is_certain(trust: Trust, at: datetime) -> bool:
    """Return whether it can be no other time than `at` (UTC)."""
    return trust.moments(at) == (at,)


@dataclass(frozen=True, slots=True)
class Believe:
    """Trust that believes any time: for recordings and for simulating rules."""

    floor: datetime = EPOCH

    def moments(self, at: datetime) -> tuple[datetime, ...]:
        """Return any time that is not before the floor."""
        return (at,) if at >= self.floor else ()

    def vouches(self, at: datetime) -> bool:
        """Return True for any time not before the floor."""
        return at >= self.floor


class ClockGuard:
    """What was seen last of the clock of a running door. Any thread."""

    def __init__(self, floor: datetime = EPOCH) -> None:
        self._lock = threading.Lock()
        self._floor = floor
        self._seen: tuple[datetime, ...] = ()
        self._is_vouched = False

    @property
    def floor(self) -> datetime:
        """The true time is not before this (UTC)."""
        with self._lock:
            return self._floor

    def observe(self, floor: datetime | None, moments: tuple[datetime, ...], *, is_vouched: bool) -> None:
        """Take what is known now; call it once a second. See `Trust` for the three."""
        with self._lock:
            self._floor = floor or EPOCH
            self._seen = moments
            self._is_vouched = is_vouched

    def moments(self, at: datetime) -> tuple[datetime, ...]:
        """Return every time that it may be when the clock says `at` (UTC), `at` first; empty: not known."""
        with self._lock:
            seen = self._seen
        # Far from the last look the clock was set since, and the new time has not been judged yet.
        if not seen or not -SLACK <= at - seen[0] <= MAX_STEP:
            return ()
        return at, *(other + (at - seen[0]) for other in seen[1:])

    def vouches(self, at: datetime) -> bool:
        """Return whether `at` (UTC) may hold a door unlocked for everybody."""
        with self._lock:
            is_vouched = self._is_vouched
        return is_vouched and bool(self.moments(at))
