"""The Raspberry Pi's own camera, through picamera2 (Debian package python3-picamera2)."""

from __future__ import annotations

import importlib
import logging
from typing import TYPE_CHECKING, Any

from edge.camera.opencv import STALE_SECONDS
from edge.domain import Frame
from edge.errors import CameraLost
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.domain import Image
    from edge.ports import Clock

logger = logging.getLogger(__name__)

READ_TIMEOUT_SECONDS = 2.0
"""As for other cameras; a loose ribbon cable otherwise blocks for ever (picamera2 issue 336)."""


class PiCamera:
    """A CSI camera; each frame stamped when it arrives. One thread.

    `size` is (width, height) in pixels. Raises `CameraLost` when picamera2 or the camera is
    missing, and when a frame takes longer than 0.5 s. `load` returns the class `Picamera2`.
    """

    def __init__(
        self,
        index: int,
        size: tuple[int, int],
        fps: float,
        clock: Clock,
        load: Callable[[], Callable[[int], Any]] | None = None,
    ) -> None:
        self.name = f"picamera:{index}"
        self._clock = clock
        self._seq = 0
        self._read_at = clock.monotonic()
        self._device = _start((load or picamera2_class)(), index, size, fps)

    def read(self) -> Frame:
        """Return the next frame, just arrived. Raises `CameraLost`."""
        if self._device is None:
            raise CameraLost(message("camera.closed", name=self.name))
        if self._clock.monotonic() - self._read_at > STALE_SECONDS:
            self._grab()  # picamera2 keeps one finished frame for whoever comes next (its issue 426)
        # Measured on this grab alone: what the one before it took was the reader's own absence.
        started = self._clock.monotonic()
        image = self._grab()
        if self._read_at - started > STALE_SECONDS:
            self.close()
            seconds = f"{self._read_at - started:.1f}"
            raise CameraLost(message("camera.stalled", name=self.name, seconds=seconds))
        frame = Frame(image, self._seq, self._read_at, self._clock.now())
        self._seq += 1
        return frame

    def close(self) -> None:
        """Stop and release the camera. Safe to call twice."""
        device, self._device = self._device, None
        if device is not None:
            _release(device)

    def _grab(self) -> Image:
        try:
            image: Image = self._device.capture_array(wait=False).get_result(timeout=READ_TIMEOUT_SECONDS)
        except Exception as error:  # somebody else's library: whatever it is, ten of them would end the door
            self.close()
            raise CameraLost(
                message("camera.no_frame_csi", name=self.name, seconds=READ_TIMEOUT_SECONDS)
            ) from error
        self._read_at = self._clock.monotonic()
        return image


def _start(picamera2: Callable[[int], Any], index: int, size: tuple[int, int], fps: float) -> Any:
    device = None
    try:
        device = picamera2(index)  # raises IndexError for a camera that is not there
        # libcamera calls BGR in memory "RGB888".
        wanted = {"size": size, "format": "RGB888"}
        device.configure(device.create_video_configuration(wanted, controls={"FrameRate": fps}))
        device.start()
    except Exception as error:  # as in `_grab`; IndexError and RuntimeError are its usual ones
        if device is not None:
            _release(device)  # else it stays acquired and no later attempt succeeds
        raise CameraLost(
            message("camera.cannot_start", name=f"picamera:{index}", error=str(error))
        ) from error
    return device


def _release(device: Any) -> None:
    try:
        device.close()
    except Exception:  # as in `_grab`: of a camera that is gone there is nothing to close
        logger.exception("the camera cannot be closed")


def picamera2_class() -> Callable[[int], Any]:
    """Return picamera2's `Picamera2`. Raises `CameraLost` with the way out when it is missing."""
    try:
        module = importlib.import_module("picamera2")
    except ImportError as error:
        raise CameraLost(
            "picamera2 is not installed: run `sudo apt install python3-picamera2` and make the "
            "virtual environment with --system-site-packages, or use a USB or RTSP camera"
        ) from error
    camera: Callable[[int], Any] = module.Picamera2
    return camera
