"""Walk-up clips made from portraits: people come nearer, sway, blur; the camera adds noise.

A rendered clip has what makes a real one hard (size, motion, light, noise) and nothing that
needs a licence. It is no test of liveness: what walks up here is a photograph.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.domain import Frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.domain import Box, Image

WIDTH, HEIGHT, FPS = 640, 480, 15.0
START = datetime(2026, 1, 5, 17, 30, tzinfo=UTC)

NEAR, FAR = 1.0, 0.25
"""Size of a person at the door and where they come into view: an approach of 1:4."""

FACE_PX = 150.0
"""Width of a face at the door; 38 px where it comes into view."""

SENSOR_SIGMA = 3.5
"""Noise of a small sensor indoors, in levels of 255."""

EXPOSURE_SWING = 0.12
"""The camera's automatic exposure hunts by this share while somebody fills the picture."""

FRAMES_OF_A_SEED = 100_000
"""Two stages with different seeds have no noise in common until one has played for two hours."""

SCREEN_CONTRAST, SCREEN_BLACK = 0.75, 60.0
"""A screen shows less contrast than paper and its black is not black."""


@dataclass(frozen=True, slots=True, eq=False)
class Cutout:
    """A person cut from a portrait: picture, soft mask (0..1) and where the face is in it."""

    image: Image
    mask: NDArray[np.float32]
    face_width_px: float
    face_centre: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Walk:
    """One person's way to the door. Seconds from the start of the act; `lane` -1 left .. 1 right."""

    who: str
    cutout: Cutout
    lane: float = 0.0
    enters_s: float = 0.5
    walks_s: float = 3.0
    stays_s: float = 2.0

    def size_at(self, seconds: float) -> float | None:
        """Return the person's size, 1 at the door, or None while they are not in view."""
        walked = (seconds - self.enters_s) / self.walks_s
        if walked < 0 or seconds > self.enters_s + self.walks_s + self.stays_s:
            return None
        # Size goes with the inverse of the distance, and the distance shrinks evenly.
        distance = 1 / FAR + min(walked, 1.0) * (1 / NEAR - 1 / FAR)
        return 1 / distance


@dataclass(frozen=True, slots=True)
class Act:
    """A scene of the demo: a title, who walks, how long it lasts, and what must come of it."""

    title: str
    walks: tuple[Walk, ...]
    seconds: float
    expected: tuple[str, ...]
    """Names of those who must be let in, in any order."""


def cut_out(photo: Image, face: Box) -> Cutout:
    """Return head and shoulders around `face` in `photo`, with a soft edge."""
    height, width = photo.shape[:2]
    x, y = face.centre
    left, right = max(int(x - 1.3 * face.width), 0), min(int(x + 1.3 * face.width), width)
    top, bottom = max(int(y - 1.1 * face.height), 0), min(int(y + 1.9 * face.height), height)
    image = np.ascontiguousarray(photo[top:bottom, left:right])
    rows, columns = image.shape[:2]
    across = np.minimum(np.arange(columns), np.arange(columns)[::-1]) / (0.22 * columns)
    down = np.arange(rows) / (0.15 * rows)
    mask = np.minimum(np.clip(across, 0, 1)[None, :], np.clip(down, 0, 1)[:, None])
    smooth = (mask * mask * (3 - 2 * mask)).astype(np.float32)
    return Cutout(image, smooth, face.width, (x - left, y - top))


def on_phone(photo: Image, face: Box) -> Cutout:
    """Return `face` as a phone held to the camera would show it: bezel, glow, weak blacks."""
    height, width = photo.shape[:2]
    x, y = face.centre
    left, right = max(int(x - 0.9 * face.width), 0), min(int(x + 0.9 * face.width), width)
    top, bottom = max(int(y - 1.2 * face.height), 0), min(int(y + 1.4 * face.height), height)
    glowing = np.clip(photo[top:bottom, left:right] * SCREEN_CONTRAST + SCREEN_BLACK, 0, 255).astype(np.uint8)
    bezel = int(0.12 * (right - left))
    border = (2 * bezel, 2 * bezel, bezel, bezel)
    image = cv2.copyMakeBorder(glowing, *border, cv2.BORDER_CONSTANT, value=(18, 18, 18))
    mask = np.ones(image.shape[:2], np.float32)
    return Cutout(image, mask, face.width, (x - left + bezel, y - top + 2 * bezel))


