from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from edge.policy.trust import EPOCH, MAX_STEP, SLACK, Believe, ClockGuard, is_certain

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


def seen(*moments: datetime, floor: datetime | None = None, is_vouched: bool = True) -> ClockGuard:
    guard = ClockGuard()
    guard.observe(floor, moments, is_vouched=is_vouched)
    return guard


def test_nothing_is_known_before_the_first_look():
    guard = ClockGuard(NOW)
    assert guard.moments(NOW) == ()
    assert not guard.vouches(NOW)
    assert guard.floor == NOW


def test_nothing_is_known_while_the_clock_cannot_be_believed():
    guard = seen(floor=NOW, is_vouched=False)
    assert guard.moments(NOW) == ()
    assert guard.floor == NOW


def test_a_clock_that_is_believed_is_the_only_time():
    guard = seen(NOW)
    assert guard.moments(NOW + SECOND) == (NOW + SECOND,)
    assert is_certain(guard, NOW + SECOND)
    assert guard.vouches(NOW + SECOND)
    assert guard.floor == EPOCH


def test_what_contradicts_the_clock_goes_on_beside_it():
    guard = seen(NOW, NOW - DAY, is_vouched=False)
    assert guard.moments(NOW + SECOND) == (NOW + SECOND, NOW - DAY + SECOND)
    assert not is_certain(guard, NOW)
    assert not guard.vouches(NOW)


@pytest.mark.parametrize("off", [-30 * SECOND, -SLACK - SECOND, MAX_STEP + SECOND, DAY])
def test_a_time_far_from_the_last_look_waits_for_the_next(off):
    guard = seen(NOW)
    assert guard.moments(NOW + off) == ()
    assert not guard.vouches(NOW + off)


def test_a_small_correction_back_is_normal():
    assert seen(NOW).moments(NOW - SLACK) == (NOW - SLACK,)


def test_recordings_are_believed():
    assert is_certain(Believe(), NOW)
    assert Believe().vouches(NOW)
    assert Believe(floor=NOW + MAX_STEP).moments(NOW) == ()
    assert not Believe(floor=NOW + MAX_STEP).vouches(NOW)
