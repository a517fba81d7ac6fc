"""Faces of visits that ended a moment ago: who steps out of view and in again is on the same visit.

Held in memory only, a few minutes and a few faces at most; never written anywhere. What a face has
spent of its error rate and what it was told stay with the face, not with its track.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.domain import Embedding, Reason
    from edge.recognition.visits import Visit

MEMORY_SECONDS = 300.0
"""Counted from when the face was last seen. An attacker who waits longer gets 12 visits an hour."""

MOST_FACES = 64

SAME_PERSON_SIMILARITY = 0.5
"""Between the mean of an earlier visit's shots and a new shot. Shots of one person on one occasion
gave 0.6 and more; two people reach 0.5 less than once in 100,000 comparisons."""


@dataclass(frozen=True, slots=True, eq=False)
class Remembered:
    """What is known of one face since its last visit. `looks` were spent, `told` was said."""

    face: Embedding
    seen_at: float
    looks: int
    told: frozenset[Reason]
    let_in: str | None

    def __repr__(self) -> str:
        return f"Remembered(seen_at={self.seen_at:.1f}, looks={self.looks})"


class RecentFaces:
    """The faces of the latest visits. One thread; times are monotonic seconds."""

    def __init__(self) -> None:
        self._faces: list[Remembered] = []

    def keep(self, visit: Visit, time: float) -> None:
        """Remember the face of a visit that ended or may now be another's; nothing without a shot."""
        if not visit.evidence.shots:
            return
        face = visit.evidence.mean()
        looks, told = visit.evidence.looks, frozenset(visit.told)
        kept = Remembered(face, time, looks, told, visit.let_in)
        # One entry a face, the latest: its looks include those of the visits before (`Visit.resume`).
        self._faces = [*(one for one in self._faces if not _is_same(one, face)), kept][-MOST_FACES:]

    def recall(self, shot: Embedding, time: float) -> Remembered | None:
        """Return the remembered face that `shot` shows, the most alike, or None."""
        # 0 <=: after a step back of the clock nothing is known rather than kept for the length of the step.
        self._faces = [one for one in self._faces if 0 <= time - one.seen_at <= MEMORY_SECONDS]
        alike = [(float(one.face @ shot), one) for one in self._faces]
        likeness, best = max(alike, key=lambda pair: pair[0], default=(0.0, None))
        return best if likeness >= SAME_PERSON_SIMILARITY else None


def _is_same(one: Remembered, face: Embedding) -> bool:
    return float(one.face @ face) >= SAME_PERSON_SIMILARITY
