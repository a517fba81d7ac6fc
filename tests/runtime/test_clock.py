"""The clock that stands still until told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from edge.runtime.clock import ManualClock, SystemClock


def test_the_system_clock_is_utc_and_monotonic() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()


def test_advance_moves_both_clocks() -> None:
    clock = ManualClock(datetime(2026, 5, 1, tzinfo=UTC), monotonic=100.0)
    clock.advance(2.5)
    assert clock.monotonic() == 102.5
    assert clock.now() == datetime(2026, 5, 1, tzinfo=UTC) + timedelta(seconds=2.5)


def test_a_wall_step_leaves_monotonic_time_alone() -> None:
    clock = ManualClock(datetime(2026, 5, 1, tzinfo=UTC))
    clock.step_wall(-3600)
    assert clock.monotonic() == 0.0
    assert clock.now() == datetime(2026, 4, 30, 23, tzinfo=UTC)


def test_time_does_not_run_backwards() -> None:
    with pytest.raises(ValueError, match="step_wall"):
        ManualClock().advance(-1)
