"""One frame deep: newest wins, nothing old is handed out."""

from __future__ import annotations

import threading
from datetime import timedelta

import numpy as np

from edge.domain import Frame
from edge.runtime.clock import ManualClock, SystemClock
from edge.runtime.slot import FrameSlot
from tests.waiting import PATIENCE

IMAGE = np.zeros((32, 32, 3), np.uint8)


def frame(clock: ManualClock | SystemClock, seq: int, ago: float = 0.0) -> Frame:
    return Frame(IMAGE, seq, clock.monotonic() - ago, clock.now() - timedelta(seconds=ago))


def test_the_newest_frame_wins_and_drops_are_counted() -> None:
    clock = ManualClock()
    slot = FrameSlot(clock)
    for seq in range(5):
        slot.put(frame(clock, seq))
    taken = slot.take(0)
    assert taken is not None
    assert taken.seq == 4
    assert slot.dropped == 4


def test_a_frame_is_handed_out_once() -> None:
    clock = ManualClock()
    slot = FrameSlot(clock)
    slot.put(frame(clock, 0))
    assert slot.take(0) is not None
    assert slot.take(0) is None
    assert slot.dropped == 0


def test_an_old_frame_is_refused() -> None:
    clock = ManualClock(monotonic=100.0)
    slot = FrameSlot(clock)
    slot.put(frame(clock, 0))
    clock.advance(0.51)
    assert slot.take(0) is None
    assert slot.stale == 1
    slot.put(frame(clock, 1, ago=0.5))
    assert slot.take(0) is not None


def test_take_waits_for_the_next_frame() -> None:
    clock = SystemClock()
    slot = FrameSlot(clock)
    taken: list[Frame | None] = []
    reader = threading.Thread(target=lambda: taken.append(slot.take(PATIENCE)))
    reader.start()
    slot.put(frame(clock, 7))
    reader.join(PATIENCE)
    assert [one.seq for one in taken if one] == [7]


def test_after_a_stale_frame_take_goes_on_waiting() -> None:
    clock = SystemClock()
    slot = FrameSlot(clock)
    slot.put(frame(clock, 0, ago=2.0))
    threading.Timer(0.05, lambda: slot.put(frame(clock, 1))).start()
    taken = slot.take(PATIENCE)
    assert taken is not None
    assert taken.seq == 1


def test_closing_wakes_the_reader() -> None:
    slot = FrameSlot(SystemClock())
    threading.Timer(0.02, slot.close).start()
    assert slot.take(PATIENCE) is None
    assert slot.is_closed
    assert slot.take(PATIENCE) is None


def test_what_was_put_before_closing_is_still_taken() -> None:
    clock = ManualClock()
    slot = FrameSlot(clock)
    slot.put(frame(clock, 3))
    slot.close()
    assert slot.take(0) is not None


def test_two_threads_lose_nothing_but_the_counted() -> None:
    """Every frame put is taken, dropped, or still there."""
    clock = SystemClock()
    slot = FrameSlot(clock, max_age_seconds=60.0)
    taken: list[int] = []

    def read() -> None:
        while not slot.is_closed or not taken or taken[-1] != 4999:
            if (one := slot.take(0.05)) is not None:
                taken.append(one.seq)

    reader = threading.Thread(target=read)
    reader.start()
    for seq in range(5000):
        slot.put(frame(clock, seq))
    slot.close()
    reader.join(PATIENCE)
    assert taken == sorted(set(taken))
    assert len(taken) + slot.dropped == 5000
