"""A clip in a loop through the capture thread, at full speed: nothing may grow.

Seconds in the suite. The long run: FACEGATE_SOAK_FRAMES=500000 pytest tests/runtime/test_soak.py
"""

from __future__ import annotations

import gc
import os
import time
from typing import TYPE_CHECKING

import pytest

from edge.camera.check import PictureHealth
from edge.camera.file import VideoFile
from edge.camera.playback import Playback
from edge.errors import CameraLost
from edge.runtime.capture import Capture
from edge.runtime.clock import ManualClock, SystemClock
from edge.runtime.memory import give_back
from edge.runtime.slot import FrameSlot
from edge.runtime.worker import Worker
from tests.camera.scenes import write_clip
from tests.runtime.vitals import Vitals, read_vitals
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from edge.domain import EventDraft, Frame

SOAK_FRAMES = int(os.environ.get("FACEGATE_SOAK_FRAMES", "1500"))
WARM_UP_FRAMES = 500
MOST_GROWTH_MB = 6.0
"""Allocator noise in a short run; over half an hour it bounds a leak to 12 MB/h."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.avi", frames=40)


class Loop:
    """The clip played without pauses by the capture thread, and read by us."""

    def __init__(self, clip: Path) -> None:
        clock = SystemClock()
        self.slot = FrameSlot(clock)
        self.events: list[EventDraft] = []
        self.capture = Capture(
            lambda: Playback(lambda: VideoFile(clip), clock, loop=True, sleep=lambda _: None),
            self.slot,
            clock,
            health=PictureHealth(),
            emit=self.events.append,
            wait=time.sleep,
        )
        self.worker = Worker("capture", self.capture.step, close=self.capture.close)

    def read(self, count: int) -> None:
        for _ in range(count):
            assert self.slot.take(PATIENCE) is not None


def vitals() -> Vitals:
    gc.collect()
    give_back()  # tests keep what is free for the next ones (tests/conftest.py)
    return read_vitals()


def test_a_looped_clip_grows_nothing(clip: Path) -> None:
    loop = Loop(clip)
    loop.worker.start()
    loop.read(WARM_UP_FRAMES)
    before = vitals()
    loop.read(SOAK_FRAMES)
    after = vitals()
    assert loop.worker.stop(PATIENCE)
    assert loop.events == []
    assert loop.worker.failures == 0
    assert loop.capture.frames >= WARM_UP_FRAMES + SOAK_FRAMES
    assert after.rss_mb - before.rss_mb < MOST_GROWTH_MB
    assert after.open_fds <= before.open_fds + 1, "the clip itself, which was closed at that moment or open"
    assert after.threads <= before.threads


class DyingCamera:
    """A real file that is lost after three frames."""

    def __init__(self, clip: Path) -> None:
        self.file = VideoFile(clip)

    def read(self) -> Frame | None:
        frame = self.file.read()
        if frame is not None and frame.seq == 3:
            raise CameraLost("gone")
        return frame

    def close(self) -> None:
        self.file.close()


def test_a_thousand_reopenings_leak_no_file(clip: Path) -> None:
    clock = ManualClock()
    events: list[EventDraft] = []
    capture = Capture(
        lambda: DyingCamera(clip),
        FrameSlot(clock),
        clock,
        health=PictureHealth(),
        emit=events.append,
        wait=clock.advance,
    )
    while capture.opened < 100:
        capture.step()
    before = vitals()
    while capture.opened < 1000:
        capture.step()
    after = vitals()
    assert after.open_fds <= before.open_fds + 1, "the clip itself, which was closed at that moment or open"
    assert after.rss_mb - before.rss_mb < MOST_GROWTH_MB
    assert [event.data["state"] for event in events] == ["lost"]
