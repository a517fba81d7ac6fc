"""USB and RTSP cameras through OpenCV, with its traps closed.

Measured with OpenCV 4.14 and 5.0 and a frozen RTSP server: reads block 30 s each unless time-outs are
given as open parameters with CAP_FFMPEG named; the read that timed out then returns True with an
old frame from the decoder; a capture that timed out once never recovers; frames that nobody reads
wait in the socket and come out seconds old; FFmpeg's own threads add a frame of delay each. V4L2
keeps answering True with the last frame after an unplug (opencv issues 14044, 6107, 10927). One trap stays
open: when a network camera's resolution is changed and the stream goes on, pictures are squeezed into the
first one's size. No property tells, and a second connection now and then is one that some cameras do not
have. FFmpeg's log does, at its finest level ("Format %s chosen by get_format"; h264, h265, mpeg2, mjpeg): to
hear it Python would have to listen to 2 to 31 lines of each picture (measured), each of which waits for the
interpreter's lock while a picture is decoded. `health.picture` says so after the next connection.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

import cv2

from edge.addresses import public_name
from edge.camera.converted import ConvertedCapture
from edge.camera.lag import LIVE_WAIT_SECONDS, LagMeter, Stamps
from edge.camera.pixels import pixel_aspect, squared
from edge.camera.usb_node import UsbNode
from edge.domain import Frame
from edge.errors import CameraLost
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.domain import Image
    from edge.ports import Clock

logger = logging.getLogger(__name__)

STALE_SECONDS = 0.5
"""A frame whose read took longer, or that waited longer for its reader, is not the present."""

OPEN_TIMEOUT_MS = 4000
"""A camera behind Wi-Fi takes up to a second or two to answer; a healthy one 0.35 s (measured)."""

READ_TIMEOUT_MS = 2000
"""Bounds a stalled read, so the loss is known within 3 s."""

FFMPEG_OPTIONS = "rtsp_transport;tcp|analyzeduration;200000|probesize;100000"
"""TCP loses no slices; the short probing opens in 0.35 s instead of 1.95 s (measured)."""

V4L_SELECT_TIMEOUT_SECONDS = "2"
"""OpenCV waits 10 s for a USB camera that went silent unless told otherwise."""

MOST_BACKLOG_FRAMES = 90
"""Thrown away at most after opening: three seconds at 30 fps, more than connecting takes."""

PATIENCE_SECONDS = 1.0
"""Late frames are thrown away for this long before a new connection: jitter passes by itself."""

OFTEN = 3
OFTEN_SECONDS = 60.0
"""Falling behind so often in so long is a camera that cannot be used like this: told as lost."""

TRIAL_SECONDS = 4.0
"""Before that, late frames are thrown away for longer: until a whole picture shows whether it is the link or
the camera, which sends fewer frames at night and stamps them as by day."""

MOST_CUT_OFF = 10
"""Reads in a row that may come to nothing. For a JPEG without its end, which a USB camera may send, OpenCV
4.14 gives nothing (tried). Of a camera that is gone nothing comes either, at once or after 2 s."""

WHOLE, UNKNOWN = ord("I"), frozenset({-1, 0, ord("?")})
"""What `CAP_PROP_FRAME_TYPE` says of a whole picture, and where it knows nothing: -1 for every USB camera."""


class VideoSource(Protocol):
    """What is used of `cv2.VideoCapture`."""

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """Return whether frames can be read."""

    def read(self) -> tuple[bool, Image | None]:
        """Return (True, picture), or (False, None)."""

    def get(self, propId: int) -> float:  # noqa: N803 - OpenCV's name
        """Return a property; `CAP_PROP_POS_MSEC` is the last frame's own time stamp."""

    def release(self) -> None:
        """Close the device."""


