"""Puts people before a gate: a made-up corridor, paths, light, lamps and what hangs on the wall."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np

from edge.domain import Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from edge.bench.gate.cast import Actor
    from edge.domain import Image

    Where: TypeAlias = tuple[float, float, float]
    """Middle (x, y) and width of a face, in pixels."""
    Path: TypeAlias = Callable[[float], Where | None]
    Paint: TypeAlias = Callable[[Image, float], Image]

START = datetime(2026, 1, 5, 8, tzinfo=UTC)
SIZE = (640, 480)


@dataclass(frozen=True, slots=True)
class Layer:
    """One person on a path (seconds to place, None while out of view); `in_front` goes before size."""

    actor: Actor
    path: Path
    in_front: bool | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """What a camera at the gate would see: `seconds` at `fps`, the same every time it is played.

    `hung` is drawn on the wall, `light` on the finished picture; `noise` is the grain in counts.
    """

    seconds: float
    people: Sequence[Layer]
    hung: Paint | None = None
    light: Paint | None = None
    fps: float = 15.0
    noise: float = 3.0
    wall: float = 120.0
    size: tuple[int, int] = field(default=SIZE)

    def frames(self) -> Iterator[Frame]:
        """Yield the frames in order of time."""
        grain = _Grain(self.size, self.noise)
        wall = corridor(self.size, self.wall)
        for number in range(int(self.seconds * self.fps)):
            time = number / self.fps
            image = wall if self.hung is None else self.hung(wall.copy(), time)
            image = self._with_people(image, time)
            if self.light is not None:
                image = self.light(image, time)
            image = grain.on(image)
            image.setflags(write=False)
            yield Frame(image, number, time, START + timedelta(seconds=time))

    def _with_people(self, image: Image, time: float) -> Image:
        there = [(layer, where) for layer in self.people if (where := layer.path(time)) is not None]
        for layer, where in sorted(there, key=_depth):
            drawn, mask = layer.actor.placed(time, where[:2], where[2], self.size)
            part = mask.astype(np.float32) / 255
            image = np.asarray(cv2.blendLinear(drawn, image, part, 1 - part), np.uint8)
        return image


def _depth(placed: tuple[Layer, Where]) -> tuple[float, float]:
    layer, (_, _, width) = placed
    return (0.5 if layer.in_front is None else float(layer.in_front)), width


class _Grain:
    """Sensor noise: a few sheets of it, shifted at random."""

    def __init__(self, size: tuple[int, int], counts: float) -> None:
        # Seeded: a scene is the same to the bit each time it is played.
        self._random = np.random.default_rng(7)
        self._size = size
        shape = (size[1] + 64, size[0] + 64, 3)
        self._sheets = [self._random.normal(0, counts, shape).round().astype(np.int16) for _ in range(4)]

    def on(self, image: Image) -> Image:
        y, x = (int(value) for value in self._random.integers(0, 64, 2))
        sheet = self._sheets[int(self._random.integers(len(self._sheets)))]
        cut = sheet[y : y + self._size[1], x : x + self._size[0]]
        return np.asarray(cv2.add(image, cut, dtype=cv2.CV_8U), np.uint8)


def corridor(size: tuple[int, int], brightness: float) -> Image:
    """Return an empty corridor with doors, a floor and some texture, at about this brightness of 255."""
    width, height = size
    random = np.random.default_rng(1)
    column = np.linspace(brightness * 1.15, brightness * 0.8, height)[:, None, None]
    picture = np.ascontiguousarray(np.broadcast_to(column * np.array([0.95, 1.0, 1.04]), (height, width, 3)))
    picture[int(height * 0.78) :] *= 0.7
    for door in range(3):
        left = int(width * (0.05 + 0.33 * door))
        colour = tuple(float(value) for value in brightness * random.uniform(0.45, 0.9, 3))
        right = left + int(width * 0.16)
        cv2.rectangle(picture, (left, int(height * 0.2)), (right, int(height * 0.8)), colour, -1)
    rough = random.normal(0, 1, (height // 4, width // 4)).astype(np.float32)
    return _picture(picture + 6 * cv2.resize(rough, size)[..., None])


def between(time: float, begin: float, first: float, end: float, last: float) -> float:
    """Return what a value is at `time` that goes evenly from `first` to `last`."""
    share = min(max((time - begin) / max(end - begin, 1e-9), 0.0), 1.0)
    return first + (last - first) * share


def stands(x: float, y: float, width: float, begin: float = 0.0, end: float = math.inf) -> Path:
    """Return the path of somebody who stands there with the small sway of a living person."""

    def path(time: float) -> Where | None:
        if not begin <= time < end:
            return None
        sway, nod = 0.03 * width * math.sin(1.7 * time), 0.015 * width * math.sin(2.3 * time)
        return x + sway, y + nod, width * (1 + 0.01 * math.sin(0.9 * time))

    return path


def visits(x: float, y: float, width: float, begin: float, end: float = math.inf, side: int = 1) -> Path:
    """Return the path of somebody who comes in from a side, stands from `begin` to `end`, and goes."""
    walk, away = 0.8, SIZE[0] + width if side > 0 else -width
    there = stands(x, y, width)

    def path(time: float) -> Where | None:
        place = there(time)
        if place is None or not begin - walk <= time < end + walk:
            return None
        at = between(time, begin - walk, away, begin, place[0])
        at = at if time < end else between(time, end, place[0], end + walk, away)
        return at, place[1], place[2]

    return path


def walks_up(seconds: float, near: float, far: float, begin: float = 0.0, end: float = math.inf) -> Path:
    """Return the path of somebody whose face grows from `far` to `near` px as the distance falls evenly."""

    def path(time: float) -> Where | None:
        if not begin <= time < end:
            return None
        share = min((time - begin) / seconds, 1.0)
        width = far / (1 - (1 - far / near) * share)  # it is the distance that changes evenly
        step = time - begin
        sway = 0.05 * math.sin(2 * math.pi * step) if share < 1 else 0.03 * math.sin(1.7 * step)
        bob = 0.04 * math.sin(4 * math.pi * step) if share < 1 else 0.0
        return SIZE[0] / 2 + sway * width, SIZE[1] * 0.48 + bob * width, width

    return path


def crosses(begin: float, seconds: float, width: float, y: float) -> Path:
    """Return the path of a passer-by from left to right."""

    def path(time: float) -> Where | None:
        if not begin <= time < begin + seconds:
            return None
        return between(time, begin, -0.3 * width, begin + seconds, SIZE[0] + 0.3 * width), y, width

    return path


def swings(hertz: float, depth: float) -> Paint:
    """Return light that swings as a whole: hunting exposure, a bad lamp, a sign."""

    def paint(image: Image, time: float) -> Image:
        return _lit(image, 1 + depth * math.sin(2 * math.pi * hertz * time + 0.7))

    return paint


def bands(depth: float) -> Paint:
    """Return the bands of a lamp on 50 Hz mains under a rolling shutter of 30 ms."""

    def paint(image: Image, time: float) -> Image:
        rows = np.arange(image.shape[0], dtype=np.float32)[:, None, None] / image.shape[0]
        return _lit(image, 1 + depth * np.sin(2 * math.pi * 100 * (time + 0.03 * rows)))

    return paint


def hangs(
    actor: Actor, width: float, x: float, y: float, *, moves: bool = False, until: float = math.inf
) -> Paint:
    """Return a picture of somebody on the wall, its face `width` px wide at (x, y); a screen's `moves`."""

    def paint(image: Image, time: float) -> Image:
        if time >= until:
            return image
        cut, (in_x, in_y) = actor.cut(time if moves else 0.0, width)
        left, top = int(x) - in_x, int(y) - in_y
        right, bottom = min(left + cut.shape[1], image.shape[1]), min(top + cut.shape[0], image.shape[0])
        x0, y0 = max(left, 0), max(top, 0)
        image[y0:bottom, x0:right] = cut[y0 - top : bottom - top, x0 - left : right - left]
        return image

    return paint


def _lit(image: Image, gain: float | np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Image:
    return _picture(image.astype(np.float32) * gain)


def _picture(values: np.ndarray[Any, np.dtype[Any]]) -> Image:
    return np.asarray(np.clip(values, 0, 255), np.uint8)
