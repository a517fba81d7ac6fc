"""Video that FFmpeg decodes and OpenCV cannot convert: refused in words, for what it hands out is old memory.

OpenCV 4.13 and 4.14 do not convert a picture that is marked as interlaced: FFmpeg 8 refuses it, nobody looks
at the result, and `read` says yes and returns whatever its buffer held. No property of the capture tells;
FFmpeg's log does. A buffer that was not written holds the picture before, or none at all when it is new: so
a picture that repeats the last one, or is the first of its size, is converted once more, and the log is
listened to meanwhile. An encoder that changes to interlaced video is found at its first such picture.
"""

from __future__ import annotations

import ctypes
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edge.errors import CameraLost
from edge.words import message

if TYPE_CHECKING:
    import cv2

    from edge.domain import Image

REFUSED: Final = b"%s (%s): fmt:"
"""How FFmpeg's complaint about a conversion begins (libswscale/graph.c); the reason is filled in."""

ERROR_LEVEL: Final = 16

LOOK_AT: Final = 16
"""Each 16th row tells two pictures of a camera apart: its noise alone changes some of them."""

_LOG: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
_listening: Final = threading.Lock()


class ConvertedCapture:
    """An FFmpeg capture whose pictures are really those of the video. One thread.

    `name` is used in messages. `read` raises `CameraLost` for a picture that is not converted.
    """

    def __init__(self, capture: cv2.VideoCapture, name: str) -> None:
        self._capture, self._name = capture, name
        self._last: tuple[tuple[int, ...], Image] | None = None
        """Size and some rows of the last picture."""

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """Return whether frames can be read."""
        return self._capture.isOpened()

    def read(self) -> tuple[bool, Image | None]:
        """Return (True, picture), or (False, None)."""
        ok, image = self._capture.read()
        # Only where it may be old memory: converting once more costs as much again.
        if ok and not self._is_news(image) and _is_refused(self._capture):
            raise CameraLost(message("camera.interlaced", name=self._name))
        return ok, image

    def _is_news(self, image: Image) -> bool:
        """Return whether this picture differs from the one before, which was as large."""
        # A copy of some rows: a view of them would keep the whole picture in memory.
        last, self._last = self._last, (image.shape, image[::LOOK_AT].copy())
        return last is not None and last[0] == image.shape and not np.array_equal(last[1], self._last[1])

    def get(self, propId: int) -> float:  # noqa: N803 - OpenCV's name
        """Return a property."""
        return self._capture.get(propId)

    def release(self) -> None:
        """Close the capture."""
        self._capture.release()


def _is_refused(capture: cv2.VideoCapture) -> bool:
    """Return whether FFmpeg refuses to convert the picture that was read last.

    All captures of the process share one log, so one is listened to at a time.
    """
    library = _libavutil()
    if library is None:
        return False
    callback, heard = _listener()
    with _listening:
        heard.clear()
        library.av_log_set_callback(callback)
        try:
            capture.retrieve()
        finally:
            library.av_log_set_callback(library.av_log_default_callback)
        return bool(heard)


@cache
def _listener() -> tuple[Any, list[bytes]]:
    """Return what hears FFmpeg's log, and what it heard of conversions that were refused.

    One for the life of the process: a decoder on another thread may have looked up where to log just before
    the log was given back, and would call what ctypes has freed.
    """
    heard: list[bytes] = []

    def listen(_context: int | None, level: int, text: bytes | None, _values: int | None) -> None:
        if level <= ERROR_LEVEL and text is not None and text.startswith(REFUSED):
            heard.append(text)

    return _LOG(listen), heard


@cache
def _libavutil() -> Any:
    """Return FFmpeg's library that OpenCV loaded; None where it has none of that name."""
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        # The sixth field is the file; opened again under that name it is the library that is loaded already.
        if "/libavutil" in line:
            return ctypes.CDLL(line.split(maxsplit=5)[5])
    return None
