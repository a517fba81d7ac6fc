"""A real RTSP camera that stalls, dies, never answers, and must never show the past."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from edge.camera.check import PictureHealth
from edge.camera.source import CameraSpec, camera_opener, open_camera
from edge.errors import CameraLost
from edge.runtime.capture import MAX_SILENCE_SECONDS, Capture
from edge.runtime.clock import SystemClock
from edge.runtime.slot import FrameSlot
from edge.runtime.worker import Worker
from tests.camera.rtsp import RtspCamera, made_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge.domain import EventDraft, Frame
    from edge.ports import Camera

pytestmark = pytest.mark.rtsp

FRESH_SECONDS = 1.0
"""From the drawing of a picture to its arrival: 0.07 s is normal, a stalled one is 2 s and more."""


def age(frame: Frame) -> float:
    return frame.time - made_at(frame.image)


class Watching(FrameSlot):
    """A slot that remembers what it was given."""

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self.seen: list[Frame] = []

    def put(self, frame: Frame) -> None:
        self.seen.append(frame)
        super().put(frame)


class Door:
    """The capture thread as the service runs it, and what came of it."""

    def __init__(self, url: str) -> None:
        self.slot = Watching()
        self.events: list[EventDraft] = []
        self.capture = Capture(
            camera_opener(CameraSpec(url), SystemClock()),
            self.slot,
            SystemClock(),
            health=PictureHealth(),
            emit=self.events.append,
            wait=time.sleep,
        )
        self.worker = Worker(
            "capture", self.capture.step, close=self.capture.close, max_silence_seconds=MAX_SILENCE_SECONDS
        )

    def states(self) -> list[str]:
        return [event.data["state"] for event in self.events]


def wait_until(condition: Callable[[], bool], seconds: float) -> float:
    """Wait for `condition` and return how long it took; fail after `seconds`."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "it did not happen in time"
        time.sleep(0.01)
    return time.monotonic() - started


@pytest.fixture
def door(rtsp: RtspCamera) -> Iterator[Door]:
    door = Door(rtsp.url())
    door.worker.start()
    wait_until(lambda: len(door.slot.seen) >= 10, 10)
    yield door
    rtsp.resume()
    assert door.worker.stop(5)


def test_frames_are_fresh_and_stamped_on_arrival(rtsp: RtspCamera) -> None:
    camera = open_camera(CameraSpec(rtsp.url()), SystemClock())
    frames = [camera.read() for _ in range(15)]
    camera.close()
    assert [frame.seq for frame in frames if frame] == list(range(15))
    assert all(frame and frame.image.shape == (240, 320, 3) for frame in frames)
    assert max(age(frame) for frame in frames if frame) < 0.5


def test_a_stalled_read_is_bounded_and_its_frame_thrown_away(rtsp: RtspCamera) -> None:
    """OpenCV answers True with an old frame after the time-out; the camera must not."""
    camera = open_camera(CameraSpec(rtsp.url()), SystemClock())
    camera.read()
    rtsp.stall()
    started = time.monotonic()
    with pytest.raises(CameraLost, match=r"stalled|no frame came"):
        read_on(camera)
    assert time.monotonic() - started < 4
    with pytest.raises(CameraLost, match="closed"):
        camera.read()
    rtsp.resume()


def read_on(camera: Camera) -> None:
    for _ in range(30):
        frame = camera.read()
        assert frame is not None
        assert age(frame) < FRESH_SECONDS


def test_a_stall_is_noticed_and_nothing_stale_passes(rtsp: RtspCamera, door: Door) -> None:
    rtsp.stall()
    assert wait_until(lambda: "lost" in door.states(), 5) < 4
    time.sleep(1.0)  # let it wait, so that old frames pile up at the server
    before = len(door.slot.seen)
    rtsp.resume()
    assert wait_until(lambda: len(door.slot.seen) > before + 5, 12) < 10
    wait_until(lambda: door.states() == ["lost", "back"], 5)
    assert max(age(frame) for frame in door.slot.seen) < FRESH_SECONDS
    assert [frame.seq for frame in door.slot.seen] == list(range(len(door.slot.seen)))


