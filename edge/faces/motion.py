"""Is it worth looking at all: a 64x48 grey thumbnail against the last one that was looked at."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from typing import TypeAlias

    from edge.domain import Image

    Grey: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

THUMBNAIL = (64, 48)
"""Nearest-neighbour, 0.012 ms at VGA; an area average costs 0.23 ms and sees no more."""

CHANGED_LEVELS = 12
"""A pixel moved when it changed by more than this of 255: above sensor noise at ISO 800."""

CHANGED_PIXELS = 6
"""Of 3,072: a person at ten metres covers more."""

JUMP_LEVELS = 20.0
"""Mean change of the whole picture beyond which it is another scene, or the same in another light."""

SAME_STRUCTURE = 0.75
"""Least correlation along the rows with which only the light changed. Swings and mains bands of up
to 45 % left 0.94 and more of a corridor with somebody in it; 463 cuts between clips and photographs
that have nothing to do with each other gave 0.60 at most."""

FLAT_LEVELS = 6.0
"""A picture that varies less than this along its rows (mean of 255) has no structure to compare."""


class Motion(Enum):
    """What the picture did since the last look."""

    STILL = "still"
    MOVED = "moved"
    JUMPED = "jumped"


class MotionGate:
    """Compares each picture with the last one that was worth a look. One thread."""

    def __init__(self) -> None:
        self.changed = 0.0
        """Of the picture: how much of it changed at the last look."""
        self._reference: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] | None = None

    def observe(self, image: Image) -> Motion:
        """Return what happened since the reference, which is replaced unless the scene is still.

        A lamp that swings is no jump: `JUMPED` needs another structure, not just another light.
        """
        small = cv2.resize(image, THUMBNAIL, interpolation=cv2.INTER_NEAREST)
        grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
        before, self._reference = self._reference, grey
        # The first picture has nothing to be compared with, and somebody may stand in it.
        if before is None:
            return Motion.MOVED
        change = cv2.absdiff(grey, before)
        pixels = int(np.count_nonzero(change > CHANGED_LEVELS))
        self.changed = pixels / change.size
        # The old one stays: against the newest, whoever comes in slowly enough would never have moved.
        if pixels < CHANGED_PIXELS:
            self._reference = before
            return Motion.STILL
        jumped = float(change.mean()) > JUMP_LEVELS and not has_same_structure(grey, before)
        return Motion.JUMPED if jumped else Motion.MOVED


def has_same_structure(one: Grey, other: Grey) -> bool:
    """Return whether two grey pictures of one size differ in nothing but light, row by row.

    Each row may have a brightness and a contrast of its own: a short exposure under a mains lamp
    is read out in bands. Symmetric; two pictures without any structure count as the same.
    """
    first, second = _without_row_means(one), _without_row_means(other)
    if max(float(np.abs(first).mean()), float(np.abs(second).mean())) < FLAT_LEVELS:
        return True
    shared = np.sum(first * second, axis=1)
    # Row by row, so that a row without structure, all sky or wall, neither speaks for nor against.
    own = np.sum(first * first, axis=1) * np.sum(second * second, axis=1)
    total = float(np.sum(np.sqrt(own)))
    return total > 0 and float(np.sum(shared)) / total >= SAME_STRUCTURE


def _without_row_means(grey: Grey) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    values = grey.astype(np.float32)
    return np.asarray(values - values.mean(axis=1, keepdims=True), np.float32)
