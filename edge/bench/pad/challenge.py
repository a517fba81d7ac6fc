"""How often a recording answers a challenge by chance.

The recording starts anywhere and runs in a loop; its movements meet random steps and pauses. Only
the challenge's own logic is judged here: the passive networks, which would mostly refuse the
screen it plays on, are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from random import Random
from typing import TYPE_CHECKING

from edge.faces.liveness.challenge import Challenge, ChallengeProgress, new_challenge

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST_TRY_SECONDS = 40.0


@dataclass(frozen=True, slots=True)
class RecordedPose:
    """Where a face looked at one moment of a recording, and how large it was (eye distance)."""

    time: float
    yaw_deg: float
    scale_px: float


def answered(poses: Sequence[RecordedPose], steps: int, random: Random) -> bool:
    """Return whether the recording, started anywhere, answers one try of `steps` random steps."""
    start = random.randrange(len(poses))
    challenge = new_challenge(steps, poses[start].yaw_deg, 0.0, random)
    # One lap and one frame more: the first pose follows the last one as any other does.
    period = poses[-1].time - poses[0].time + (poses[-1].time - poses[0].time) / max(len(poses) - 1, 1)
    for index in count(start):
        laps, place = divmod(index, len(poses))
        time = poses[place].time + laps * period - poses[start].time
        challenge.feed(time, poses[place].yaw_deg, poses[place].scale_px)
        if _is_over(challenge) or time > LONGEST_TRY_SECONDS:
            return challenge.progress is ChallengeProgress.PASSED
    return False


def _is_over(challenge: Challenge) -> bool:
    return challenge.progress in {ChallengeProgress.PASSED, ChallengeProgress.FAILED}


def chance(poses: Sequence[RecordedPose], steps: int, tries: int, seed: int = 1) -> float:
    """Return the share of `tries` random tries that the recording answers."""
    random = Random(seed)  # noqa: S311 - a simulation, repeatable
    return sum(answered(poses, steps, random) for _ in range(tries)) / tries


def per_window(per_try: float, tries: int) -> float:
    """Return the chance that one of `tries` independent tries before the pause is answered."""
    return 1.0 - (1.0 - per_try) ** tries
