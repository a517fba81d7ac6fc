"""A camera's life: opened, read, lost, frozen, reopened, and every change told."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edge.camera.check import PictureHealth
from edge.domain import EventDraft, Frame
from edge.errors import CameraLost
from edge.runtime.capture import LAST_RETRY_SECONDS, Capture
from edge.runtime.clock import ManualClock
from edge.runtime.slot import FrameSlot

if TYPE_CHECKING:
    from collections.abc import Callable

FRAME_SECONDS = 1 / 15


def noisy(number: int) -> np.ndarray:
    """A picture with detail, another one for each number."""
    image = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (48, 1))
    image = np.repeat(image[:, :, None], 3, axis=2).copy()
    image[number % 48, :, 0] = number % 251
    return image


class FakeCamera:
    """Frames every 1/15 s; `content(n)` is the image, None for the end, or an exception."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.closed = 0
        self.seq = 0

    def read(self) -> Frame | None:
        self.world.clock.advance(FRAME_SECONDS)
        self.world.shown += 1
        image = self.world.content(self.world.shown)
        if isinstance(image, Exception):
            raise image
        if image is None:
            return None
        self.seq += 1
        return Frame(image, self.seq - 1, self.world.clock.monotonic(), self.world.clock.now())

    def close(self) -> None:
        self.closed += 1


