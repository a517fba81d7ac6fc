"""Can this face be judged at all? What speaks against it is guidance for people, never an accusation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from edge.faces.quality import pose

if TYPE_CHECKING:
    from edge.domain import Box, Face


SURE_FACE_PX = 120.0
"""Whoever was not clearly judged on a smaller face has to come nearer. A refusal is early: somebody who comes
nearer is judged anew, and told nothing yet (one of seven people, drawn before a corridor, scores 0.3 at 60 to
90 px, 0.67 at 110 and 0.96 at 190). After a narrow pass (under `fusion.DOUBT`) no PIN is asked for yet."""


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

    `min_face_px` 50: the least width at which the networks were tried; with the plain box (see
    `chips.context_chip`) people at 53 to 75 px pass as those at arm's length do.
    `min_score` 0.8, `max_yaw_deg` 25, the light limits: judgement, never tuned. Light does not
    invalidate a frame, it only changes what a refused visitor is told. `max_white` a third: in twice
    the light of their recordings two living faces were refused, 0.40 and 0.41 of them white; those with
    0.25 and less of it pass.
    """

    min_face_px: float = 50.0
    min_score: float = 0.8
    max_yaw_deg: float = 25.0
    min_brightness: float = 45.0
    max_brightness: float = 225.0
    max_backlight: float = 2.0
    max_white: float = 1 / 3


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
