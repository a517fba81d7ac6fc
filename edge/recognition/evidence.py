"""When is a visitor recognised: evidence over a visit, with one error rate for the whole of it.

One very clear shot may be enough; weaker ones must add up. The rule is a sequential test: each
look at a visitor may spend a share of the wanted false-positive identification rate. The shares
of all looks sum to 1, so by the union bound a stranger's chance of ever being taken for a
resident stays below that rate however long they stand there (alpha spending, Lan & DeMets,
Biometrika 70, 1983). A look compares the mean of the recent shots; the
newest shot must itself point to the same resident, so that a grant is never older than a frame.

Looks of one visit are alike, so the sum errs on the strict side: six looks at one threshold raise a
stranger's chance 1.4 to 2.5 times, not six times (85 and 74 stretches of 26 faces in clips, 0.07 and 0.2 s
apart). What is saved covers what a single look with one photo does not show: the mean of three photos
matches strangers 1.3 to 1.6 times as often as one photo.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from edge.domain import FIRST_LOOK_SHARE, Reason, Verdict

if TYPE_CHECKING:
    from edge.domain import Embedding, Match, OperatingPoint

MAX_SHOTS = 5
"""Shots averaged at most: beyond five the mean gained nothing on the walking clips."""

SHOT_LIFE_SECONDS = 2.5
"""Older shots are dropped: a walking person has become a better picture since."""

SAME_FACE_SIMILARITY = 0.4
"""Least similarity of a new shot to the mean of the others. Neighbouring shots of one person
gave 0.6 and more on every clip, shots of two people under 0.35."""

SUPPORT_SLACK = 0.15
"""The newest shot may fall this far below the threshold that the mean must reach."""

HOPE_SLACK = 0.12
"""A mean further below the threshold than this is probably a stranger's, who is looked at less
often. Residents on the walking clips came within 0.08 on their second usable look."""

LOOKS_TO_REFUSE = 3
"""Looks before a stranger is told so; the first may fall on a bad moment."""


EQUAL_LOOKS = 6
NEXT_SHARE = 0.09
"""Half of the rate is the first look's: most residents are let in on it. The next five may spend as much
each: a visitor who comes nearer gives better shots, and a threshold that rose from look to look would
run ahead of them. They ask for 0.04 more than the first, and the mean of several shots gives more."""


def share_of_look(look: int) -> float:
    """Return the part of the visit's error rate that look number `look` (1, 2, ...) may spend.

    After six looks the rest is spread over ever more of them: the sum over all is exactly 1.
    """
    if look <= 1:
        return FIRST_LOOK_SHARE
    if look <= EQUAL_LOOKS:
        return NEXT_SHARE
    later = look - EQUAL_LOOKS
    rest = 1 - FIRST_LOOK_SHARE - (EQUAL_LOOKS - 1) * NEXT_SHARE
    # 1/(n(n+1)) over n = 1, 2, ... sums to 1.
    return rest / (later * (later + 1))


def weigh(shot: Match, mean: Match, point: OperatingPoint) -> tuple[Verdict, Reason]:
    """Return the verdict of one look: GRANT, or WAIT with what stands in the way.

    `shot` is the newest shot's match, `mean` that of the mean of the recent shots, `point` the
    threshold at this look's share of the error rate. Comparisons are written so that NaN waits.
    """
    if mean.resident_id is None or not mean.similarity >= point.threshold:
        return Verdict.WAIT, Reason.UNKNOWN_CREDENTIAL
    # The newest shot must agree: who gave the earlier ones may have stepped aside.
    if shot.resident_id != mean.resident_id or not shot.similarity >= point.threshold - SUPPORT_SLACK:
        return Verdict.WAIT, Reason.COLLECTING
    if not mean.margin >= point.margin:
        return Verdict.WAIT, Reason.AMBIGUOUS_MATCH
    return Verdict.GRANT, Reason.GRANTED


@dataclass(slots=True)
class Evidence:
    """The recent shots of one visitor, and how many looks were spent on them.

    A look is spent by every comparison that could take a stranger for a resident. Confirming
    with a fresh shot somebody who is recognised already spends none: that error was paid for.
    """

    looks: int = 0
    shots: list[tuple[float, Embedding]] = field(default_factory=list)

    def add(self, time: float, shot: Embedding) -> bool:
        """Take one shot; return False when it is of another face, which starts the evidence anew.

        The looks already spent stay spent; whether this shot spends one is the caller's to say.
        """
        self.shots = [(at, old) for at, old in self.shots if time - at <= SHOT_LIFE_SECONDS]
        same = not self.shots or float(self.mean() @ shot) >= SAME_FACE_SIMILARITY
        if not same:
            # The new face stays, the old ones go: judged is who stands there now.
            self.shots.clear()
        self.shots = [*self.shots, (time, shot)][-MAX_SHOTS:]
        return same

    def mean(self) -> Embedding:
        """Return the unit mean of the shots, (D,) float32. There must be at least one."""
        total = np.sum(np.stack([shot for _, shot in self.shots]), axis=0, dtype=np.float64)
        return np.asarray(total / np.linalg.norm(total), np.float32)

    def drop(self) -> None:
        """Forget the shots (the face may be another one now) but not the looks."""
        self.shots.clear()


def is_hopeless(mean: Match, point: OperatingPoint, looks: int) -> bool:
    """Return whether more shots would be wasted: a clear stranger, or shots used up."""
    # `not >=` instead of `<`, so that NaN is far below. After `MAX_SHOTS` looks the mean gains nothing more.
    far_below = not mean.similarity >= point.threshold - HOPE_SLACK
    return looks >= MAX_SHOTS or (far_below and looks >= LOOKS_TO_REFUSE)