class DemoStage:
    """Plays acts as a camera: 640x480 at 15 frames a second, the same frames every time."""

    def __init__(self, acts: Sequence[Act], seed: int = 1) -> None:
        self._acts = acts
        self._starts = list(np.cumsum([0.0, *(act.seconds for act in acts)]))
        self._seed = seed
        self._seq = 0
        self._wall = _entrance()

    def read(self) -> Frame | None:
        """Return the next frame, or None when the last act is over."""
        time = self._seq / FPS
        number = self.act_at(time)
        if number is None:
            return None
        act, seconds = self._acts[number], time - self._starts[number]
        frame = Frame(self._picture(act, seconds), self._seq, time, START + timedelta(seconds=time))
        frame.image.flags.writeable = False
        self._seq += 1
        return frame

    def close(self) -> None:
        """Nothing to release."""

    def act_at(self, time: float) -> int | None:
        """Return the number of the act that plays at `time` seconds, or None after the last."""
        for number, end in enumerate(self._starts[1:]):
            if time < end - 1e-9:
                return number
        return None

    def _picture(self, act: Act, seconds: float) -> Image:
        canvas = self._wall.copy()
        placed = [(walk.size_at(seconds), walk) for walk in act.walks]
        for size, walk in sorted(((s, w) for s, w in placed if s is not None), key=_size):
            _paste(canvas, walk, size, seconds)
        exposure = 1.0 + EXPOSURE_SWING * math.sin(2 * math.pi * 0.23 * self._seq / FPS)
        # OpenCV's generator: a quarter of the time of numpy's, which took more than the door itself.
        cv2.setRNGSeed(self._seed * FRAMES_OF_A_SEED + self._seq)
        # Per channel: one number is taken for the first alone.
        noise = cv2.randn(np.empty_like(canvas), (0.0,) * 3, (SENSOR_SIGMA,) * 3)
        return np.asarray(np.clip(canvas * exposure + noise, 0, 255), np.uint8)


def _size(pair: tuple[float, Walk]) -> float:
    return pair[0]


def _paste(canvas: NDArray[np.float32], walk: Walk, size: float, seconds: float) -> None:
    """Draw one person where they are now, swaying with their steps and blurred by them."""
    cutout = walk.cutout
    scale = FACE_PX * size / cutout.face_width_px
    phase = 2 * math.pi * 0.9 * seconds
    is_walking = seconds < walk.enters_s + walk.walks_s
    sway = (9.0 if is_walking else 2.5) * size * math.sin(phase)
    x = WIDTH / 2 + 0.26 * WIDTH * walk.lane * (0.5 + size / 2) + sway
    y = HEIGHT * 0.46 + 4.0 * size * math.sin(2 * phase)
    shrink = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    picture = cv2.resize(cutout.image, None, fx=scale, fy=scale, interpolation=shrink)
    mask = cv2.resize(cutout.mask, None, fx=scale, fy=scale, interpolation=shrink)
    blur = 1 + round(abs((0.35 if is_walking else 0.1) * size * 9.0 * math.cos(phase)))
    if blur > 1:
        picture = cv2.blur(picture, (blur, 1))
    left, top = round(x - cutout.face_centre[0] * scale), round(y - cutout.face_centre[1] * scale)
    _blend(canvas, picture, mask, left, top)


def _blend(
    canvas: NDArray[np.float32], picture: Image, mask: NDArray[np.float32], left: int, top: int
) -> None:
    rows, columns = picture.shape[:2]
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + columns, WIDTH), min(top + rows, HEIGHT)
    if x1 <= x0 or y1 <= y0:
        return
    part = picture[y0 - top : y1 - top, x0 - left : x1 - left]
    weight = mask[y0 - top : y1 - top, x0 - left : x1 - left, None]
    region = canvas[y0:y1, x0:x1]
    region += (part - region) * weight


def _entrance() -> NDArray[np.float32]:
    """Return a plain entrance hall: walls, a gate post, a floor with a seam."""
    canvas = np.empty((HEIGHT, WIDTH, 3), np.float32)
    canvas[:] = np.linspace(150, 105, HEIGHT, dtype=np.float32)[:, None, None] * (0.98, 1.0, 1.02)
    canvas[int(HEIGHT * 0.78) :] *= 0.72
    canvas[:, 36:64] *= 0.6
    canvas[:, WIDTH - 64 : WIDTH - 36] *= 0.6
    grain = np.random.default_rng(7).normal(0, 5, (HEIGHT // 4, WIDTH // 4, 1)).astype(np.float32)
    return np.asarray(canvas + cv2.resize(grain, (WIDTH, HEIGHT))[:, :, None], np.float32)
