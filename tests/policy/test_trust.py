from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from edge.policy.trust import EPOCH, MAX_STEP, SLACK, Believe, ClockGuard

NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def running(floor: datetime = EPOCH) -> ClockGuard:
    guard = ClockGuard(floor)
    assert guard.observe(NOW, 100.0, "synced")
    return guard


def test_nothing_is_believed_before_the_first_tick():
    assert not ClockGuard().believes(NOW)


def test_a_restored_clock_counts_only_where_a_battery_keeps_it():
    assert not ClockGuard().observe(NOW, 0.0, "restored")
    assert ClockGuard(trusted_states=frozenset({"synced", "restored"})).observe(NOW, 0.0, "restored")


def test_a_synchronised_clock_is_believed_and_raises_the_floor():
    guard = running()
    assert guard.believes(NOW + SECOND)
    assert guard.floor == NOW


def test_a_boot_in_the_past_is_not_believed_even_when_it_claims_to_be_synchronised():
    guard = ClockGuard(floor=NOW)
    past = NOW - timedelta(days=400)
    assert not guard.observe(past, 5.0, "synced")
    assert not guard.believes(past)
    assert guard.floor == NOW
    assert guard.observe(NOW + timedelta(days=2), 6.0, "synced")  # the time server answered


def test_a_leap_back_while_running_is_not_believed_at_once():
    guard = running()
    assert not guard.believes(NOW - timedelta(days=1))
    assert not guard.observe(NOW - timedelta(days=1), 101.0, "synced")
    assert guard.floor == NOW


def test_a_step_back_of_half_a_minute_is_not_believed_before_the_next_tick():
    assert not running().believes(NOW - 30 * SECOND)
    assert running().believes(NOW - SLACK)


def test_a_leap_ahead_while_running_neither_counts_nor_raises_the_floor():
    guard = running()
    future = NOW + timedelta(days=3000)
    assert not guard.believes(future)
    assert not guard.observe(future, 101.0, "synced")
    assert guard.floor == NOW
    assert guard.observe(NOW + 60 * SECOND, 160.0, "synced")


def test_many_small_leaps_are_not_free_either():
    guard = running()
    answers = [guard.observe(NOW + 50 * n * timedelta(minutes=1), 100.0 + n, "synced") for n in range(1, 10)]
    assert answers == [True] + [False] * 8


def test_a_person_may_settle_it():
    guard = running()
    guard.observe(NOW + timedelta(days=30), 101.0, "synced")
    guard.accept(NOW - timedelta(days=5), 102.0)
    assert guard.believes(NOW - timedelta(days=5))
    assert guard.floor == NOW - timedelta(days=5)


def test_a_small_correction_back_is_normal():
    assert running().observe(NOW - SLACK, 101.0, "synced")


def test_a_week_without_a_leap_stays_trusted_despite_a_drifting_crystal():
    guard = running()
    drift = 1 + 50e-6
    assert all(
        guard.observe(NOW + n * 600 * SECOND, 100.0 + n * 600 * drift, "synced") for n in range(7 * 144)
    )


@given(
    st.lists(
        st.tuples(st.floats(0, 1e6), st.integers(-(10**7), 10**7), st.sampled_from(("synced", "unknown")))
    )
)
def test_the_floor_never_falls_and_never_passes_what_was_shown(ticks):
    guard, mono, shown = running(), 100.0, [NOW]
    for elapsed, offset, state in ticks:
        mono += elapsed
        before, at = guard.floor, NOW + offset * SECOND
        shown.append(at)
        trusted = guard.observe(at, mono, state)
        assert guard.floor >= before
        assert guard.floor in shown
        assert trusted == guard.believes(at)


def test_recordings_are_believed():
    assert Believe().believes(NOW)
    assert not Believe(floor=NOW + MAX_STEP).believes(NOW)
