"""Turns of a flat photograph, made from one frame, and turns of heads, found in recordings.

No print attack was recorded, so what a photograph does is computed: its plane is turned, tilted,
shifted and brought nearer before a pinhole camera. That says nothing about paper that is bent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.faces.liveness.planarity import TurnFollower

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random

    from numpy.typing import NDArray

    from edge.domain import Box, Image

FRAMES = 10
FOCAL_WIDTHS = 1.2
"""Focal length over picture width: a lens of about 45 degrees."""


@dataclass(frozen=True, slots=True)
class PaperMotion:
    """Where a photograph has gone by the end of a turn: degrees, shares of its width, times nearer."""

    yaw_deg: float
    tilt_deg: float
    shift: float
    nearer: float


def random_motion(random: Random) -> PaperMotion:
    """Return a turn of 20 to 40 degrees to either side with some tilt, shift and approach."""
    yaw = random.choice((-1, 1)) * random.uniform(20, 40)
    return PaperMotion(yaw, random.uniform(-10, 10), random.uniform(-0.05, 0.05), random.uniform(0.95, 1.1))


def paper_turn(image: Image, motion: PaperMotion) -> Iterator[Image]:
    """Yield `FRAMES` pictures of the photograph `image` as `motion` carries it away."""
    height, width = image.shape[:2]
    for index in range(FRAMES):
        share = index / (FRAMES - 1)
        yield np.asarray(
            cv2.warpPerspective(image, _seen(motion, share, width, height), (width, height)), np.uint8
        )


def _seen(motion: PaperMotion, share: float, width: int, height: int) -> NDArray[np.float64]:
    """Return the homography from the photograph to the picture at `share` of the way."""
    focal = FOCAL_WIDTHS * width
    yaw, tilt = math.radians(motion.yaw_deg * share), math.radians(motion.tilt_deg * share)
    about_y = np.array([[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(tilt), -math.sin(tilt)], [0, math.sin(tilt), math.cos(tilt)]])
    turned = about_y @ about_x
    away = np.array([motion.shift * share, 0, 1 / (1 + (motion.nearer - 1) * share)])
    plane = np.column_stack([turned[:, 0], turned[:, 1], away])
    camera = np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    onto = np.array([[1 / focal, 0, -width / 2 / focal], [0, 1 / focal, -height / 2 / focal], [0, 0, 1]])
    return np.asarray(camera @ plane @ onto, np.float64)


def relief_of(frames: Sequence[Image], box: Box) -> float | None:
    """Return how badly a flat picture explains these frames of one turn; `box` is the face in the first."""
    follower = TurnFollower(frames[0], box)
    for frame in frames[1:]:
        follower.follow(frame)
    return follower.residual()
