"""Can this face be judged at all? What speaks against it is guidance for people, never an accusation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import cv2

from edge.faces.quality import pose

if TYPE_CHECKING:
    from edge.domain import Box, Face, Image


class Hindrance(StrEnum):
    """Why liveness cannot be judged from a frame."""

    TOO_FAR = "too_far"
    AT_EDGE = "at_edge"
    NOT_ALONE = "not_alone"
    UNSURE = "unsure"
    TURNED = "turned"


@dataclass(frozen=True, slots=True)
class GateLimits:
    """What a face must be for its liveness to be judged.

    `min_face_px` 90: below it the networks refuse 11 % of living people instead of 2 %.
    `min_score` 0.8, `max_yaw_deg` 25, the light limits: judgement, never tuned. Light does not
    invalidate a frame, it only changes what a refused visitor is told.
    """

    min_face_px: float = 90.0
    min_score: float = 0.8
    max_yaw_deg: float = 25.0
    min_brightness: float = 45.0
    max_brightness: float = 225.0
    max_backlight: float = 2.0


def hindrance(face: Face, alone: bool, size: tuple[int, int], limits: GateLimits) -> Hindrance | None:  # noqa: FBT001
    """Return what hinders judging `face` in a picture of `size` (height, width), or None."""
    if not alone:
        return Hindrance.NOT_ALONE
    if face.box.width < limits.min_face_px:
        return Hindrance.TOO_FAR
    if not _is_inside(face.box, size):
        return Hindrance.AT_EDGE
    if not face.score >= limits.min_score:
        return Hindrance.UNSURE
    return Hindrance.TURNED if abs(pose(face.landmarks)[0]) > limits.max_yaw_deg else None


def _is_inside(box: Box, size: tuple[int, int]) -> bool:
    """Allow a tenth of the box outside: detectors draw it generously around a near face."""
    height, width = size
    slack_x, slack_y = box.width / 10, box.height / 10
    return (
        box.left >= -slack_x
        and box.top >= -slack_y
        and box.right <= width + slack_x
        and box.bottom <= height + slack_y
    )


def is_badly_lit(image: Image, box: Box, limits: GateLimits) -> bool:
    """Say whether the face is in the dark, glaring, or has a bright window behind it.

    Brightness is the mean of the grey picture, 0..255; backlight the whole frame's over the
    face's. Measured on a picture shrunk to 64 pixels' width.
    """
    height, width = image.shape[:2]
    left, top = max(int(box.left), 0), max(int(box.top), 0)
    face = image[top : int(min(box.bottom, height)), left : int(min(box.right, width))]
    if face.size == 0:
        return True
    bright = _brightness(face)
    backlight = _brightness(image) / max(bright, 1.0)
    return not limits.min_brightness <= bright <= limits.max_brightness or backlight > limits.max_backlight


def _brightness(image: Image) -> float:
    small = cv2.resize(image, (64, 64), interpolation=cv2.INTER_NEAREST)
    return float(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).mean())
