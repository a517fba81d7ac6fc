"""QR codes shown to the door's own camera."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from edge.domain import Frame, Image

LOOK_EVERY_SECONDS = 0.25
"""A pass is held up for a second or more; the search costs as much as finding faces."""

MAX_TEXT = 512
"""A pass has 220 characters; whatever is much longer is somebody else's code."""


class QrReader:
    """Finds the text of a QR code in frames, a few times a second. One thread."""

    def __init__(self, look_every_seconds: float = LOOK_EVERY_SECONDS) -> None:
        self._detector = cv2.QRCodeDetector()
        self._every = look_every_seconds
        self._next = float("-inf")

    def read(self, frame: Frame) -> str | None:
        """Return the text shown in `frame`, or None: no code, unreadable, or not yet time to look."""
        if frame.time < self._next:
            return None
        self._next = frame.time + self._every
        return self.decode(frame.image) if self._is_hinted(frame.image) else None

    def decode(self, image: Image) -> str | None:
        """Return the text of the code in `image`, (H, W, 3) uint8 BGR, or None."""
        try:
            text, corners, _ = self._detector.detectAndDecode(image)
        except (cv2.error, UnicodeDecodeError):
            # Shapes that are nearly a code make OpenCV's geometry fail; bytes need not be text.
            return None
        is_code = corners is not None and bool(np.isfinite(corners).all())
        return text if is_code and text and len(text) <= MAX_TEXT else None

    def _is_hinted(self, image: Image) -> bool:
        """Say whether half the size shows something like a code.

        10 to 20 ms on camera pictures where a full search took 65 to 140, and 550 on grain (720p, one
        x86 core); it misses 3 to 8 of 100 codes that the full search reads, until the hand moves.
        """
        small = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        try:
            return bool(self._detector.detect(small)[0])
        except cv2.error:
            return False
