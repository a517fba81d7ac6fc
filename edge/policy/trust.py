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
"""A running, synchronised clock that leaps further than this against the monotonic one was set by
somebody. Longer than any leap second or smear; UTC knows no summer time."""

REANCHOR_SECONDS = 86_400.0
"""How long leaps are measured from one reference, so that many small ones are not free either. A
board's crystal drifts seconds in that time, not minutes."""


class Trust(Protocol):
    """What access rules ask about the time they were given."""

    @property
    def floor(self) -> datetime:
        """The true time is not before this (UTC)."""

    def believes(self, at: datetime) -> bool:
        """Return whether `at` (UTC) may be used to open a door for somebody bound to a time."""


@dataclass(frozen=True, slots=True)
class Believe:
    """Trust that believes any time: for recordings and for simulating rules."""

    floor: datetime = EPOCH

    def believes(self, at: datetime) -> bool:
        """Return True for any time not before the floor."""
        return at >= self.floor


class ClockGuard:
    """Watches the clock of a running door. Any thread.

    `floor` is the latest trusted time of earlier runs. `trusted_states` are those of
    `DoorEvent.clock` that count: add `restored` where a battery-backed clock is fitted.
    """

    def __init__(
        self,
        floor: datetime = EPOCH,
        trusted_states: frozenset[str] = frozenset({"synced"}),
    ) -> None:
        self._floor = floor
        self._trusted_states = trusted_states
        self._lock = threading.Lock()
        self._is_trusted = False
        self._anchor: tuple[datetime, float] | None = None
        self._last: datetime | None = None

    @property
    def floor(self) -> datetime:
        """The latest time that was ever trusted, UTC."""
        with self._lock:
            return self._floor

    def observe(self, at: datetime, mono: float, state: str) -> bool:
        """Take one tick (UTC, monotonic seconds, `synced|restored|unknown`); return whether it is trusted.

        Call it once a second. Distrust after a leap ends when the clock is back where it should
        be, by `accept`, or with a restart.
        """
        with self._lock:
            self._is_trusted = state in self._trusted_states and self._is_plausible(at, mono)
            if self._is_trusted:
                self._believe(at, mono)
            return self._is_trusted

    def believes(self, at: datetime) -> bool:
        """Return whether `at` (UTC) may be used to open a door for somebody bound to a time."""
        with self._lock:
            near = self._last is not None and abs(at - self._last) <= MAX_STEP
            return self._is_trusted and near and at >= self._floor - SLACK

    def accept(self, at: datetime, mono: float) -> None:
        """Take `at` for the truth, whatever was believed before: a person has checked it."""
        with self._lock:
            self._floor = at
            self._anchor, self._last = (at, mono), at
            self._is_trusted = True

    def _believe(self, at: datetime, mono: float) -> None:
        self._last = at
        self._floor = max(self._floor, at)
        if self._anchor is None or mono - self._anchor[1] >= REANCHOR_SECONDS:
            self._anchor = at, mono

    def _is_plausible(self, at: datetime, mono: float) -> bool:
        if at < self._floor - SLACK:
            return False
        if self._anchor is None:
            return True
        then, then_mono = self._anchor
        return abs((at - then) - timedelta(seconds=mono - then_mono)) <= MAX_STEP