class OpenCvCamera:
    """A live camera: each frame stamped when it arrives, nothing older than half a second.

    Opens at once. A stall, an error or an end raises `CameraLost` and closes the capture: only a
    new one helps. When the reader was away for 0.5 s, or frames queue up for that long because reader,
    decoder or link are too slow, what waited is thrown away by connecting anew; `CameraLost` says so
    when a link does that three times in a minute. A frame's time is its arrival less what it was late by
    then. One thread; `read` returns or raises within about 2 s, after 4 s more where late
    frames are on trial (`TRIAL_SECONDS`), opening within 4 s. `name` is used in
    messages and must not hold credentials. `busy_seconds` tells the thread's CPU time. `stamps` is what
    is known of this camera's stamps from earlier connections.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], VideoSource],
        clock: Clock,
        busy_seconds: Callable[[], float] = time.thread_time,
        stamps: Stamps | None = None,
    ) -> None:
        self.name = name
        self._connect = connect
        self._clock = clock
        self._busy_seconds = busy_seconds
        self._seq = 0
        self._fell_behind: deque[float] = deque(maxlen=OFTEN)
        self._stamps = stamps or Stamps()
        self._lag = LagMeter(self._stamps)
        self._capture: VideoSource | None = None
        self._aspect = 1.0
        self._shape: tuple[int, ...] = ()
        self._read_at = 0.0
        self._time = float("-inf")
        self._open()

    def read(self) -> Frame:
        """Return the next frame, just arrived. Raises `CameraLost`."""
        if self._capture is None:
            raise CameraLost(message("camera.closed", name=self.name))
        # What came while nobody read waits in the socket and would be seen seconds late, one frame at a time.
        if self._clock.monotonic() - self._read_at > STALE_SECONDS:
            self._reconnect()
        image = self._grab_fresh()
        if image.shape != self._shape and self._capture is not None:  # another resolution, other pixels
            self._shape, self._aspect = image.shape, pixel_aspect(self._capture)
        # When it was taken, not when it came. Never before the last one: what follows relies on rising times.
        late = self._lag.seconds
        self._time = max(self._read_at - late, self._time)
        frame = Frame(
            squared(image, self._aspect), self._seq, self._time, self._clock.now() - timedelta(seconds=late)
        )
        self._seq += 1
        return frame

    def _grab_fresh(self) -> Image:
        """Return a picture that is not stale. Raises `CameraLost` after a stall."""
        began = self._read_at
        while True:
            image, took = self._grab()
            # After a read that timed out FFmpeg says yes and hands out an old frame, and never recovers.
            if took > STALE_SECONDS:
                self.close()
                raise CameraLost(message("camera.stalled", name=self.name, seconds=f"{took:.1f}"))
            if self._lag.seconds <= STALE_SECONDS:
                return image
            # Who hardly waits is too slow themselves, and catches up only by beginning anew.
            if not self._lag.is_idle or self._read_at - began > self._patience():
                self._reconnect()

    def _patience(self) -> float:
        # The next time that it falls behind would be the one that counts as lost.
        is_often = (
            len(self._fell_behind) == OFTEN - 1 and self._read_at - self._fell_behind[0] <= OFTEN_SECONDS
        )
        return TRIAL_SECONDS if is_often else PATIENCE_SECONDS

    def close(self) -> None:
        """Release the device. Safe to call twice."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _reconnect(self) -> None:
        if self._lag.seconds > STALE_SECONDS:
            self._tell_late(self._lag.seconds, is_link=self._lag.is_idle)
        self.close()
        self._open()

    def _tell_late(self, seconds: float, *, is_link: bool) -> None:
        """Log that frames came late; raise `CameraLost` when the link brings them so again and again."""
        why = "than the link carries" if is_link else "than they are read and decoded"
        text = (
            f"frames come in faster {why}, {seconds:.1f} s behind; "
            "choose a smaller picture, a lower bit rate or fewer frames per second in the camera"
        )
        logger.warning("%s: %s", self.name, text)
        # A decoder that is too slow catches up by beginning anew; a link that is too narrow does not.
        if not is_link:
            return
        self._fell_behind.append(self._clock.monotonic())
        if len(self._fell_behind) == OFTEN and self._fell_behind[-1] - self._fell_behind[0] <= OFTEN_SECONDS:
            self._fell_behind.clear()  # the next connection gets its own three chances
            self.close()
            raise CameraLost(f"{self.name}: {text} ({OFTEN} times in {OFTEN_SECONDS:.0f} s)")

    def _open(self) -> None:
        try:
            capture = self._connect()
        except cv2.error as error:
            raise CameraLost(message("camera.cannot_open", name=self.name)) from error
        if not capture.isOpened():
            capture.release()
            raise CameraLost(message(_why_not(self.name), name=self.name))
        self._capture = capture
        self._shape = ()
        self._skip_backlog()
        # Only now: the frames that were skipped came in a burst, whose stamps tell nothing about the link.
        self._lag = LagMeter(self._stamps)

    def _skip_backlog(self) -> None:
        """Throw away what piled up while the stream was being probed."""
        # The first frame that had to be waited for is the present; what is read from then on is fresh.
        for _ in range(MOST_BACKLOG_FRAMES):
            if self._grab()[1] >= LIVE_WAIT_SECONDS:
                return
        logger.warning("%s: frames arrive faster than any live camera sends them", self.name)

    def _grab(self) -> tuple[Image, float]:
        """Return the next picture, and how long the read took that brought it. Raises `CameraLost`."""
        started, busy = self._clock.monotonic(), self._busy_seconds()
        for _ in range(MOST_CUT_OFF):
            image, took = self._read_once()
            # Not after a long read either: it timed out, and the next one would as well.
            if image is not None or self._read_at - started > STALE_SECONDS:
                break
        if image is None or self._capture is None:
            raise self._nothing_came(self._read_at - started)
        stamp = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
        # What this thread did not compute in it waited: the decoder runs on the thread that reads.
        idle = self._read_at - started - (self._busy_seconds() - busy)
        self._lag.observe(stamp, self._read_at, idle, is_whole=_is_whole(self._capture))
        return image, took

    def _read_once(self) -> tuple[Image | None, float]:
        assert self._capture is not None  # noqa: S101 - both callers of `_grab` have just seen to it
        began = self._clock.monotonic()
        try:
            ok, image = self._capture.read()
        except cv2.error as error:
            raise self._nothing_came(self._clock.monotonic() - began) from error
        except CameraLost:  # its pictures are not converted: see `ConvertedCapture`
            self.close()
            raise
        self._read_at = self._clock.monotonic()
        return image if ok else None, self._read_at - began

    def _nothing_came(self, seconds: float) -> CameraLost:
        self.close()
        return CameraLost(message("camera.no_frame", name=self.name, seconds=f"{seconds:.1f}"))


