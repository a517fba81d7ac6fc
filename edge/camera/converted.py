"""Video that FFmpeg decodes and OpenCV cannot convert: refused in words, for what it hands out is old memory.

OpenCV 4.13 and 4.14 do not convert a picture that is marked as interlaced: FFmpeg 8 refuses it, nobody looks
at the result, and `read` says yes and returns whatever its buffer held. No property of the capture tells;
FFmpeg's log does. So its log is listened to while the first picture is read.
"""

from __future__ import annotations

import ctypes
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edge.errors import CameraLost
from edge.words import message

if TYPE_CHECKING:
    import cv2

    from edge.domain import Image

REFUSED: Final = b"%s (%s): fmt:"
"""How FFmpeg's complaint about a conversion begins (libswscale/graph.c); the reason is filled in."""

ERROR_LEVEL: Final = 16

_LOG: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
_listening: Final = threading.Lock()


class ConvertedCapture:
    """An FFmpeg capture whose pictures are really those of the video. One thread.

    `name` is used in messages. The first `read` raises `CameraLost` for video that is not converted.
    """

    def __init__(self, capture: cv2.VideoCapture, name: str) -> None:
        self._capture, self._name = capture, name
        self._is_looked_at = False

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """Return whether frames can be read."""
        return self._capture.isOpened()

    def read(self) -> tuple[bool, Image | None]:
        """Return (True, picture), or (False, None)."""
        if self._is_looked_at:
            return self._capture.read()
        self._is_looked_at = True
        ok, image, is_refused = _first_read(self._capture)
        if ok and is_refused:
            raise CameraLost(message("camera.interlaced", name=self._name))
        return ok, image

    def get(self, propId: int) -> float:  # noqa: N803 - OpenCV's name
        """Return a property."""
        return self._capture.get(propId)

    def release(self) -> None:
        """Close the capture."""
        self._capture.release()


def _first_read(capture: cv2.VideoCapture) -> tuple[bool, Image | None, bool]:
    """Return what `read` gives, and whether FFmpeg refused to convert it.

    All captures of the process share one log, so one is listened to at a time.
    """
    library = _libavutil()
    if library is None:
        return *capture.read(), False
    heard: list[bytes] = []

    def listen(_context: int | None, level: int, text: bytes | None, _values: int | None) -> None:
        if level <= ERROR_LEVEL and text is not None and text.startswith(REFUSED):
            heard.append(text)

    callback = _LOG(listen)
    with _listening:
        library.av_log_set_callback(callback)
        try:
            ok, image = capture.read()
        finally:
            library.av_log_set_callback(library.av_log_default_callback)
    return ok, image, bool(heard)


@cache
def _libavutil() -> Any:
    """Return FFmpeg's library that OpenCV loaded; None where it has none of that name."""
    for line in Path("/proc/self/maps").read_text(encoding="utf-8").splitlines():
        if "/libavutil" in line:
            return ctypes.CDLL(line.split(maxsplit=5)[5])
    return None
