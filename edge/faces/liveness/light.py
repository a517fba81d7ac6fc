"""What light a picture was taken in: without colour, dark, glaring, or with a window behind the face."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.domain import Box
from edge.faces.liveness.quantile import quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.domain import Image
    from edge.faces.liveness.gate import GateLimits

COLOUR_SPREAD = 0.07
"""How far the hues of a picture must lie apart, in parts of its brightness. 23 clips in colour had 0.13
and more (0.12 at a quarter of their light), the same made grey with strong noise at most 0.05."""

DARK_FACE = 70.0
"""A face darker than this (mean, 0..255) is brightened before it is scored."""

BRIGHTENED_TO = 110.0
"""The middle of the living faces that the networks judge well: 104 to 142. A brighter one is shown to
faceplugin as one of this (`chips.dimmed_chip`)."""

WHITE = 250
"""All three colours of a pixel that is as good as white: what was there is lost."""

MOST_GAIN = 4.0
"""Beyond, eight bits hold too little of the face."""


MOST_GRAIN = 4.0
"""Counts of grain, brightened, up to which a face under `gate.SURE_FACE_PX` is let in. Where a face is small
little is averaged, and grain looks like skin: a phone replay without its border had .96 at 59 px with 7
counts (a dark picture brightened twice), .87 at 84 px with 8, .60 and less with 3, and .50 near by with any.
Twelve living clips as cameras coded them have 0.5 and less, 1.0 at a quarter of their light."""

GRAIN_MASK = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def is_colourless(image: Image, box: Box) -> bool:
    """Return whether a picture has no colour, neither the face in `box` nor what is around it.

    A camera under infrared light gives such pictures. A tint over all of it is no colour; a grey
    photograph in a coloured room does not make it colourless, nor does a grey room. Noise is averaged
    away. 0.2 ms at any size.
    """
    cells = np.asarray(cv2.resize(_points(image), (16, 12), interpolation=cv2.INTER_AREA), np.float32)
    hues = _hues(cells.reshape(-1, 3))
    middle = quantile(hues, 0.5)
    face = _face_of(image, box)
    own = _hues(np.asarray([cv2.mean(_points(face))[:3]], np.float32)) if face.size else hues[:0]
    away = np.hypot(*(hues - middle).T)
    farthest = max(float(quantile(away, 0.95)), *np.hypot(*(own - middle).T).tolist())
    return bool(farthest <= COLOUR_SPREAD * (float(cells.mean()) + 10.0))


def _points(image: Image) -> Image:
    return np.asarray(cv2.resize(image, (320, 240), interpolation=cv2.INTER_NEAREST), np.uint8)


def _hues(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (red - green, blue - green) of BGR rows."""
    return np.asarray(colours[:, (2, 0)] - colours[:, 1:2], np.float32)


def gain_for(image: Image, box: Box) -> float:
    """Return by how much the face in `box` is to be brightened for the networks: 1 for not at all."""
    bright = face_brightness(image, box)
    return 1.0 if not 0.0 < bright < DARK_FACE else min(BRIGHTENED_TO / bright, MOST_GAIN)


def brightened(image: Image, box: Box) -> Image:
    """Return `image` as bright as the networks want the face in `box`: itself where it is bright enough.

    Brightened before anything is cut out or averaged: an average of dark pixels that is rounded first
    has lost what tells skin from a screen (living people at a quarter of their light: .74 instead of .79).
    """
    gain = gain_for(image, box)
    return image if gain == 1.0 else np.asarray(cv2.convertScaleAbs(image, alpha=gain), np.uint8)


def grain(image: Image, box: Box) -> float:
    """Return the grain of the picture around the face in `box`, in counts of 255 (one standard deviation).

    The median of a mask that edges and slopes hardly reach (Immerkaer, Computer Vision and Image
    Understanding 64, 1996), on green alone: a picture's colours are partly worked out of it.
    """
    x, y = box.centre
    around = _face_of(image, Box(x - box.width, y - box.height, x + box.width, y + box.height))
    if min(around.shape[:2]) < 3:
        return 0.0
    # The mask makes 6 of one deviation (the root of its squares' sum); half of all values of a normal
    # distribution lie within 0.6745 deviations.
    rough = cv2.filter2D(around[..., 1], cv2.CV_32F, GRAIN_MASK)[1:-1, 1:-1]
    return float(quantile(np.abs(rough).ravel(), 0.5)) / (6 * 0.6745)


def is_badly_lit(image: Image, box: Box, limits: GateLimits) -> bool:
    """Return whether the face is in the dark, glaring, white in large part, or before a bright window.

    Brightness is the mean of the grey picture, 0..255; backlight the whole frame's over the
    face's. Measured on a picture shrunk to 64 pixels' width.
    """
    bright = face_brightness(image, box)
    backlight = _brightness(image) / max(bright, 1.0)
    is_fair = limits.min_brightness <= bright <= limits.max_brightness and backlight <= limits.max_backlight
    return not is_fair or white_part(image, box) > limits.max_white


def white_part(image: Image, box: Box) -> float:
    """Return how much of the face in `box` the camera has lost to white, 0..1; 0 outside the picture."""
    face = _face_of(image, box)
    return float((_shrunk(face).min(axis=2) >= WHITE).mean()) if face.size else 0.0


def face_brightness(image: Image, box: Box) -> float:
    """Return the mean brightness of the face in `box`, 0..255; 0 when it is outside the picture."""
    face = _face_of(image, box)
    return _brightness(face) if face.size else 0.0


def _face_of(image: Image, box: Box) -> Image:
    height, width = image.shape[:2]
    left, top = max(int(box.left), 0), max(int(box.top), 0)
    return image[top : int(min(box.bottom, height)), left : int(min(box.right, width))]


def _brightness(image: Image) -> float:
    return float(cv2.cvtColor(_shrunk(image), cv2.COLOR_BGR2GRAY).mean())


def _shrunk(image: Image) -> Image:
    return np.asarray(cv2.resize(image, (64, 64), interpolation=cv2.INTER_NEAREST), np.uint8)