def _is_whole(capture: VideoSource) -> bool | None:
    kind = int(capture.get(cv2.CAP_PROP_FRAME_TYPE))
    return None if kind in UNKNOWN else kind == WHOLE


def rtsp_connector(url: str) -> Callable[[], VideoSource]:
    """Return a function that opens the RTSP stream at `url` with all time-outs set.

    Call this from the main thread before others start: FFmpeg's options can only be given
    through the environment. An OPENCV_FFMPEG_CAPTURE_OPTIONS that is already set is respected.
    """
    os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", FFMPEG_OPTIONS)
    parameters = [
        *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT_MS),
        *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_TIMEOUT_MS),
        # One decoding thread: each further one keeps a frame back, 68 ms instead of 136 ms at 15 fps.
        *(cv2.CAP_PROP_N_THREADS, 1),
    ]
    return lambda: ConvertedCapture(cv2.VideoCapture(url, cv2.CAP_FFMPEG, parameters), public_name(url))


def v4l2_connector(device: int | str, size: tuple[int, int], fps: float) -> Callable[[], VideoSource]:
    """Return a function that opens a USB camera by number or path, wherever it is by now, asking for MJPG.

    Uncompressed, 640x480 at 30 fps is 18 MB/s of the 40 or so that USB 2 carries.
    `size` is (width, height) in pixels; the camera may choose its nearest mode. Call this from
    the main thread: the time-out can only be given through the environment.
    """
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", V4L_SELECT_TIMEOUT_SECONDS)
    node = UsbNode(device)

    def connect() -> VideoSource:
        # Set one by one: as open parameters, a single unsupported one makes opening fail.
        capture = cv2.VideoCapture(node.path(), cv2.CAP_V4L2)
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
        capture.set(cv2.CAP_PROP_FPS, fps)
        return capture

    return connect


def _why_not(name: str) -> str:
    return "camera.unreachable" if "://" in name else "camera.unplugged"
