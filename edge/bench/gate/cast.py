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

    from edge.domain import Image
    from edge.ports import Detector

MOST_SECONDS = 20.0
LONGEST_SIDE = 1280
LOOKS = 12
"""Frames of a recording that say where its face is; the median counts."""

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

    def facing_at(self, time: float) -> Actor:
        """Return the same person, looking at the camera from `time` on."""
        return replace(self, shift=self.facing - time)

    def frame(self, time: float) -> Image:
        """Return what the recording shows at `time`; it runs forwards and backwards for ever."""
        last = len(self.frames) - 1
        if last == 0:
            return self.frames[0]
        step = math.floor((time + self.shift) * self.fps + 1e-6) % (2 * last)
        return self.frames[step if step <= last else 2 * last - step]

    def placed(
        self, time: float, middle: tuple[float, float], width: float, size: tuple[int, int]
    ) -> tuple[Image, Image]:
        """Return a picture of `size` with the face at `middle`, `width` px wide, and where the person is.

        The mask is 0..255: head and shoulders, soft at the edge. What the recording does not show
        is its edge drawn out.
        """
        scale, picture = width / self.width, self.frame(time)
        at = scale
        if scale < 0.5:
            picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            at = 1.0
        shift = (middle[0] - scale * self.x, middle[1] - scale * self.y)
        matrix = np.array([[at, 0.0, shift[0]], [0.0, at, shift[1]]], np.float32)
        drawn = cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REPLICATE)
        return drawn, _silhouette(middle, width, size)

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
    step = max(len(frames) // LOOKS, 1)
    found, yaws = [], {}
    for number in range(0, len(frames), step):
        image = frames[number]
        scale = min(1.0, 640 / max(image.shape[:2]))
        seen = cv2.resize(image, None, fx=scale, fy=scale) if scale < 1 else image
        face = max(detector.detect(seen), key=lambda face: face.box.width, default=None)
        if face is not None:
            found.append((*(value / scale for value in face.box.centre), face.box.width / scale))
            yaws[number] = abs(pose(face.landmarks)[0])
    if not found:
        raise FacegateError(f"{name}: no face is seen in it: use a recording or photograph of one person")
    x, y, width = (float(value) for value in np.median(np.array(found), axis=0))
    return Actor(name, tuple(frames), fps, x, y, width, _facing(yaws, step) / fps)


def _facing(yaws: dict[int, float], step: int) -> int:
    """Return the frame from which on two looks together are turned away least; `yaws` by frame."""
    turned = {
        number: yaw + yaws[number + step] for number, yaw in yaws.items() if number + step in yaws
    } or yaws
    return min(turned, key=lambda number: turned[number])


def split(frames: list[Image]) -> tuple[list[Image], list[Image]]:
    """Return the frames to enrol from and those that act: a photograph does both."""
    if len(frames) == 1:
        return frames, frames
    first = max(math.ceil(len(frames) * ENROLLED_SHARE), 1)
    return frames[:first], frames[first:] or frames