class World:
    """The capture with everything around it in hand."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.slot = FrameSlot(self.clock)
        self.content: Callable[[int], Any] = noisy
        self.shown = 0
        self.refuses_to_open = False
        self.cameras: list[FakeCamera] = []
        self.attempts: list[float] = []
        self.events: list[EventDraft] = []
        self.capture = Capture(
            self.open,
            self.slot,
            self.clock,
            health=PictureHealth(),
            emit=self.events.append,
            wait=self.clock.advance,
        )

    def open(self) -> FakeCamera:
        self.attempts.append(self.clock.monotonic())
        if self.refuses_to_open:
            raise CameraLost("usb 0: cannot be opened")
        self.cameras.append(FakeCamera(self))
        return self.cameras[-1]

    def run(self, seconds: float) -> None:
        end = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end:
            self.capture.step()

    def states(self) -> list[str]:
        return [event.data["state"] for event in self.events]


@pytest.fixture
def world() -> World:
    return World()


def test_frames_reach_the_slot_and_nothing_is_reported(world: World) -> None:
    world.run(10)
    taken = world.slot.take(0)
    assert taken is not None
    assert taken.seq == world.capture.frames - 1
    assert world.slot.dropped == world.capture.frames - 1
    assert world.events == []
    with pytest.raises(ValueError, match="read-only"):
        taken.image[0] = 0


def test_a_lost_camera_is_told_once_and_retried_with_patience(world: World) -> None:
    world.refuses_to_open = True
    world.run(40)
    assert world.states() == ["lost"]
    assert world.events[0].kind == "health.camera"
    assert world.events[0].data["detail"] == "usb 0: cannot be opened"
    pauses = [later - earlier for earlier, later in pairwise(world.attempts)]
    assert pauses[:4] == pytest.approx([0.5, 1.0, 2.0, 4.0])
    assert pauses[4:] == pytest.approx([LAST_RETRY_SECONDS] * len(pauses[4:]))


def test_a_step_never_waits_longer_than_half_a_second(world: World) -> None:
    """A camera that is away must not look like a hung thread."""
    world.refuses_to_open = True
    for _ in range(100):
        before = world.clock.monotonic()
        world.capture.step()
        assert world.clock.monotonic() - before <= 0.5


def test_a_camera_that_fails_is_closed_reopened_and_told_when_steady(world: World) -> None:
    world.content = lambda n: CameraLost("stalled for 2.0 s") if n == 30 else noisy(n)
    world.run(10)
    assert world.states() == ["lost", "back"]
    assert [camera.closed for camera in world.cameras] == [1, 0]
    lost, back = world.events
    assert 2.0 <= back.mono - lost.mono < 4.0


def test_frames_count_on_over_a_reopening(world: World) -> None:
    world.content = lambda n: CameraLost("gone") if n == 5 else noisy(n)
    seqs = []
    for _ in range(40):
        world.capture.step()
        if (frame := world.slot.take(0)) is not None:
            seqs.append(frame.seq)
    assert seqs == list(range(len(seqs)))
    assert len(seqs) > 10


def test_a_flapping_camera_does_not_flood_the_journal(world: World) -> None:
    """It opens, gives ten frames and dies, for ten minutes."""
    world.content = lambda n: CameraLost("gone") if n % 10 == 0 else noisy(n)
    world.run(600)
    assert world.states() == ["lost"]
    assert len(world.attempts) < 130


def test_a_camera_that_comes_and_goes_every_few_seconds_is_told_ever_more_seldom(world: World) -> None:
    world.content = lambda n: CameraLost("cable") if n % 75 == 0 else noisy(n)  # lost every five seconds
    world.run(600)
    assert world.states().count("lost") < 8
    frames = world.capture.frames
    world.content = noisy
    world.run(130)
    assert world.states()[-1] == "back"
    assert world.capture.frames > frames


def test_a_camera_that_is_lost_once_in_a_while_is_told_each_time(world: World) -> None:
    world.content = lambda n: CameraLost("cable") if n % 1500 == 0 else noisy(n)
    world.run(620)
    assert world.states().count("lost") >= 5
    assert world.states().count("back") >= 5


def test_after_a_steady_time_the_patience_is_fresh(world: World) -> None:
    world.refuses_to_open = True
    world.run(30)
    world.refuses_to_open = False
    world.run(10)
    world.refuses_to_open = True
    world.content = lambda n: CameraLost("gone")
    attempts = len(world.attempts)
    world.run(1.0)
    assert len(world.attempts) == attempts + 1


def test_a_frozen_picture_is_told_within_five_seconds_and_reopened(world: World) -> None:
    """An unplugged USB camera answers True with its last frame for ever."""
    world.content = lambda n: noisy(min(n, 30))
    world.run(8)
    assert world.states() == ["frozen"]
    assert world.events[0].mono - 30 * FRAME_SECONDS < 5.0
    assert len(world.cameras) == 2
    assert world.capture.frames == 30
    assert world.capture.repeated > 50


def test_an_unplugged_camera_ends_up_lost_and_comes_back(world: World) -> None:
    world.content = lambda n: noisy(min(n, 30))
    world.run(4)
    world.refuses_to_open = True
    world.run(10)
    assert world.states() == ["frozen", "lost"]
    world.refuses_to_open = False
    world.content = noisy
    world.run(10)
    assert world.states() == ["frozen", "lost", "back"]


def test_a_scene_that_really_stands_still_is_reopened_once_a_minute(world: World) -> None:
    world.content = lambda n: noisy(0)
    world.run(180)
    assert world.states() == ["frozen"]
    assert len(world.cameras) == 4


def test_life_after_frozen_is_ok(world: World) -> None:
    world.content = lambda n: noisy(0 if n < 100 else n)
    world.run(20)
    assert world.states() == ["frozen", "ok"]


@pytest.mark.parametrize(("level", "state"), [(0, "black"), (255, "white"), (120, "covered")])
def test_a_lens_that_shows_nothing_is_told(world: World, level: int, state: str) -> None:
    def dull(n: int) -> np.ndarray:
        image = np.full((48, 64, 3), level, np.uint8)
        image[n % 48, 0, 0] ^= 1
        return image

    world.content = lambda n: dull(n) if 30 <= n < 130 else noisy(n)
    world.run(22)
    assert world.states() == [state, "ok"]
    assert world.events[0].mono - 30 * FRAME_SECONDS < 5.0
    assert len(world.cameras) == 1


def test_single_bad_frames_are_dropped_and_counted(world: World) -> None:
    world.content = lambda n: np.zeros((1, 1, 3), np.uint8) if n % 2 else noisy(n)
    world.run(10)
    assert world.capture.refused > 50
    assert world.events == []
    assert len(world.cameras) == 1


def test_nothing_but_bad_frames_is_a_lost_camera(world: World) -> None:
    world.content = lambda n: np.zeros((48, 64, 3), np.float32)
    world.run(20)
    assert world.states() == ["lost"]
    assert "float32" in world.events[0].data["detail"]
    assert world.slot.take(0) is None


def test_a_recording_that_ends_closes_the_slot(world: World) -> None:
    world.content = lambda n: noisy(n) if n <= 5 else None
    world.run(5)
    assert world.capture.has_ended
    assert world.slot.is_closed
    assert world.cameras[0].closed == 1
    assert world.events == []


def test_closing_releases_the_camera(world: World) -> None:
    world.run(1)
    world.capture.close()
    world.capture.close()
    assert world.cameras[0].closed == 1


def test_a_failing_journal_does_not_confuse_the_capture(world: World) -> None:
    """The exception goes to the worker, which counts it; the next step carries on."""

    def fail(_: EventDraft) -> None:
        raise OSError("disk full")

    world.content = lambda n: CameraLost("gone") if n == 5 else noisy(n)
    capture = Capture(
        world.open, world.slot, world.clock, health=PictureHealth(), emit=fail, wait=world.clock.advance
    )
    failures = 0
    for _ in range(200):
        try:
            capture.step()
        except OSError:
            failures += 1
    assert failures == 2
    assert capture.frames > 100
