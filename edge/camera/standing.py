"""Notices a picture that stands still while a clock that the camera draws into it runs on.

A live sensor never shows the same picture twice. Encoders do: between two whole pictures they repeat what
has hardly changed. So a part of the picture counts as alive when it shows what it has not shown lately, and
that is waited for longer than cameras wait for their next whole picture.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from edge.domain import Frame, Image

ROWS, COLUMNS = 12, 16

LOOK_SECONDS = 1.0
"""0.6 ms of a look at 640x480, 0.9 at 720p (one x86 core)."""

STILL_SECONDS = 60.0
"""Cameras send a whole picture every 1 to 20 s. Measured on a still scene in H.264 with one every 20 s, after
noise reduction and at low rates, the worst there is: 99 % of the parts change within 30 s, 1 % within 10."""

KEPT = 8
"""What a part showed last. A hung camera's encoder brings the same few states after each whole picture; the
seconds of a clock are ten."""

UNPROVEN_SECONDS = 20.0
"""After a stream was opened anew even a hung camera shows what it has not shown: a decoder that begins inside
a group of pictures, and then the next whole picture, which comes within this time."""

LEAST_SPREAD: Final = 16
"""Grey levels from the darkest to the brightest point of a part: darkness and glare have no noise either."""

LEAST_TELLING = 0.25
MOST_DRAWN = 0.125
"""Share of the parts that must be able to tell, and of those what a clock may change: it takes up to 7 %."""


class StandingPicture:
    """Tells whether all but a small part of a camera's picture has stood still for a minute. One thread.

    A picture that stands still altogether is none of these: `PictureHealth` knows it at once, and a recording
    that is played again and again repeats itself, too. Nor is one without contrast.
    """

    def __init__(self) -> None:
        self._is_standing = False
        self._is_reopened = False
        self._proof_from = -np.inf
        self._looked_at = -np.inf
        self._shape: tuple[int, ...] = ()
        self._shown: list[list[int]] = []
        self._alive_at = np.empty(0)

    def reopened(self) -> None:
        """Take note that the camera was opened anew: a picture that stood still has to show that it lives."""
        self._is_reopened = self._is_standing

    def observe(self, frame: Frame) -> bool:
        """Take the next frame and return whether the picture stands still, as of the last look."""
        # By the time of the first frame, since a reopening has none of its own.
        if self._is_reopened:
            self._is_reopened, self._proof_from = False, frame.time + UNPROVEN_SECONDS
        if 0 <= frame.time - self._looked_at < LOOK_SECONDS:
            return self._is_standing
        self._looked_at = frame.time
        if frame.image.shape != self._shape:
            self._shape = frame.image.shape
            self._shown = [[] for _ in range(ROWS * COLUMNS)]
            self._alive_at = np.full(ROWS * COLUMNS, frame.time)  # a minute of standing still from here on
            self._proof_from = -np.inf
        telling = self._look(frame.image, frame.time)
        if self._looked_at >= self._proof_from:
            self._proof_from = -np.inf
            self._is_standing = self._judged(telling, frame.time)
        return self._is_standing

    def _look(self, image: Image, now: float) -> np.ndarray:
        """Note which parts show something new; return which could tell, (ROWS * COLUMNS,) of bool."""
        telling = np.zeros(ROWS * COLUMNS, bool)
        for index, part in enumerate(_parts(image)):
            darkest, brightest, _, _ = cv2.minMaxLoc(part)  # NumPy takes four times as long for so few points
            telling[index] = brightest - darkest >= LEAST_SPREAD
            seen, shows = self._shown[index], zlib.crc32(part.data)
            # Seen again it moves to the end: the few states that a hung encoder repeats never fall out.
            if shows in seen:
                seen.remove(shows)
            else:
                self._alive_at[index] = now if now >= self._proof_from else self._alive_at[index]
            seen.append(shows)
            del seen[:-KEPT]
        return telling

    def _judged(self, telling: np.ndarray, now: float) -> bool:
        # All of it: a picture that repeats bit for bit is `PictureHealth`'s, and a loop of a recording is
        # none.
        alive = now - self._alive_at < STILL_SECONDS
        if not alive.any() or telling.mean() < LEAST_TELLING:
            return False
        return bool((alive & telling).sum() <= MOST_DRAWN * telling.sum())


def _parts(image: Image) -> list[np.ndarray]:
    """Return the green of each part of a picture, in one piece: most of its light, a third of its bytes."""
    height, width = image.shape[:2]
    down = [row * height // ROWS for row in range(ROWS + 1)]
    across = [column * width // COLUMNS for column in range(COLUMNS + 1)]
    green = image[:, :, 1]
    return [
        np.ascontiguousarray(green[down[row] : down[row + 1], across[column] : across[column + 1]])
        for row in range(ROWS)
        for column in range(COLUMNS)
    ]
