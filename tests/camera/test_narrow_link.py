"""Old pictures never pass for new ones, however the link delays them."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest

from edge.camera.lag import MOST_UNPROVEN_SECONDS, Stamps
from edge.camera.opencv import STALE_SECONDS, OpenCvCamera
from edge.errors import CameraLost
from edge.runtime.clock import ManualClock

FPS = 15
KEY_EVERY = 30
KEY_SIZE, SIZE = 8.0, 1.0
NEED = FPS * (KEY_SIZE + SIZE * (KEY_EVERY - 1)) / KEY_EVERY
"""What the stream needs, in units of size a second."""


@dataclass
class Link:
    """A camera behind a link of a given rate that queues what it cannot carry.

    Frame n is taken at n / `fps`; change that only between connections, or begin a new one.
    """

    clock: ManualClock
    rate: float = 100 * NEED
    stamp_fps: float = FPS
    fps: float = FPS
    key_every: int = KEY_EVERY
    tells_kinds: bool = True
    connections: int = 0
    shown: list[float] = field(default_factory=list)  # when each frame that was read had been taken

    def connect(self) -> Connection:
        self.connections += 1
        self.clock.advance(0.35)
        return Connection(self, int(self.clock.monotonic() * self.fps) + 1, self.clock.monotonic())


@dataclass
class Connection:
    link: Link
    number: int
    free_at: float
    first: int = -1
    is_key: bool = False

    def isOpened(self) -> bool:
        return True

    def read(self) -> tuple[bool, np.ndarray]:
        link, now = self.link, self.link.clock.monotonic()
        self.is_key = self.first < 0 or self.number % link.key_every == 0
        self.first = self.number if self.first < 0 else self.first
        begins = max(self.free_at, self.number / link.fps)
        self.free_at = begins + (KEY_SIZE if self.is_key else SIZE) / link.rate
        link.clock.advance(max(self.free_at - now, 0.001))
        link.shown.append(self.number / link.fps)
        self.number += 1
        return True, np.full((4, 4, 3), self.number % 251, np.uint8)

    def get(self, prop: int) -> float:
        if prop == cv2.CAP_PROP_FRAME_TYPE and self.link.tells_kinds:
            return float(ord("I" if self.is_key else "P"))
        if prop != cv2.CAP_PROP_POS_MSEC:
            return 0.0  # the stream says nothing about it
        return (self.number - 1 - self.first) / self.link.stamp_fps * 1000

    def release(self) -> None:
        pass


class Watch:
    """Reads for a while; notes how old every picture was and what its time said."""

    def __init__(self, link: Link):
        self.link = link
        self.stamps = Stamps()
        self.ages: list[float] = []
        self.errors: list[float] = []
        self.lost: list[str] = []
        self.camera = self.opened()

    def opened(self) -> OpenCvCamera:
        return OpenCvCamera("rtsp://cam", self.link.connect, self.link.clock, lambda: 0.0, self.stamps)

    def read_for(self, seconds: float) -> Watch:
        until = self.link.clock.monotonic() + seconds
        self.ages, self.errors = [], []
        while self.link.clock.monotonic() < until:
            try:
                frame = self.camera.read()
            except CameraLost as lost:
                self.lost.append(str(lost))
                self.link.clock.advance(0.5)
                self.camera = self.opened()
                continue
            self.ages.append(self.link.clock.monotonic() - self.link.shown[-1])
            self.errors.append(frame.time - self.link.shown[-1])
        return self


def test_a_wide_link_brings_every_frame_fresh():
    watch = Watch(Link(ManualClock())).read_for(60)
    assert len(watch.ages) >= 880
    assert max(watch.ages) < 0.1
    assert watch.lost == []


@pytest.mark.parametrize("share", [0.97, 0.9, 0.8, 0.5, 0.25])
def test_a_link_that_becomes_too_narrow_brings_nothing_old(share):
    link = Link(ManualClock())
    watch = Watch(link).read_for(15)
    link.rate = share * NEED
    watch.read_for(120)
    first = 2 * KEY_SIZE / link.rate  # what a connection's first pictures take: nothing tells of that
    assert max(watch.ages, default=0.0) <= STALE_SECONDS + 0.1 + first
    assert max(watch.errors, default=0.0) <= 0.1 + first, "and a late picture says so in its time"
    assert link.connections > 2
    if share <= 0.9:
        assert watch.lost


def test_the_door_sees_again_when_the_link_is_wide_again():
    link = Link(ManualClock())
    watch = Watch(link).read_for(15)
    link.rate = 0.5 * NEED
    watch.read_for(60)
    link.rate = 100 * NEED
    watch.read_for(5)
    watch.lost.clear()
    watch.read_for(60)
    assert watch.lost == []
    assert len(watch.ages) >= 880
    assert max(watch.ages) < 0.1


def test_a_link_that_was_always_too_narrow_is_no_camera_with_wrong_stamps():
    link = Link(ManualClock(), rate=0.7 * NEED)
    watch = Watch(link).read_for(120)
    assert max(watch.ages, default=0.0) <= STALE_SECONDS + 0.1 + 2 * KEY_SIZE / link.rate
    assert watch.lost


@pytest.mark.parametrize("key_every", [60, 250, 600])
@pytest.mark.parametrize("share", [0.9, 0.7, 0.5])
def test_few_whole_pictures_do_not_hide_that_a_link_was_always_too_narrow(key_every, share):
    link = Link(ManualClock(), key_every=key_every)
    link.rate = share * FPS * (KEY_SIZE + SIZE * (key_every - 1)) / key_every
    watch = Watch(link).read_for(300)
    first = 2 * KEY_SIZE / link.rate
    assert max(watch.ages) <= MOST_UNPROVEN_SECONDS + STALE_SECONDS + 0.1 + first
    assert link.connections > 2


@pytest.mark.parametrize("night", [14, 12, 10, 7.5])
def test_a_camera_that_sends_fewer_frames_at_night_and_stamps_them_as_by_day_is_used(night):
    link = Link(ManualClock())
    watch = Watch(link).read_for(60)
    assert watch.stamps.are_right
    link.fps = night
    watch.camera.close()
    watch.camera = watch.opened()
    watch.read_for(60)  # it may take a whole picture or two to see it
    assert len(watch.lost) <= 1
    watch.lost.clear()
    connections = link.connections
    watch.read_for(600)
    assert watch.lost == []
    assert link.connections == connections
    assert len(watch.ages) > 595 * night
    assert max(watch.ages) < 0.1


def test_the_link_is_held_to_right_stamps_again_by_day():
    link = Link(ManualClock())
    watch = Watch(link).read_for(60)
    for fps in (10, FPS):
        link.fps = fps
        watch.camera.close()
        watch.camera = watch.opened()
        watch.read_for(60)
    link.rate = 0.5 * NEED
    watch.read_for(120)
    assert watch.lost
    assert max(watch.ages) <= STALE_SECONDS + 0.1 + 2 * KEY_SIZE / link.rate


@pytest.mark.parametrize("tells_kinds", [True, False])
def test_a_camera_that_always_stamped_wrong_is_used(tells_kinds):
    link = Link(ManualClock(), stamp_fps=FPS * 1.25, tells_kinds=tells_kinds)
    watch = Watch(link).read_for(120)
    assert watch.lost == []
    assert len(watch.ages) > 1700
