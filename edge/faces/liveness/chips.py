"""What a liveness network is shown: the face with its surroundings, cut from the full frame.

The networks look at what lies around the face (a phone's border, a hand) as much as at the
skin, and each was trained on crops of one exact kind. A crop of another size, another colour
order or another detector's box makes them guess.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.domain import Box
from edge.faces.liveness.light import BRIGHTENED_TO

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edge.domain import Image

MAP_WIDTH, MAP_HEIGHT, MAP_DOWN = 1.17, 0.89, 0.05
"""From YuNet's box to the nearly square one the context networks were trained with: read off
about 30 frames where both detectors saw the face. A live clip scored .42 without it, .97 with."""

SMALL_FACE_PX = 90.0
"""Below this width the Silent-Face pair judges better by the detector's own box: at 55 to 75 px living
people had .98 (least .88) instead of .94 (.88), and two replays of about 100 px .02 and .05."""

TEXTURE_SCALE = 1.5
"""The texture network's square, in longer sides of the detector's box (its authors' default)."""


def mapped_box(box: Box) -> Box:
    """Return YuNet's `box` as the context networks' own detector would have drawn it."""
    x, y = box.centre
    y += MAP_DOWN * box.height
    half_width, half_height = MAP_WIDTH * box.width / 2, MAP_HEIGHT * box.height / 2
    return Box(x - half_width, y - half_height, x + half_width, y + half_height)


def sized_box(box: Box) -> Box:
    """Return the box that suits the Silent-Face pair: the mapped one, for a small face the detector's own."""
    return box if box.width < SMALL_FACE_PX else mapped_box(box)


def context_window(box: Box, scale: float, width: int, height: int) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom) of `box` grown `scale` times within a picture of this size.

    The window keeps the box's proportions, is made smaller until it fits, then shifted inside:
    no padding, because the networks never saw any.
    """
    scale = min((height - 1) / box.height, (width - 1) / box.width, scale)
    left, right = _inside(box.left, box.right, scale, width)
    top, bottom = _inside(box.top, box.bottom, scale, height)
    return left, top, right, bottom


def _inside(low: float, high: float, scale: float, limit: int) -> tuple[int, int]:
    """Grow one side about its middle, shift it into 0..`limit`; at least one pixel is left."""
    middle, half = (low + high) / 2, (high - low) * scale / 2
    low, high = middle - half, middle + half
    shift = max(-low, 0.0) or min(limit - high, 0.0)
    return int(low + shift), max(int(high + shift), int(low + shift) + 1)


def context_chip(
    image: Image, box: Box, scale: float, side_px: int, fit: Callable[[Box], Box] = mapped_box
) -> Image:
    """Return (side, side, 3) uint8 BGR: `image` around the detector's `box`, squeezed to a square.

    `fit` turns the detector's box into the one that the network was trained with. What shrinks is averaged:
    picking pixels instead keeps all the grain of the sensor and none of the skin, and grain decided then.
    Grain of 6 counts alone took a monitor replay from .01 to .92 with faceplugin (averaged: .03), and one of
    5 counts living people from .99 to .72 to .81 with the pair (averaged: .85 to .99).
    """
    left, top, right, bottom = context_window(fit(box), scale, image.shape[1], image.shape[0])
    return _averaged(image[top:bottom, left:right], side_px)


def dimmed_chip(image: Image, box: Box, scale: float, side_px: int) -> Image:
    """Return what `context_chip` does, a face that is brighter than `light.BRIGHTENED_TO` made that bright.

    How bright a screen is says nothing about life, and faceplugin goes by it: see docs/pad.md, "Brightness".
    Moved, not multiplied: contrast and grain stay as they came.
    """
    chip = context_chip(image, box, scale, side_px)
    fitted = mapped_box(box)
    left, top, right, bottom = context_window(fitted, scale, image.shape[1], image.shape[0])
    across, down = side_px / (right - left), side_px / (bottom - top)
    x0, x1 = _part(fitted.left - left, fitted.right - left, across, side_px)
    y0, y1 = _part(fitted.top - top, fitted.bottom - top, down, side_px)
    bright = cv2.mean(cv2.cvtColor(chip[y0:y1, x0:x1], cv2.COLOR_BGR2GRAY))[0]
    table = np.maximum(np.arange(256) - max(round(bright - BRIGHTENED_TO), 0), 0)
    return np.asarray(cv2.LUT(chip, table.astype(np.uint8)), np.uint8)


def _part(low: float, high: float, scale: float, side_px: int) -> tuple[int, int]:
    """Return where `low` to `high` lies along a side of the chip; at least one pixel of it."""
    first = min(max(int(low * scale), 0), side_px - 1)
    return first, min(max(int(high * scale), first + 1), side_px)


def _averaged(cut: Image, side_px: int) -> Image:
    """Return `cut` squeezed to a square; halving first makes an average of a large cut six times as cheap."""
    while min(cut.shape[:2]) >= 2 * side_px:
        height, width = cut.shape[0] // 2, cut.shape[1] // 2
        even = cut[: 2 * height, : 2 * width]
        cut = np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    interpolation = cv2.INTER_AREA if min(cut.shape[:2]) > side_px else cv2.INTER_LINEAR
    return cv2.resize(cut, (side_px, side_px), interpolation=interpolation)  # type: ignore[no-any-return]


def texture_chip(image: Image, box: Box, side_px: int) -> Image:
    """Return (side, side, 3) uint8 BGR: a square 1.5 times the detector's `box`, mirrored at the edges."""
    longer = max(box.width, box.height)
    x, y = box.centre
    side = max(int(longer * TEXTURE_SCALE), 2)
    left, top = int(x - longer * TEXTURE_SCALE / 2), int(y - longer * TEXTURE_SCALE / 2)
    square = _mirrored(image, left, top, side)
    interpolation = cv2.INTER_LANCZOS4 if side < side_px else cv2.INTER_AREA
    return cv2.resize(square, (side_px, side_px), interpolation=interpolation)  # type: ignore[no-any-return]


def _mirrored(image: Image, left: int, top: int, side: int) -> NDArray[np.uint8]:
    """Return the square at (left, top); what lies outside the picture mirrors what lies inside."""
    height, width = image.shape[:2]
    right, bottom = left + side, top + side
    inside = image[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
    borders = (max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0))
    if not any(borders):
        return inside
    return np.asarray(cv2.copyMakeBorder(inside, *borders, cv2.BORDER_REFLECT_101), np.uint8)
