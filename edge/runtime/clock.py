"""The real clock, and one for tests that stands still until told."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """The machine's clocks. Any thread."""

    def monotonic(self) -> float:
        """Return seconds since boot (CLOCK_MONOTONIC): no NTP step moves it."""
        return time.monotonic()

    def now(self) -> datetime:
        """Return the current time in UTC."""
        return datetime.now(UTC)


class ManualClock:
    """A clock that moves only when told; monotonic and wall time can be moved apart."""

    def __init__(self, now: datetime | None = None, monotonic: float = 0.0) -> None:
        self._now = now or datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
        self._monotonic = monotonic

    def monotonic(self) -> float:
        """Return the monotonic seconds set so far."""
        return self._monotonic

    def now(self) -> datetime:
        """Return the wall time set so far, UTC."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass on both clocks. Raises ValueError when negative."""
        if seconds < 0:
            raise ValueError(f"advance({seconds}): time does not run backwards; use step_wall")
        self._monotonic += seconds
        self._now += timedelta(seconds=seconds)

    def step_wall(self, seconds: float) -> None:
        """Move the wall clock alone, either way, as an NTP step or a dead battery does."""
        self._now += timedelta(seconds=seconds)
