"""How flat turns look: of photographs, computed from recordings, and of the heads in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.bench.pad.flat import paper_turn, random_motion, relief_of
from edge.bench.pad.paced import paced
from edge.faces.liveness.challenge import NEUTRAL_DEG, TURN_DEG
from edge.faces.liveness.gate import GateLimits
from edge.faces.liveness.planarity import FLAT_RESIDUAL, TurnFollower
from edge.faces.looking import Looker
from edge.faces.quality import QualityLimits, pose

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from edge.bench.pad.set import Presentation
    from edge.domain import Face, Frame, Image
    from edge.ports import Detector

LOOKS_PER_SECOND = 15.0
PAPERS_PER_CLIP = 13
"""Photographs made from each clip, at even distances."""


@dataclass(slots=True)
class Turns:
    """Residuals in eye distances: of computed photographs, and of the heads that turned."""

    paper: list[float]
    heads: list[float]

    def add(self, other: Turns) -> None:
        """Add what another recording gave."""
        self.paper += other.paper
        self.heads += other.heads


def turns_of(detector: Detector, presentation: Presentation, random: Random) -> Turns:
    """Return the residuals of one living clip; a turn that cannot be followed counts as flat, 0."""
    looker = Looker(detector, QualityLimits().min_interocular_px)
    watch, near = HeadWatch(), []
    for frame in paced(presentation, LOOKS_PER_SECOND):
        face = _near_face(looker, frame)
        watch.see(frame.image, face)
        if face is not None:
            near.append((frame.image, face))
    chosen = near[:: max(len(near) // PAPERS_PER_CLIP, 1)][:PAPERS_PER_CLIP]
    paper = [relief_of(list(paper_turn(image, random_motion(random))), face.box) for image, face in chosen]
    return Turns([one or 0.0 for one in paper], watch.residuals)


def _near_face(looker: Looker, frame: Frame) -> Face | None:
    faces = looker.glance(frame.image)
    face = max(faces, key=lambda one: one.box.width, default=None)
    return face if face is not None and face.box.width >= GateLimits().min_face_px else None


class HeadWatch:
    """Follows every movement that begins at rest, and notes it when it becomes a turn."""

    def __init__(self) -> None:
        self.residuals: list[float] = []
        self._follower: TurnFollower | None = None

    def see(self, image: Image, face: Face | None) -> None:
        """Take one frame and its near face, None when there is none: that ends a movement."""
        yaw_deg = 0.0 if face is None else abs(pose(face.landmarks)[0])
        if face is None:
            self._follower = None
        elif yaw_deg <= NEUTRAL_DEG:
            self._follower = TurnFollower(image, face.box)
        elif self._follower is not None:
            self._follower.follow(image)
            if yaw_deg >= TURN_DEG:
                self.residuals.append(self._follower.residual() or 0.0)
                self._follower = None


def turns_text(found: Turns) -> str:
    """Return both kinds in two lines, and how many are on the wrong side of the line."""
    return "\n".join(
        (
            _line("photographs, computed", found.paper, [one >= FLAT_RESIDUAL for one in found.paper]),
            _line("heads that turned", found.heads, [one < FLAT_RESIDUAL for one in found.heads]),
        )
    )


def _line(what: str, residuals: Sequence[float], wrong: Sequence[bool]) -> str:
    if not residuals:
        return f"{what}: none"
    low, middle, high = (float(np.percentile(residuals, p)) for p in (5, 50, 95))
    return (
        f"{what}: {len(residuals)}; residual p5 {low:.3f}, median {middle:.3f}, p95 {high:.3f},"
        f" {min(residuals):.3f} to {max(residuals):.3f}; {sum(wrong)} on the wrong side of {FLAT_RESIDUAL}"
    )
