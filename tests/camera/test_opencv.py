"""OpenCV's documented misbehaviour, replayed by a scripted capture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import pytest

from edge.addresses import public_name
from edge.camera.opencv import MOST_BACKLOG_FRAMES, STALE_SECONDS, OpenCvCamera
from edge.errors import CameraLost
from edge.runtime.clock import ManualClock
from tests.camera.scenes import scene

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.domain import Image

FRAME = 1 / 15


class ScriptedCapture:
    """A `cv2.VideoCapture` that answers from a script of (seconds it takes, answer)."""

    def __init__(
        self, clock: ManualClock, script: Sequence[tuple[float, bool | Exception]], is_open: bool = True
    ) -> None:
        self.clock = clock
        self.script = script
        self.is_open = is_open
        self.unknown = 0.0
        self.reads = 0
        self.releases = 0

    def isOpened(self) -> bool:
        return self.is_open

    def read(self) -> tuple[bool, Image | None]:
        takes, answer = self.script[self.reads] if self.reads < len(self.script) else (FRAME, True)
        self.reads += 1
        self.clock.advance(takes)
        if isinstance(answer, Exception):
            raise answer
        return answer, scene(self.reads) if answer else None

    def get(self, propId: int) -> float:  # noqa: N803 - OpenCV's name
        return self.reads * FRAME * 1000 if propId == cv2.CAP_PROP_POS_MSEC else self.unknown

    def release(self) -> None:
        self.releases += 1


class OtherPixels(ScriptedCapture):
    """A stream whose encoder goes over to half the columns, and says that its pixels are twice as wide."""

    def read(self) -> tuple[bool, Image | None]:
        ok, image = super().read()
        return ok, image if image is None or not self.is_narrow else image[:, ::2]

    def get(self, propId: int) -> float:  # noqa: N803 - OpenCV's name
        told = {cv2.CAP_PROP_SAR_NUM: 2.0 if self.is_narrow else 1.0, cv2.CAP_PROP_SAR_DEN: 1.0}
        return told.get(propId, super().get(propId))

    @property
    def is_narrow(self) -> bool:
        return self.reads > 20


def test_pixels_that_change_their_shape_in_mid_stream_are_made_square() -> None:
    clock = ManualClock()
    camera = OpenCvCamera("usb 0", lambda: OtherPixels(clock, []), clock, lambda: 0.0)
    assert len({camera.read().image.shape for _ in range(40)}) == 1


class Bench:
    """A camera over scripted captures, one script per opening."""

    def __init__(self, *scripts: Sequence[tuple[float, bool | Exception]]) -> None:
        self.clock = ManualClock()
        self.busy = 0.0
        self.scripts = list(scripts)
        self.captures: list[ScriptedCapture] = []
        self.camera = OpenCvCamera("usb 0", self.connect, self.clock, lambda: self.busy)

    def connect(self) -> ScriptedCapture:
        self.captures.append(ScriptedCapture(self.clock, self.scripts.pop(0) if self.scripts else []))
        return self.captures[-1]


def test_frames_are_stamped_when_they_arrive() -> None:
    bench = Bench()
    first, second = bench.camera.read(), bench.camera.read()
    assert (first.seq, second.seq) == (0, 1)
    assert second.time == bench.clock.monotonic()
    assert second.at == bench.clock.now()
    assert second.time - first.time == pytest.approx(FRAME)


def test_what_piled_up_while_opening_is_skipped() -> None:
    """Five frames come at once, then one that had to be waited for: the next is the first."""
    bench = Bench([(0.0005, True)] * 5)
    assert bench.captures[0].reads == 6
    bench.camera.read()
    assert bench.captures[0].reads == 7


def test_an_endless_backlog_does_not_hang() -> None:
    bench = Bench([(0.0001, True)] * 500)
    assert bench.captures[0].reads == MOST_BACKLOG_FRAMES
    assert bench.camera.read().seq == 0


def test_a_late_frame_is_never_returned() -> None:
    """After a time-out OpenCV says True and shows the past: the read took 2 s."""
    bench = Bench([(FRAME, True), (2.0, True), (FRAME, True)])
    with pytest.raises(CameraLost, match=r"usb 0: stalled for 2\.0 s"):
        bench.camera.read()
    assert bench.captures[0].releases == 1
    with pytest.raises(CameraLost, match="closed; open it again"):
        bench.camera.read()


def test_a_select_time_out_is_a_lost_camera() -> None:
    bench = Bench([(FRAME, True), (2.0, False)])
    with pytest.raises(CameraLost, match=r"no frame came for 2\.0 s"):
        bench.camera.read()


def test_pictures_that_a_usb_camera_cut_off_are_passed_over() -> None:
    """OpenCV gives nothing for a JPEG without its end."""
    first = [(FRAME, False), (FRAME, False), (FRAME, True)]
    bench = Bench([*first, (FRAME, True), (FRAME, False), (FRAME, True)])
    assert [bench.camera.read().seq for _ in range(3)] == [0, 1, 2]
    assert len(bench.captures) == 1


def test_a_camera_of_which_nothing_comes_is_lost_within_half_a_second() -> None:
    bench = Bench([(FRAME, True), *[(FRAME, False)] * 100])
    began = bench.clock.monotonic()
    with pytest.raises(CameraLost, match="no frame came"):
        bench.camera.read()
    assert bench.clock.monotonic() - began < STALE_SECONDS + 2 * FRAME
    bench = Bench([(FRAME, True), *[(0.0, False)] * 100])
    with pytest.raises(CameraLost, match="no frame came"):  # unplugged: each read fails at once
        bench.camera.read()
    assert bench.captures[0].reads < 20


def test_an_exception_of_opencv_is_a_lost_camera() -> None:
    bench = Bench([(FRAME, True), (0.1, cv2.error("bad"))])
    with pytest.raises(CameraLost):
        bench.camera.read()


def test_a_reader_who_was_away_gets_a_new_connection() -> None:
    bench = Bench()
    bench.camera.read()
    bench.clock.advance(5.0)
    frame = bench.camera.read()
    assert [capture.releases for capture in bench.captures] == [1, 0]
    assert frame.seq == 1
    assert bench.clock.monotonic() - frame.time == 0.0


def test_a_reader_who_is_too_slow_is_brought_back_to_the_present(caplog: pytest.LogCaptureFixture) -> None:
    """He takes 0.1 s per frame of a 15 fps camera: after 0.5 s of backlog it is thrown away."""
    bench = Bench(*[[(FRAME, True)] + [(0.001, True)] * 500] * 3)
    for _ in range(40):
        bench.camera.read()
        bench.clock.advance(0.1)
    assert len(bench.captures) == 3
    assert bench.captures[0].releases == bench.captures[1].releases == 1
    assert "usb 0: frames come in faster than they are read and decoded" in caplog.text


@pytest.mark.parametrize("unknown", [0.0, -1.0], ids=["FFmpeg", "V4L2"])
def test_a_camera_that_stamps_nonsense_is_believed_by_its_pace(unknown: float) -> None:
    """Stamps of 15 fps on frames that come at 10: no backlog, because each one is waited for."""
    bench = Bench([(0.1, True)] * 300)
    bench.captures[0].unknown = unknown  # what OpenCV says of a property that a device does not have
    for _ in range(250):
        bench.camera.read()
    assert len(bench.captures) == 1


def test_a_slow_camera_is_not_a_stalled_one() -> None:
    """A webcam in the dark drops to 5 fps."""
    bench = Bench([(0.2, True)] * 20)
    assert [bench.camera.read().seq for _ in range(15)] == list(range(15))


def test_a_camera_that_does_not_open_is_released_and_named() -> None:
    clock = ManualClock()
    capture = ScriptedCapture(clock, [], is_open=False)
    with pytest.raises(CameraLost, match="usb 0: cannot be opened; check that it is connected"):
        OpenCvCamera("usb 0", lambda: capture, clock)
    assert capture.releases == 1


def test_a_camera_that_opens_but_sends_nothing_is_lost_at_once() -> None:
    with pytest.raises(CameraLost, match="no frame came"):
        Bench([(2.0, False)])


def test_close_can_be_called_twice() -> None:
    bench = Bench()
    bench.camera.close()
    bench.camera.close()
    assert bench.captures[0].releases == 1


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("0", "0"),
        ("/dev/video0", "/dev/video0"),
        ("rtsp://10.0.0.8/cam", "rtsp://10.0.0.8"),
        ("rtsp://keeper:secret@10.0.0.8:554/cam", "rtsp://10.0.0.8:554"),
        ("rtsp://keeper:se@cr/et@10.0.0.8/cam?password=secret", "rtsp://?"),
        ("rtsp://se/cret@10.0.0.8/cam", "rtsp://?"),
        ("rtsp://10.0.0.8?password=p@ss", "rtsp://?"),
        ("rtsp://keeper:s?c@10.0.0.8/cam", "rtsp://?"),
        ("rtsp://10.0.0.8:554/user=keeper_password=secret", "rtsp://10.0.0.8:554"),
        ("rtsp://keeper:secret@10.0.0.8:99999/cam", "rtsp://?"),
        ("rtsp://keeper:secret@[::1/cam", "rtsp://?"),
        ("rtsp://", "rtsp://?"),
    ],
)
def test_only_the_host_of_a_camera_is_shown(source: str, shown: str) -> None:
    assert public_name(source) == shown
