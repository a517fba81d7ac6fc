"""Recordings as cameras: the file is the clock, so a replay is exact."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import cv2

from edge.camera.check import validate_frame
from edge.camera.converted import ConvertedCapture
from edge.camera.image import HEAD_BYTES, decode_image, kind_of
from edge.camera.pixels import pixel_aspect, square_size, squared
from edge.domain import Frame
from edge.errors import CameraLost, FrameRefused

if TYPE_CHECKING:
    from pathlib import Path

    from edge.domain import Image

RECORDING_START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
"""When a recording begins unless the caller knows better: a fixed Monday noon, so that schedules
decide the same way in every replay."""

DEFAULT_FPS = 25.0
"""FFmpeg's own assumption for streams that do not say."""

LOWEST_FPS, HIGHEST_FPS = 0.1, 240.0
"""Outside this range the frame rate in a file is damage (0, NaN, 1e6 are seen in the field)."""

LONGEST_GAP_SECONDS = 3600.0
"""A larger jump between two frames is a damaged time stamp, not a pause."""


class VideoFile:
    """A video file, frame by frame, with the file's own time. One thread.

    `Frame.time` is seconds from the first frame, strictly increasing; `Frame.at` is `start` plus
    that. Missing or damaged time stamps are replaced by one frame interval. `threads=1` decodes
    on one thread, so CPU figures are reproducible; 0 leaves it to FFmpeg. A damaged or truncated
    file gives the frames that decode, then None. `size` is (width, height) in pixels,
    which are square in what is read, `frame_count` what the file says, or None.

    Raises `CameraLost` when the file is missing or is not a video, and from `read` when its pictures cannot
    be converted (see `edge.camera.converted`).
    """

    def __init__(self, path: Path, *, start: datetime | None = None, threads: int = 1) -> None:
        self.path = path
        self._capture = _open(path, threads)
        self.fps = sane_fps(self._capture.get(cv2.CAP_PROP_FPS))
        self._aspect = pixel_aspect(self._capture)
        stored = (
            int(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            int(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        )
        self.size = square_size(stored, self._aspect)
        self.frame_count = _sane_count(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self._timeline = _Timeline(1.0 / self.fps, start or RECORDING_START)

    def read(self) -> Frame | None:
        """Return the next frame that decodes to a picture, or None at the end."""
        while (image := self._next_image()) is not None:
            seconds = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
            try:
                picture = squared(validate_frame(image), self._aspect)
            except FrameRefused:
                continue  # those behind it may be whole: a recording is as good as what can be read
            return self._timeline.stamp(picture, seconds)
        return None

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._capture.release()

    def _next_image(self) -> Image | None:
        try:
            ok, image = self._capture.read()
        except cv2.error:  # damage so bad that OpenCV itself gives up: the recording ends here
            return None
        return image if ok else None


class ImageFolder:
    """The pictures of a folder, or one picture, in order of name at `fps` per second.

    Their bytes tell which files are pictures; the others are passed over. Raises `CameraLost` when there
    is none to read.
    """

    def __init__(self, path: Path, *, start: datetime | None = None, fps: float = 5.0) -> None:
        self.path = path
        self.fps = fps
        self._files = sorted(_pictures(path))
        if not self._files:
            raise CameraLost(f"{path}: holds no picture (JPEG, PNG, BMP or WebP)")
        self.frame_count: int | None = len(self._files)
        self._next = 0
        self._timeline = _Timeline(1.0 / fps, start or RECORDING_START)

    def read(self) -> Frame | None:
        """Return the next picture that decodes, or None after the last."""
        while self._next < len(self._files):
            index, self._next = self._next, self._next + 1
            try:
                picture = decode_image(self._files[index].read_bytes())
            except (FrameRefused, OSError):
                continue
            # By its place in the folder: a picture that cannot be read leaves a gap and moves no other one.
            return self._timeline.stamp(picture, index / self.fps)
        return None

    def close(self) -> None:
        """Nothing is held open between pictures."""


def open_recording(path: Path, *, start: datetime | None = None) -> VideoFile | ImageFolder:
    """Return the camera for a recording: a folder of pictures, one picture, or a video file."""
    if path.is_dir() or is_picture(path):
        return ImageFolder(path, start=start)
    return VideoFile(path, start=start)


def sane_fps(claimed: float) -> float:
    """Return the frame rate a file claims when it is believable, else 25."""
    is_sane = math.isfinite(claimed) and LOWEST_FPS <= claimed <= HIGHEST_FPS
    return float(claimed) if is_sane else DEFAULT_FPS


class _Timeline:
    """Strictly increasing seconds out of whatever time stamps a file carries."""

    def __init__(self, interval_seconds: float, start: datetime) -> None:
        self._interval = interval_seconds
        self._start = start
        self._last: float | None = None
        self._seq = 0

    def stamp(self, image: Image, claimed_seconds: float) -> Frame:
        image.setflags(write=False)  # the embedder takes one array for one picture
        time = self._next_time(claimed_seconds)
        frame = Frame(image, self._seq, time, self._start + timedelta(seconds=time))
        self._last, self._seq = time, self._seq + 1
        return frame

    def _next_time(self, claimed: float) -> float:
        if self._last is None:
            return claimed if 0.0 <= claimed < LONGEST_GAP_SECONDS else 0.0
        if self._last < claimed < self._last + LONGEST_GAP_SECONDS:  # False for NaN, too
            return claimed
        return self._last + self._interval


def _open(path: Path, threads: int) -> ConvertedCapture:
    if not path.is_file():
        raise CameraLost(f"{path}: no such video file")
    try:
        str(path).encode()  # OpenCV crashes on a name that is not
    except UnicodeEncodeError as error:
        raise CameraLost("its name is not UTF-8; rename it") from error
    parameters = [cv2.CAP_PROP_N_THREADS, threads] if threads else []
    # FFmpeg by name: `ConvertedCapture` listens to its log.
    try:
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, parameters)
    except cv2.error as error:
        raise CameraLost(f"{path}: cannot be read as video ({error})") from error
    if not capture.isOpened():
        raise CameraLost(f"{path}: is not a video that FFmpeg can read (damaged, or another format)")
    return ConvertedCapture(capture, str(path))


def _sane_count(claimed: float) -> int | None:
    return int(claimed) if math.isfinite(claimed) and 0 < claimed < 1e9 else None


def _pictures(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise CameraLost(f"{path}: no such file or folder")
    return [file for file in path.iterdir() if is_picture(file)]


def is_picture(path: Path) -> bool:
    """Return whether a file holds a picture that can be read, whatever it is called."""
    try:
        with path.open("rb") as file:
            return kind_of(file.read(HEAD_BYTES)) == "picture"
    except OSError:  # a folder, or not to be read
        return False
