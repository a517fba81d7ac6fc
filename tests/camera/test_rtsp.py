"""A real RTSP camera that stalls, dies, never answers, and must never show the past."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from contextlib import closing, suppress
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
from tests.waiting import PATIENCE, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge.domain import EventDraft, Frame
    from edge.ports import Camera

pytestmark = pytest.mark.rtsp

FRESH_SECONDS = 1.8
"""From the drawing of a picture to its arrival: 0.07 s is normal, a stalled one is 2 s and more."""
OPENCVS_OWN_SECONDS = 20.0
"""A call that took longer was ended by OpenCV's limit of 30 s and not by ours of 2 and 4 s."""


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


def frames(url: str, count: int, before_each: Callable[[], object] = lambda: None) -> list[Frame]:
    """Read this many, from a new connection when a busy machine itself stalled one."""

    def read() -> list[Frame]:
        with suppress(CameraLost), closing(open_camera(CameraSpec(url), SystemClock())) as camera:
            found = [camera.read()]
            for _ in range(count - 1):
                before_each()
                found.append(camera.read())
            return [frame for frame in found if frame]
        return []

    return wait_until(read, "frames without a stall", seconds=2 * PATIENCE)


def fresh(url: str, count: int, before_each: Callable[[], object] = lambda: None) -> list[Frame]:
    """Read this many that are all fresh, again when the machine was late; what lags does so each time."""

    def read() -> list[Frame]:
        found = frames(url, count, before_each)
        return found if max(map(age, found)) < FRESH_SECONDS else []

    return wait_until(read, "none of them is old", seconds=2 * PATIENCE)


@pytest.fixture
def door(rtsp: RtspCamera) -> Iterator[Door]:
    door = Door(rtsp.url())
    door.worker.start()
    wait_until(lambda: len(door.slot.seen) >= 10, door.states)
    yield door
    rtsp.resume()
    assert door.worker.stop(PATIENCE)


def test_frames_are_fresh_and_stamped_on_arrival(rtsp: RtspCamera) -> None:
    found = fresh(rtsp.url(), 15)
    assert [frame.seq for frame in found] == list(range(15))
    assert {frame.image.shape for frame in found} == {(240, 320, 3)}
    wait_until(lambda: min(map(age, fresh(rtsp.url(), 15))) < 0.5, "one that is hardly older than its way")


def test_a_stalled_read_is_bounded_and_its_frame_thrown_away(rtsp: RtspCamera) -> None:
    """OpenCV answers True with an old frame after the time-out; the camera must not."""
    camera = open_camera(CameraSpec(rtsp.url()), SystemClock())
    camera.read()
    rtsp.stall()
    started = time.monotonic()
    with pytest.raises(CameraLost, match=r"stalled|no frame came"):
        read_on(camera)
    assert time.monotonic() - started < OPENCVS_OWN_SECONDS
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
    wait_until(lambda: "lost" in door.states(), "the stall is told")
    time.sleep(1.0)  # let it wait, so that old frames pile up at the server
    before = len(door.slot.seen)
    rtsp.resume()
    wait_until(lambda: len(door.slot.seen) > before + 5, door.states)
    wait_until(lambda: door.states()[:2] == ["lost", "back"], door.states)
    assert max(age(frame) for frame in door.slot.seen) < FRESH_SECONDS
    assert [frame.seq for frame in door.slot.seen] == list(range(len(door.slot.seen)))


def test_a_killed_camera_comes_back_by_itself(rtsp: RtspCamera, door: Door) -> None:
    rtsp.kill()
    wait_until(lambda: door.states() == ["lost"], door.states)
    before = len(door.slot.seen)
    rtsp.start()
    wait_until(lambda: len(door.slot.seen) > before + 5, door.states)
    wait_until(lambda: door.states()[:2] == ["lost", "back"], door.states)
    assert not door.worker.has_failed


def test_a_paused_reader_gets_the_present(door: Door) -> None:
    """Sixty frames away, and the next one is not from then: the picture itself says so."""
    wait_until(lambda: len(door.slot.seen) > 60, door.states)
    frame = door.slot.take(PATIENCE)
    assert frame is not None
    assert time.monotonic() - made_at(frame.image) < FRESH_SECONDS
    assert door.slot.dropped > 50


def test_a_paused_camera_reader_gets_the_present(rtsp: RtspCamera) -> None:
    """Without a capture thread the frames pile up in the socket; they are thrown away."""
    assert fresh(rtsp.url(), 2, lambda: time.sleep(3.0))


@pytest.mark.slow
def test_a_slow_camera_reader_gets_the_present(rtsp: RtspCamera) -> None:
    """They take 0.15 s per frame of a 15 fps camera and would be four seconds behind after seven."""
    assert fresh(rtsp.url(), 45, lambda: time.sleep(0.15))


def test_a_still_picture_is_frozen_and_not_handed_on(rtsp: RtspCamera) -> None:
    door = Door(rtsp.url("still"))
    door.worker.start()
    wait_until(lambda: "frozen" in door.states(), door.states)
    handed_on = len(door.slot.seen)
    assert handed_on < 15
    wait_until(lambda: door.capture.opened == 2, "it is opened anew")
    wait_until(lambda: door.capture.repeated > 20, "the same picture, again and again")
    assert door.worker.stop(PATIENCE)


def test_a_camera_that_never_answers_is_given_up(rtsp: RtspCamera) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(CameraLost, match="cannot be opened"):
            open_camera(CameraSpec(f"rtsp://127.0.0.1:{silent.getsockname()[1]}/cam"), SystemClock())
        assert time.monotonic() - started < OPENCVS_OWN_SECONDS


def test_a_closed_port_and_a_wrong_path_are_refused(rtsp: RtspCamera) -> None:
    for url in ("rtsp://127.0.0.1:9/cam", rtsp.url("nowhere")):
        with pytest.raises(CameraLost, match="cannot be opened"):
            open_camera(CameraSpec(url), SystemClock())


PRINTS_ALL_IT_CAN = """
import logging, sys, time, traceback
from edge.camera.source import CameraSpec, camera_opener
from edge.errors import CameraLost, ConfigError
from edge.runtime.clock import SystemClock
logging.basicConfig(level=logging.DEBUG)
for url in sys.argv[1:]:
    spec = CameraSpec(url)
    print(repr(spec), str(spec))
    try:
        camera = camera_opener(spec, SystemClock())()
        print(camera.name, camera.read(), camera)
    except (CameraLost, ConfigError):
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
    shown = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert shown.stdout.count("Frame(seq=0") == 1
    assert shown.stderr.count("edge.errors.CameraLost") == 3
    assert shown.stderr.count("edge.errors.ConfigError") == 1, "a port that there is not is no lost camera"
    assert "hunter2" not in shown.stdout + shown.stderr
    assert "keeper" not in shown.stdout + shown.stderr
