"""A few random movements, asked for one after the other: what no recording was made to answer.

Pure logic over poses and times. Before each step the face must rest for a random moment; then
the first real movement must be the one asked for, not before a person can have understood and
not after three seconds. A recording moves when it likes, so it mostly fails the first of these.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

TURN_DEG = 20.0
"""A turn that counts: 5-point yaw follows a mesh of 468 points with a correlation of .85 to .98."""

WRONG_TURN_DEG = 14.0
"""A turn this far when another movement was asked for is a wrong move."""

NEUTRAL_DEG = 9.0
"""A face has come to rest within this; beyond `WRONG_TURN_DEG` it has moved again."""

CLOSER = 1.25
WRONG_CLOSER = 1.18
REACTION_SECONDS = 0.25
"""Nobody reads a prompt and has turned their head sooner; a recording does by chance."""

STEP_SECONDS = 3.0
REST_SECONDS = (0.4, 2.0)
"""How long to keep still before a step, at random: a recorded answer comes at its own time."""
SETTLE_SECONDS = 6.0
"""To come to rest before a step; somebody who never does is not answering."""

FRAMES_TO_COUNT = 2
"""One frame may be a slip of the landmarks."""


class ChallengeStep(StrEnum):
    """What may be asked for; left and right are the visitor's own."""

    LEFT = "turn_left"
    RIGHT = "turn_right"
    CLOSER = "come_closer"


class ChallengeProgress(StrEnum):
    """How a challenge stands."""

    RESTING = "resting"
    ASKING = "asking"
    PASSED = "passed"
    FAILED = "failed"


def draw_steps(count: int, random: Random) -> tuple[ChallengeStep, ...]:
    """Return `count` random steps, at least one turn and at most one step forward."""
    while True:
        steps = tuple(random.choice(list(ChallengeStep)) for _ in range(count))
        # One turn at least: relief is judged in turns (`planarity`).
        if steps.count(ChallengeStep.CLOSER) <= min(1, count - 1):
            return steps


@dataclass(slots=True)
class Challenge:
    """One try. Feed it every frame's pose; `progress` says how it stands.

    `rest_yaw_deg` is the yaw at which this face looks straight at the camera. `why` names what
    failed it. Times are those of the frames.
    """

    steps: tuple[ChallengeStep, ...]
    rests: tuple[float, ...]
    rest_yaw_deg: float
    since: float
    progress: ChallengeProgress = ChallengeProgress.RESTING
    why: str = ""
    done: int = 0
    _still_since: float | None = None
    _scale_px: float = 0.0
    _run: list[ChallengeStep] = field(default_factory=list)

    @property
    def step(self) -> ChallengeStep | None:
        """What is asked for right now; None while the face should rest or all is over."""
        return self.steps[self.done] if self.progress is ChallengeProgress.ASKING else None

    def feed(self, time: float, yaw_deg: float, scale_px: float) -> None:
        """Take the pose of one frame: yaw in degrees, size as eye distance in pixels."""
        if self.progress is ChallengeProgress.RESTING:
            self._rest(time, yaw_deg, scale_px)
        elif self.progress is ChallengeProgress.ASKING:
            self._judge(time, yaw_deg - self.rest_yaw_deg, scale_px / max(self._scale_px, 1e-6))

    def _rest(self, time: float, yaw_deg: float, scale_px: float) -> None:
        away_deg = abs(yaw_deg - self.rest_yaw_deg)
        if self._still_since is None and away_deg <= NEUTRAL_DEG:
            self._still_since = time
        if self._still_since is not None and away_deg >= WRONG_TURN_DEG:
            self.fail("moved before it was asked")
        elif self._still_since is not None and time - self._still_since >= self.rests[self.done]:
            self.progress, self.since, self._scale_px = ChallengeProgress.ASKING, time, scale_px
            self._run.clear()
        elif time - self.since > SETTLE_SECONDS:
            self.fail("never at rest")

    def _judge(self, time: float, turn_deg: float, growth: float) -> None:
        asked = self.steps[self.done]
        # A wrong movement is wrong sooner than the right one is done, so nobody passes by moving every way.
        wrong = _movement(turn_deg, growth, WRONG_TURN_DEG, WRONG_CLOSER)
        done = _movement(turn_deg, growth, TURN_DEG, CLOSER)
        self._run = [*self._run, done] if done is asked else []
        if wrong not in {None, asked}:
            self.fail("wrong movement")
        elif wrong is not None and time - self.since < REACTION_SECONDS:
            self.fail("moved before it was asked")
        elif time - self.since > STEP_SECONDS:
            self.fail("too slow")
        elif len(self._run) >= FRAMES_TO_COUNT:
            self._advance(time)

    def _advance(self, time: float) -> None:
        self.done += 1
        self.since, self._still_since = time, None
        self.progress = (
            ChallengeProgress.PASSED if self.done == len(self.steps) else ChallengeProgress.RESTING
        )

    def fail(self, why: str) -> None:
        """End this try: a movement was wrong, or the face on it is in doubt."""
        self.progress, self.why = ChallengeProgress.FAILED, why


def new_challenge(count: int, rest_yaw_deg: float, time: float, random: Random) -> Challenge:
    """Return a try of `count` random steps with random pauses, beginning at `time`."""
    rests = tuple(random.uniform(*REST_SECONDS) for _ in range(count))
    return Challenge(draw_steps(count, random), rests, rest_yaw_deg, time)


def _movement(turn_deg: float, growth: float, turn: float, closer: float) -> ChallengeStep | None:
    """Return what a face does that has turned and grown this much, None when it rests.

    Positive yaw is the picture's right, which is the visitor's left.
    """
    if abs(turn_deg) >= turn:
        return ChallengeStep.LEFT if turn_deg > 0 else ChallengeStep.RIGHT
    return ChallengeStep.CLOSER if growth >= closer else None
