"""QR codes shown to the door's own camera."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.domain import Frame, Image

LOOK_EVERY_SECONDS = 0.25
"""A pass is held up for a second or more."""

REST_PER_LOOK = 3.0
"""After a look it rests three times as long as the look took: a quarter of one core at most, whatever is
held before the camera."""

SMALL_PIXELS = 640 * 480
"""Up to here the full search is as cheap as the hint: 6 to 18 ms, and 49 on grain (one x86 core)."""

HINTS = ((0.5, 0), (0.5, 1), (0.65, 0), (0.8, 0))
"""Ways to make a large picture smaller for a hint, in turn: the factor, and how many of the first rows and
columns are left out. Of 234 codes of 220 to 380 px that stand perfectly still the first misses 50, the first
two 16, three 7, and all of them 1. The dearest takes 144 ms on grain, 120 on a noisy wall."""

MAX_TEXT = 512
"""A pass has 220 characters; whatever is much longer is somebody else's code."""


class QrReader:
    """Finds the text of a QR code in frames, a few times a second. One thread.

    `monotonic` measures what a look costs; it need not be the frames' clock.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._detector = cv2.QRCodeDetector()
        self._monotonic = monotonic
        self._next = float("-inf")
        self._inverts = False
        self._hint = 0

    def read(self, frame: Frame) -> str | None:
        """Return the text shown in `frame`, or None: no code, unreadable, or not yet time to look."""
        if frame.time < self._next:
            return None
        began = self._monotonic()
        # A phone in dark mode shows light on dark, which OpenCV does not read. Both are tried in turn, one at
        # each look, so that a look costs no more.
        image = cv2.bitwise_not(frame.image) if self._inverts else frame.image
        text = self._decoded(image) if self._is_hinted(image) else None
        if not text:
            self._inverts = not self._inverts
            # A code that stands perfectly still gives the same answer to the same look for ever.
            self._hint = (self._hint + (not self._inverts)) % len(HINTS)
        cost = self._monotonic() - began
        self._next = frame.time + max(LOOK_EVERY_SECONDS, cost * (1 + REST_PER_LOOK))
        return text

    def decode(self, image: Image) -> str | None:
        """Return the text of the code in `image`, (H, W, 3) uint8 BGR, of either polarity; or None."""
        return self._decoded(image) or self._decoded(cv2.bitwise_not(image))

    def _decoded(self, image: Image) -> str | None:
        try:
            text, corners, _ = self._detector.detectAndDecode(image)
        except (cv2.error, UnicodeDecodeError):
            # Shapes that are nearly a code make OpenCV's geometry fail; bytes need not be text.
            return None
        is_code = corners is not None and bool(np.isfinite(corners).all())
        return text if is_code and text and len(text) <= MAX_TEXT else None

    def _is_hinted(self, image: Image) -> bool:
        """Return whether a large picture made smaller shows something like a code.

        8 to 25 ms at half its size where a full search took 45 to 120, and 950 on grain (720p, one x86 core);
        it misses codes under 200 px, and of the larger ones what `HINTS` says.
        """
        if image.shape[0] * image.shape[1] <= SMALL_PIXELS:
            return True
        factor, out = HINTS[self._hint]
        small = cv2.resize(image[out:, out:], None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        try:
            return bool(self._detector.detect(small)[0])
        except cv2.error:
            return False
