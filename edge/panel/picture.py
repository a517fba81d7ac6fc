"""How sharp and how bright a whole picture is, for who turns the lens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2

if TYPE_CHECKING:
    from edge.domain import Image

MIDDLE = 0.5
"""The middle half of width and height: faces are there, corners of lenses are soft."""


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """`sharpness` is the variance of the Laplacian of the middle, unitless; `brightness` 0..255."""

    sharpness: float
    brightness: float
    width: int
    height: int


def picture_facts(image: Image) -> PictureFacts:
    """Return the facts of an (H, W, 3) BGR picture; compare sharpness only within one scene."""
    height, width = image.shape[:2]
    top, left = int(height * (1 - MIDDLE) / 2), int(width * (1 - MIDDLE) / 2)
    middle = cv2.cvtColor(image[top : height - top, left : width - left], cv2.COLOR_BGR2GRAY)
    edges = cv2.Laplacian(middle, cv2.CV_32F)
    return PictureFacts(float(edges.var()), float(middle.mean()), width, height)
