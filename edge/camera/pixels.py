"""Pixels that are not square: recorders store half as many columns, and players widen the picture again.

OpenCV does not: a face in such a picture is narrow, and neither quality nor recognition know it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

if TYPE_CHECKING:
    from edge.domain import Image

LEAST_ASPECT, MOST_ASPECT = 0.25, 4.0
"""Outside this range the ratio in a stream is damage."""

SQUARE = 0.02
"""A ratio this near to one is not worth a copy of the picture."""


class Properties(Protocol):
    """What tells about a stream; `cv2.VideoCapture` does."""

    def get(self, propId: int) -> float:  # noqa: N803 - OpenCV's name
        """Return a property."""


def pixel_aspect(source: Properties) -> float:
    """Return how wide a pixel is for its height, 1.0 where the stream does not say."""
    wide, high = source.get(cv2.CAP_PROP_SAR_NUM), source.get(cv2.CAP_PROP_SAR_DEN)
    if not wide > 0 or not high > 0:  # NaN, too
        return 1.0
    aspect = float(wide) / float(high)
    is_sane = LEAST_ASPECT <= aspect <= MOST_ASPECT and abs(aspect - 1.0) > SQUARE
    return aspect if is_sane else 1.0


def square_size(size: tuple[int, int], aspect: float) -> tuple[int, int]:
    """Return the (width, height) of a picture of this size once its pixels are square; nothing is reduced."""
    width, height = size
    return (round(width * aspect), height) if aspect >= 1 else (width, round(height / aspect))


def squared(image: Image, aspect: float) -> Image:
    """Return `image` with square pixels: itself, or a wider or higher one."""
    if aspect == 1.0:
        return image
    size = square_size((image.shape[1], image.shape[0]), aspect)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), dtype=np.uint8)
