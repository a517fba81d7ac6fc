"""The CSI camera, with a stand-in for picamera2 that behaves and misbehaves like it."""

from __future__ import annotations

import importlib.util
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import pytest

from edge.camera.picamera import PiCamera
from edge.errors import CameraLost
from edge.runtime.clock import ManualClock
from tests.camera.scenes import scene

if TYPE_CHECKING:
    from edge.domain import Image


class Job:
    def __init__(self, future: Future[Image]) -> None:
        self.future = future

    def get_result(self, timeout: float | None = None) -> Image:
        return self.future.result(0 if timeout else None)


class FakePicamera2:
    """Keeps the calls; each capture takes 1/15 s, or raises what `trouble` says."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.calls: list[Any] = []
        self.trouble: Exception | None = None
        self.closing_trouble: Exception | None = None
        self.takes = 1 / 15

    def __call__(self, index: int) -> FakePicamera2:
        self.calls.append(("open", index))
        return self

    def create_video_configuration(self, main: dict[str, Any], controls: dict[str, Any]) -> dict[str, Any]:
        return {"main": main, "controls": controls}

    def configure(self, configuration: dict[str, Any]) -> None:
        self.calls.append(configuration)

    def start(self) -> None:
        if self.trouble:
            raise self.trouble

    def close(self) -> None:
        self.calls.append("close")
        if self.closing_trouble:
            raise self.closing_trouble

    def capture_array(self, wait: bool) -> Job:
        assert not wait
        self.calls.append("capture")
        future: Future[Image] = Future()
        self.clock.advance(self.takes)
        if self.trouble is None:
            future.set_result(scene())
        elif not isinstance(self.trouble, TimeoutError):
            future.set_exception(self.trouble)
        return Job(future)


@pytest.fixture
def device() -> FakePicamera2:
    return FakePicamera2(ManualClock())


def opened(device: FakePicamera2) -> PiCamera:
    return PiCamera(1, (640, 480), 15.0, device.clock, lambda: device)


def test_it_asks_for_bgr_at_the_wanted_size(device: FakePicamera2) -> None:
    opened(device)
    wanted = {"main": {"size": (640, 480), "format": "RGB888"}, "controls": {"FrameRate": 15.0}}
    assert device.calls == [("open", 1), wanted]


def test_frames_are_stamped_when_they_arrive(device: FakePicamera2) -> None:
    camera = opened(device)
    frames = [camera.read(), camera.read()]
    assert [frame.seq for frame in frames] == [0, 1]
    assert frames[1].time == device.clock.monotonic()


def test_a_frame_that_waited_for_its_reader_is_skipped(device: FakePicamera2) -> None:
    camera = opened(device)
    camera.read()
    device.clock.advance(3.0)
    camera.read()
    assert device.calls.count("capture") == 3


@pytest.mark.parametrize(
    "trouble", [TimeoutError(), RuntimeError("Camera frontend has timed out"), KeyError("stream")]
)
def test_a_loose_ribbon_is_a_lost_camera(device: FakePicamera2, trouble: Exception) -> None:
    camera = opened(device)
    device.trouble = trouble
    with pytest.raises(CameraLost, match=r"picamera:1: no frame within 2\.0 s"):
        camera.read()
    assert device.calls[-1] == "close"
    with pytest.raises(CameraLost, match="open it again"):
        camera.read()


def test_a_late_frame_is_refused(device: FakePicamera2) -> None:
    camera = opened(device)
    device.takes = 0.8
    with pytest.raises(CameraLost, match=r"stalled for 0\.8 s"):
        camera.read()


@pytest.mark.parametrize("kind", [RuntimeError, ValueError, AttributeError])
def test_a_camera_that_does_not_start_is_released(device: FakePicamera2, kind: type[Exception]) -> None:
    """Whatever the library raises: ten of what is not expected in a row would end the door."""
    device.trouble = kind("Failed to acquire camera")
    with pytest.raises(CameraLost, match="Failed to acquire camera"):
        opened(device)
    assert device.calls[-1] == "close"


def test_a_camera_that_cannot_even_be_closed_is_a_lost_camera(device: FakePicamera2) -> None:
    camera = opened(device)
    device.trouble = device.closing_trouble = RuntimeError("the frontend is gone")
    with pytest.raises(CameraLost, match="no frame"):
        camera.read()
    with pytest.raises(CameraLost, match="the frontend is gone"):
        opened(device)


@pytest.mark.skipif(importlib.util.find_spec("picamera2") is not None, reason="picamera2 is installed here")
def test_without_picamera2_the_way_out_is_named() -> None:
    with pytest.raises(CameraLost, match="apt install python3-picamera2"):
        PiCamera(0, (640, 480), 15.0, ManualClock())
