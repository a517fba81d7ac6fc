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

SEARCHED_SIDES = (1600, 800)
"""Pixels to which a larger picture is made smaller: a telephone's may show a code too large for OpenCV."""

MAX_TEXT = 512
"""A pass has 220 characters; whatever is much longer is somebody else's code."""


PARTS = (("R", 0.75), ("L", 0.75), ("R", 0.6), ("L", 0.6), ("T", 0.75), ("B", 0.75))
"""Parts of a picture that are searched by themselves: of several codes OpenCV takes the corners for those of
one. Of 84 pictures with another code beside a pass 14 were read as a whole, and 83 in one of these parts."""

WHOLE, PART, LIGHT, DARK = False, True, False, True
ALONE = ((WHOLE, LIGHT), (WHOLE, DARK), (PART, LIGHT), (WHOLE, LIGHT), (WHOLE, DARK), (PART, DARK))
"""What looks are for, in turn, so that a look costs no more. A phone in dark mode shows light on dark, which
OpenCV does not read."""
CROWDED = ((WHOLE, LIGHT), (PART, LIGHT), (WHOLE, DARK), (PART, DARK))
CROWDED_SECONDS = 3600.0
"""So long after a code that is not wanted: where a poster hangs, it hangs beside each pass."""


class QrReader:
    """Finds the text of a QR code in frames, a few times a second. One thread.

    `monotonic` measures what a look costs; it need not be the frames' clock. `is_wanted` says of a text
    whether it is of the kind that is looked for: a poster's code must not keep others from being read.
    """

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        is_wanted: Callable[[str], bool] = lambda _text: True,
    ) -> None:
        self._detector = cv2.QRCodeDetector()
        self._monotonic = monotonic
        self._is_wanted = is_wanted
        self._next = self._crowded_until = float("-inf")
        self._turn = self._part = 0
        self._hint = 0

    def read(self, frame: Frame) -> str | None:
        """Return the text shown in `frame`, or None: no code, unreadable, or not yet time to look."""
        if frame.time < self._next:
            return None
        began = self._monotonic()
        text = self._look(frame)
        cost = self._monotonic() - began
        self._next = frame.time + max(LOOK_EVERY_SECONDS, cost * (1 + REST_PER_LOOK))
        return text

    def _look(self, frame: Frame) -> str | None:
        looks = CROWDED if frame.time < self._crowded_until else ALONE
        is_part, is_dark = looks[self._turn % len(looks)]
        image = part_of(frame.image, *PARTS[self._part % len(PARTS)]) if is_part else frame.image
        image = cv2.bitwise_not(image) if is_dark else image
        text = self._decoded(image) if self._is_hinted(image) else None
        if text is not None and self._is_wanted(text):
            return text  # the next look is like this one: what is free of others today is so tomorrow
        if text is not None:
            self._crowded_until = frame.time + CROWDED_SECONDS
        self._turn += 1
        self._part += is_part and is_dark
        # A code that stands perfectly still gives the same answer to the same look for ever.
        self._hint = (self._hint + (is_dark and not is_part)) % len(HINTS)
        return text

    def decode(self, image: Image) -> str | None:
        """Return the text of the code in `image`, (H, W, 3) uint8 BGR, of either polarity; or None."""
        return self._decoded(image) or self._decoded(cv2.bitwise_not(image))

    def search(self, image: Image) -> str | None:
        """Return a text that is wanted out of a picture of any size, with several codes perhaps; or None.

        Takes seconds: for a file that somebody named, not for frames.
        """
        largest = max(image.shape[:2])
        for side in dict.fromkeys(min(largest, most) for most in SEARCHED_SIDES):
            scale = side / largest
            scaled = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            for view in (scaled, *(part_of(scaled, *part) for part in PARTS)):
                text = self.decode(np.asarray(view, dtype=np.uint8))
                if text is not None and self._is_wanted(text):
                    return text
        return None

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


def part_of(image: Image, side: str, fraction: float) -> Image:
    """Return the right, left, top or bottom part of a picture."""
    height, width = image.shape[:2]
    wide, high = int(width * fraction), int(height * fraction)
    part = {
        "R": image[:, width - wide :],
        "L": image[:, :wide],
        "T": image[:high],
        "B": image[height - high :],
    }[side]
    return np.ascontiguousarray(part)
