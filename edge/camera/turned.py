"""A camera that hangs on its side or upside down, set upright."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import cv2

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.domain import Frame
    from edge.ports import Camera

ROTATIONS = {0: None, 90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


class TurnedCamera:
    """Another camera's frames, turned by `rotate` degrees clockwise and then, if asked, mirrored.

    `rotate` is 0, 90, 180 or 270. Everything behind it, enrolment and recognition and page, sees the
    upright picture. 0.1 to 0.3 ms at 640x480 on one x86 core.
    """

    def __init__(self, open_camera: Callable[[], Camera], rotate: int, mirror: bool = False) -> None:  # noqa: FBT001
        self._camera = open_camera()
        self._code = ROTATIONS[rotate]
        self._mirror = mirror

    def read(self) -> Frame | None:
        """Return the next frame upright, or None at the end. Raises `CameraLost` as the camera does."""
        frame = self._camera.read()
        if frame is None:
            return None
        # Turned first: mirrored is the upright picture, as `CameraSpec.mirror` says.
        image = frame.image if self._code is None else cv2.rotate(frame.image, self._code)
        if self._mirror:
            image = cv2.flip(image, 1)
        return replace(frame, image=image)

    def close(self) -> None:
        """Release the device. Safe to call twice."""
        self._camera.close()