def test_a_killed_camera_comes_back_by_itself(rtsp: RtspCamera, door: Door) -> None:
    rtsp.kill()
    assert wait_until(lambda: door.states() == ["lost"], 5) < 3
    before = len(door.slot.seen)
    rtsp.start()
    assert wait_until(lambda: len(door.slot.seen) > before + 5, 15) < 10
    wait_until(lambda: door.states() == ["lost", "back"], 5)
    assert not door.worker.has_failed


def test_a_paused_reader_gets_the_present(door: Door) -> None:
    """Five seconds away, and the next frame is not from then: the picture itself says so."""
    time.sleep(5.0)
    frame = door.slot.take(2.0)
    assert frame is not None
    assert time.monotonic() - made_at(frame.image) < FRESH_SECONDS
    assert door.slot.dropped > 50
    assert door.states() == []


def test_a_paused_camera_reader_gets_the_present(rtsp: RtspCamera) -> None:
    """Without a capture thread the frames pile up in the socket; they are thrown away."""
    camera = open_camera(CameraSpec(rtsp.url()), SystemClock())
    camera.read()
    time.sleep(2.0)
    frame = camera.read()
    camera.close()
    assert frame is not None
    assert age(frame) < FRESH_SECONDS


def test_a_slow_camera_reader_gets_the_present(rtsp: RtspCamera) -> None:
    """He takes 0.15 s per frame of a 15 fps camera and would be four seconds behind after seven."""
    camera = open_camera(CameraSpec(rtsp.url()), SystemClock())
    ages = []
    for _ in range(45):
        frame = camera.read()
        assert frame is not None
        ages.append(age(frame))
        time.sleep(0.15)
    camera.close()
    assert max(ages) < FRESH_SECONDS


def test_a_still_picture_is_frozen_and_not_handed_on(rtsp: RtspCamera) -> None:
    door = Door(rtsp.url("still"))
    door.worker.start()
    assert wait_until(lambda: "frozen" in door.states(), 12) < 9
    handed_on = len(door.slot.seen)
    assert handed_on < 15
    wait_until(lambda: door.capture.opened == 2, 5)
    assert door.worker.stop(8)
    assert door.capture.repeated > 20


def test_a_camera_that_never_answers_is_given_up(rtsp: RtspCamera) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(CameraLost, match="cannot be opened"):
            open_camera(CameraSpec(f"rtsp://127.0.0.1:{silent.getsockname()[1]}/cam"), SystemClock())
        assert time.monotonic() - started < 6


def test_a_closed_port_and_a_wrong_path_are_refused_at_once(rtsp: RtspCamera) -> None:
    for url in ("rtsp://127.0.0.1:9/cam", rtsp.url("nowhere")):
        started = time.monotonic()
        with pytest.raises(CameraLost, match="cannot be opened"):
            open_camera(CameraSpec(url), SystemClock())
        assert time.monotonic() - started < 3


PRINTS_ALL_IT_CAN = """
import logging, sys, time, traceback
from edge.camera.source import CameraSpec, camera_opener
from edge.errors import CameraLost
from edge.runtime.clock import SystemClock
logging.basicConfig(level=logging.DEBUG)
for url in sys.argv[1:]:
    spec = CameraSpec(url)
    print(repr(spec), str(spec))
    try:
        camera = camera_opener(spec, SystemClock())()
        print(camera.name, camera.read(), camera)
    except CameraLost:
        traceback.print_exc()
"""


def test_credentials_work_and_are_shown_nowhere(locked_rtsp: RtspCamera) -> None:
    """Not in messages, not in repr, not in what FFmpeg itself writes, whatever goes wrong."""
    working = locked_rtsp.url().replace("://", "://keeper:hunter2@")
    urls = [
        working,
        working.replace("keeper:", "keeper:not-"),
        working.replace("/cam", "/nowhere?password=hunter2"),
        "rtsp://keeper:hunter2@127.0.0.1:9/user=keeper_password=hunter2_channel=1",
        "rtsp://keeper:hunter2@127.0.0.1:99999/cam",
    ]
    command = [sys.executable, "-c", PRINTS_ALL_IT_CAN, *urls]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert shown.stdout.count("Frame(seq=0") == 1
    assert shown.stderr.count("edge.errors.CameraLost") == 4
    assert "hunter2" not in shown.stdout + shown.stderr
    assert "keeper" not in shown.stdout + shown.stderr
