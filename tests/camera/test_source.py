"""Which camera a setting means, and a recording played as if live."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from edge.camera.file import VideoFile
from edge.camera.playback import Playback
from edge.camera.source import CameraSpec, check_source, is_device, missing_path, open_camera
from edge.errors import CameraLost, ConfigError
from edge.runtime.clock import ManualClock
from tests.camera.scenes import write_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.avi")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("97", "97: cannot be opened"),
        ("/dev/video97", "/dev/video97: cannot be opened"),
        ("picamera:1", "picamera"),
        ("missing.mp4", r"missing\.mp4: no such video file"),
        ("rtsp://keeper:secret@127.0.0.1:9/cam", r"^rtsp://127\.0\.0\.1:9: cannot be opened"),
    ],
)
def test_each_kind_of_source_finds_its_camera(source: str, message: str) -> None:
    with pytest.raises(CameraLost, match=message):
        open_camera(CameraSpec(source), ManualClock())


def test_a_recording_or_device_that_is_not_there_is_known_before_it_is_opened(clip: Path) -> None:
    assert [missing_path(name) for name in ("rtsp://10.0.0.8/cam", "picamera:1", str(clip))] == [None] * 3
    assert missing_path("97") == missing_path("/dev/video97") == Path("/dev/video97")
    assert missing_path("missing.mp4") == Path("missing.mp4")
    assert is_device("97")
    assert is_device("/dev/video97")
    assert is_device("/dev/v4l/by-id/usb-none")
    # A disk in memory, not a device: where tests and the demo keep what they make.
    assert not is_device("/dev/shm/missing.mp4")
    assert not is_device("missing.mp4")
    with pytest.raises(ConfigError, match="write rtsp://"):
        missing_path("192.0.2.7")


def test_an_address_of_another_kind_is_refused_without_its_password() -> None:
    with pytest.raises(ConfigError, match=r"camera\.source = rtps://10\.0\.0\.8: must be rtsp://"):
        open_camera(CameraSpec("rtps://keeper:secret@10.0.0.8/cam"), ManualClock())


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    with pytest.raises(ConfigError, match=r"in brackets: rtsp://\[fe80::1\]:554/stream"):
        check_source("rtsp://keeper:secret@fe80::1:554/cam")
    check_source("rtsp://keeper:secret@[fe80::1]:554/cam")


def test_a_spec_hides_credentials() -> None:
    assert "secret" not in repr(CameraSpec("rtsp://keeper:secret@10.0.0.8/cam"))


def play(clip: Path, clock: ManualClock, *, loop: bool = False) -> Playback:
    return Playback(lambda: VideoFile(clip), clock, loop=loop, sleep=clock.advance)


def test_a_recording_plays_at_its_own_pace(clip: Path) -> None:
    clock = ManualClock(monotonic=50.0)
    playback = play(clip, clock)
    frames = [playback.read() for _ in range(12)]
    assert [frame.time for frame in frames if frame] == pytest.approx(
        [50 + index / 10 for index in range(12)]
    )
    assert frames[-1] is not None
    assert frames[-1].at == clock.now()
    assert playback.read() is None


def test_a_late_reader_does_not_wait(clip: Path) -> None:
    clock = ManualClock()
    playback = play(clip, clock)
    playback.read()
    clock.advance(0.75)
    frame = playback.read()
    assert frame is not None
    assert frame.time == 0.75


def test_a_loop_counts_on(clip: Path) -> None:
    clock = ManualClock()
    playback = play(clip, clock, loop=True)
    frames = [playback.read() for _ in range(30)]
    playback.close()
    assert [frame.seq for frame in frames if frame] == list(range(30))
    assert all(later.time >= earlier.time for earlier, later in pairwise(frames) if earlier and later)


def test_a_path_is_played_as_if_live(clip: Path) -> None:
    camera = open_camera(CameraSpec(str(clip)), ManualClock())
    assert isinstance(camera, Playback)
    frame = camera.read()
    assert frame is not None
    assert frame.time == 0.0
    camera.close()
