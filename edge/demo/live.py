"""A live camera for a limited time, so that a demo ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.domain import Frame
    from edge.ports import Camera


class ForAWhile:
    """A camera that ends after `seconds` of frames."""

    def __init__(self, camera: Camera, seconds: float) -> None:
        self._camera = camera
        self._seconds = seconds
        self._begun: float | None = None

    def read(self) -> Frame | None:
        """Return the next frame, or None when the time is up."""
        frame = self._camera.read()
        if frame is None:
            return None
        if self._begun is None:
            self._begun = frame.time
        return frame if frame.time - self._begun <= self._seconds else None

    def close(self) -> None:
        """Close the camera."""
        self._camera.close()
