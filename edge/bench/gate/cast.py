"""The people of a scene: a recording or a photograph of one face, drawn wherever the scene wants it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.camera.file import VideoFile, is_picture
from edge.camera.image import decode_image
from edge.errors import FacegateError
from edge.faces.quality import pose

if TYPE_CHECKING:
    from pathlib import Path

    from edge.domain import Box, Image
    from edge.ports import Detector

MOST_SECONDS = 20.0
LONGEST_SIDE = 1280
LOOKS_A_SECOND = 10.0
"""Frames of a recording that say where its face is (the median counts) and when it looks at the camera."""

FACING_SECONDS, FACING_DEG = 1.0, 25.0
"""A person looks at the camera from where they are turned by less than this longest, up to so many s."""

AWAY_DEG = 90.0
"""As turned away as this counts a frame in which no face is found."""

ENROLLED_SHARE = 0.35
"""The beginning of a recording is for enrolment, the rest acts: nobody is recognised by the same frames."""


@dataclass(frozen=True, slots=True, eq=False)
class Actor:
    """One person: frames at `fps`, and the middle and width of the face in them, in pixels."""

    name: str
    frames: tuple[Image, ...]
    fps: float
    x: float
    y: float
    width: float
    facing: float = 0.0
    """Seconds into the recording at which the person looks at the camera."""

    shift: float = 0.0
    """Seconds by which the recording runs ahead of the scene."""

    places: tuple[tuple[float, float, float], ...] = ()
    """Middle and width of the face in every so many frames, evenly; empty where it stays in its place."""

    def facing_at(self, time: float) -> Actor:
        """Return the same person, looking at the camera from `time` on."""
        return replace(self, shift=self.facing - time)

    def frame(self, time: float) -> Image:
        """Return what the recording shows at `time`; it runs forwards and backwards for ever."""
        return self.frames[self._number(time)]

    def _number(self, time: float) -> int:
        last = len(self.frames) - 1
        if last == 0:
            return 0
        step = math.floor((time + self.shift) * self.fps + 1e-6) % (2 * last)
        return step if step <= last else 2 * last - step

    def place(self, time: float) -> tuple[float, float, float]:
        """Return middle and width of the face in the recording at `time`."""
        if not self.places:
            return self.x, self.y, self.width
        return self.places[self._number(time) * len(self.places) // len(self.frames)]

    def placed(
        self, time: float, middle: tuple[float, float], width: float, size: tuple[int, int]
    ) -> tuple[Image, Image]:
        """Return a picture of `size` with the face at `middle`, `width` px wide, and where the person is.

        On average, that is: the person moves there as in the recording, and the mask with them (0..255: head
        and shoulders, soft at the edge). What the recording does not show is its edge drawn out.
        """
        scale, picture = width / self.width, self.frame(time)
        at = scale
        # By area where it shrinks much: a warp picks pixels, and the grain that is left looks like skin to
        # liveness.
        if scale < 0.5:
            picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            at = 1.0
        shift = (middle[0] - scale * self.x, middle[1] - scale * self.y)
        matrix = np.array([[at, 0.0, shift[0]], [0.0, at, shift[1]]], np.float32)
        drawn = cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REPLICATE)
        x, y, wide = self.place(time)
        there = (middle[0] + scale * (x - self.x), middle[1] + scale * (y - self.y))
        return drawn, _silhouette(there, scale * wide, size)

    def cut(self, time: float, width: float) -> tuple[Image, tuple[int, int]]:
        """Return head and shoulders, the face `width` px wide, and where its middle is in that picture."""
        scale = width / self.width
        picture = cv2.resize(self.frame(time), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        x, y = scale * self.x, scale * self.y
        left, top = max(int(x - 1.1 * width), 0), max(int(y - 1.2 * width), 0)
        right, bottom = int(x + 1.1 * width), int(y + 1.5 * width)
        return picture[top:bottom, left:right], (int(x) - left, int(y) - top)


def _silhouette(middle: tuple[float, float], width: float, size: tuple[int, int]) -> Image:
    x, y = middle
    mask = np.zeros((size[1], size[0]), np.uint8)
    head = (max(int(0.86 * width), 1), max(int(1.08 * width), 1))
    cv2.ellipse(mask, (int(x), int(y - 0.12 * width)), head, 0, 0, 360, 255, -1)
    outline = [(0.45, 0.55), (1.45, 1.35), (1.6, 6.0), (-1.6, 6.0), (-1.45, 1.35), (-0.45, 0.55)]
    body = np.array([(x + right * width, y + down * width) for right, down in outline], np.int32)
    cv2.fillPoly(mask, [body], 255)
    soft = max(int(width * 0.08) | 1, 3)
    return np.asarray(cv2.GaussianBlur(mask, (soft, soft), 0), np.uint8)


def load_frames(path: Path) -> tuple[list[Image], float]:
    """Return the frames of a recording or the one of a photograph, and the frames per second.

    At most 20 s, at most 1280 px on a side. Raises `FacegateError` for what cannot be read.
    """
    if is_picture(path):
        return [_small(decode_image(path.read_bytes()))], 1.0
    clip, frames, times = VideoFile(path, threads=1), [], []
    try:
        while (frame := clip.read()) is not None and frame.time <= MOST_SECONDS:
            frames.append(_small(frame.image))
            times.append(frame.time)
    finally:
        clip.close()
    if len(frames) < 2:
        return frames, 1.0
    return frames, (len(times) - 1) / max(times[-1] - times[0], 1e-3)


def _small(image: Image) -> Image:
    scale = LONGEST_SIDE / max(image.shape[:2])
    if scale >= 1:
        return image
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def make_actor(name: str, frames: list[Image], fps: float, detector: Detector) -> Actor:
    """Return who is seen in `frames`. Raises `FacegateError` where no face is found."""
    step = max(round(fps / LOOKS_A_SECOND), 1)
    places: list[tuple[float, float, float] | None] = []
    yaws = []
    for image in frames[::step]:
        scale = min(1.0, 640 / max(image.shape[:2]))
        seen = cv2.resize(image, None, fx=scale, fy=scale) if scale < 1 else image
        face = max(detector.detect(seen), key=lambda face: face.box.width, default=None)
        yaws.append(AWAY_DEG if face is None else abs(pose(face.landmarks)[0]))
        before = places[-1] if places else None
        # Where no face is found the last place counts: the person has turned away, not jumped.
        places.append(before if face is None else _place(face.box, scale))
    found = [one for one in places if one is not None]
    if not found:
        raise FacegateError(f"{name}: no face is seen in it: use a recording or photograph of one person")
    x, y, width = (float(value) for value in np.median(np.array(found), axis=0))
    looks = max(round(FACING_SECONDS * fps / step), 1)
    facing = _facing(yaws, looks) * step / fps
    moves = tuple(one or found[0] for one in places)
    return Actor(name, tuple(frames), fps, x, y, width, facing, places=moves)


def _place(box: Box, scale: float) -> tuple[float, float, float]:
    x, y = box.centre
    return x / scale, y / scale, box.width / scale


def _facing(yaws: list[float], looks: int) -> int:
    """Return from which look on the person looks at the camera longest, up to so many looks."""

    def turned(start: int) -> tuple[int, float]:
        ahead = yaws[start : start + looks]
        facing = next((n for n, yaw in enumerate(ahead) if yaw > FACING_DEG), len(ahead))
        return -facing, sum(ahead)

    return min(range(len(yaws)), key=turned)


def split(frames: list[Image]) -> tuple[list[Image], list[Image]]:
    """Return the frames to enrol from and those that act: a photograph does both."""
    if len(frames) == 1:
        return frames, frames
    first = max(math.ceil(len(frames) * ENROLLED_SHARE), 1)
    return frames[:first], frames[first:] or frames
