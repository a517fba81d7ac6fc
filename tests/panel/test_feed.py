"""The door's own frames reach the panel while somebody watches, and are let go of afterwards."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from edge.domain import Frame
from edge.panel.feed import LEASE_SECONDS, STALE_SECONDS, CameraFeed, DoorFeed
from edge.runtime.clock import ManualClock
from tests.present import present
from tests.waiting import wait_until


@pytest.fixture
def clock():
    return ManualClock()


def frame(clock, seq=0):
    return Frame(np.zeros((4, 4, 3), np.uint8), seq, clock.monotonic(), datetime(2026, 1, 5, tzinfo=UTC))


def test_nothing_is_kept_while_nobody_watches(clock):
    feed = DoorFeed(clock)
    feed.see(frame(clock))
    assert feed.newest() is None


def test_whoever_watches_sees_the_newest_frame(clock):
    feed = DoorFeed(clock)
    feed.lease()
    feed.see(frame(clock, 1))
    feed.see(frame(clock, 2))
    assert present(feed.newest()).seq == 2


def test_after_the_last_question_the_frames_are_let_go_of(clock):
    feed = DoorFeed(clock)
    feed.lease()
    feed.see(frame(clock))
    clock.advance(LEASE_SECONDS)
    feed.see(frame(clock, 1))
    assert feed.newest() is None
    assert feed._newest is None


def test_a_camera_that_fell_silent_shows_no_old_picture(clock):
    feed = DoorFeed(clock)
    feed.lease()
    feed.see(frame(clock))
    clock.advance(STALE_SECONDS + 0.1)
    assert feed.newest() is None


class OddCamera:
    """Fails once in a way that no adapter declares, and then shows a picture."""

    def __init__(self, clock) -> None:
        self._clock = clock
        self.opened = 0

    def open(self):
        self.opened += 1
        return self

    def read(self):
        if self.opened == 1:
            raise ZeroDivisionError("a driver's own")
        return frame(self._clock, 7)

    def close(self):
        pass


def test_a_camera_that_fails_oddly_is_opened_again(clock):
    """Its thread ended, and whoever watched later waited for a picture for good."""
    camera = OddCamera(clock)
    feed = CameraFeed(camera.open, clock)
    feed.lease()
    wait_until(lambda: feed.newest() is not None)
    assert present(feed.newest()).seq == 7
    feed.close()
