"""The border of the screen hidden: what an attacker gains by filling the view."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from edge.domain import Box, Face

if TYPE_CHECKING:
    from edge.domain import Frame


def cropped(frame: Frame, face: Face, reach: float) -> tuple[Frame, Face]:
    """Return `frame` cut to a square of `reach` face sizes about `face`, and the face within it.

    Simulates a picture or a screen so near that nothing around the face is seen.
    """
    x, y = face.box.centre
    half = reach * max(face.box.width, face.box.height) / 2
    height, width = frame.image.shape[:2]
    left, top = max(int(x - half), 0), max(int(y - half), 0)
    right, bottom = min(int(x + half), width), min(int(y + half), height)
    image = np.ascontiguousarray(frame.image[top:bottom, left:right])
    box = Box(face.box.left - left, face.box.top - top, face.box.right - left, face.box.bottom - top)
    landmarks = (face.landmarks - np.array([left, top], np.float32)).astype(np.float32)
    return replace(frame, image=image), Face(box, landmarks, face.score)
