"""The lock that moves nothing and remembers everything."""

from __future__ import annotations

from edge.relay.dry_run import DryRunLock, Move
from edge.runtime.clock import ManualClock


def test_it_relocks_when_the_clock_says_so() -> None:
    clock = ManualClock(monotonic=10.0)
    lock = DryRunLock(clock)
    lock.unlock(5)
    clock.advance(4.9)
    assert lock.unlocked
    clock.advance(10)
    assert [lock.unlocked] == [False]
    assert lock.history == (Move(10.0, "unlock", 5), Move(15.0, "relock"))


def test_a_second_unlock_extends_and_never_shortens() -> None:
    clock = ManualClock()
    lock = DryRunLock(clock)
    lock.unlock(15)
    clock.advance(1)
    lock.unlock(5)
    clock.advance(13.9)
    assert lock.unlocked
    clock.advance(0.1)
    assert [move.action for move in lock.history] == ["unlock", "unlock", "relock"]


def test_lock_relocks_now_and_only_an_open_lock_moves() -> None:
    clock = ManualClock()
    lock = DryRunLock(clock)
    lock.lock()
    assert not lock.history
    lock.unlock(5)
    clock.advance(1)
    lock.close()
    lock.close()
    clock.advance(60)
    assert lock.history == (Move(0.0, "unlock", 5), Move(1.0, "lock"))


def test_the_wall_clock_does_not_matter() -> None:
    clock = ManualClock()
    lock = DryRunLock(clock)
    lock.unlock(5)
    clock.step_wall(-86400)
    clock.advance(5)
    assert not lock.unlocked
