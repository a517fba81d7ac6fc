"""Liveness that asks: a random challenge on top of the passive check, behind the same port."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from edge.domain import Liveness, Reason
from edge.faces.liveness.challenge import STEP_SECONDS, ChallengeProgress, ChallengeStep, new_challenge
from edge.faces.liveness.failures import EVERY_TRY, Failures
from edge.faces.liveness.fusion import DOUBT, NEAR_MISS
from edge.faces.liveness.planarity import FLAT_RESIDUAL, TurnFollower
from edge.faces.liveness.prompts import Prompt
from edge.faces.quality import face_scale_px, pose

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from random import Random

    from edge.domain import Box, Face, Frame, Image
    from edge.faces.liveness.challenge import Challenge
    from edge.faces.liveness.check import PassiveCheck
    from edge.faces.liveness.gate import Hindrance
    from edge.faces.liveness.planarity import ReliefMeter

STRICT_STEPS = 3
DOUBT_STEPS = 2
TRIES = 2
"""Tries before the pause; see docs/pad.md for what recordings achieve in them."""


@dataclass(frozen=True, slots=True)
class Asking:
    """When and how the visitor is asked.

    `is_strict` says of a resident (by id, None for nobody known) and a moment (UTC) whether they
    must answer however clearly they passed. `show` is given each prompt, None to clear the screen;
    it must return at once. `relief` follows a turn. `can_ask` says whether a visitor sees a
    screen now: without one nobody is asked, and who must answer is refused.
    """

    is_strict: Callable[[str | None, datetime], bool]
    show: Callable[[Prompt | None], None]
    random: Random
    relief: Callable[[Image, Box], ReliefMeter] = TurnFollower
    can_ask: Callable[[], bool] = lambda: True


@dataclass(slots=True)
class _Session:
    """The challenge of one track, for whom it was made, and the flatness of each of its turns."""

    challenge: Challenge
    resident_id: str | None
    seen_at: float
    """When its face was last near enough to answer."""
    is_flat: bool = False
    residuals: list[float] = field(default_factory=list)
    follower: ReliefMeter | None = None
    is_over: bool = False


class ActiveCheck:
    """The passive check, then a challenge for those who must or had better answer one.

    The visitor passes when they answered, none of their turns was flat, and the passive check passes
    again on frames taken after the challenge and showing the same face. One thread.
    """

    def __init__(self, passive: PassiveCheck, asking: Asking, failures: Failures | None = None) -> None:
        self._passive = passive
        self._asking = asking
        self._failures = failures or Failures(TRIES, EVERY_TRY)
        self._sessions: dict[int, _Session] = {}
        self._refused: dict[int, Liveness] = {}
        self._yaws: dict[int, float] = {}
        self._advised: dict[int, Hindrance] = {}
        self._shown_to: int | None = None
        self._time = float("-inf")
        self._at: datetime | None = None

    def observe(self, frame: Frame, face: Face, track_id: int, alone: bool) -> None:  # noqa: FBT001
        """Take one frame of a track; a face that touches this one fails a running challenge."""
        self._time, self._at = frame.time, frame.at
        self._failures.pass_time(frame.time)  # its pauses end while nobody is asked, too
        self._end_those_who_stepped_back(track_id)
        self._passive.observe(frame, face, track_id, alone)
        yaw = pose(face.landmarks)[0]
        # Smoothed over some four frames: a challenge takes this for looking straight ahead when it begins.
        old = self._yaws.get(track_id, yaw)
        self._yaws[track_id] = old + (yaw - old) / 4
        session = self._sessions.get(track_id)
        if session is not None and not session.is_over:
            self._step(frame, face, track_id, session)
            # Whose face moved is not known: a resident's picture beside a face that does as asked must not
            # pass.
            if not alone:
                session.challenge.fail("another face touches this one")

    def _step(self, frame: Frame, face: Face, track_id: int, session: _Session) -> None:
        challenge, session.seen_at = session.challenge, frame.time
        before = challenge.progress, challenge.done
        # Before the pose is judged: the frame that ends a turn belongs to it.
        if session.follower is not None:
            session.follower.follow(frame.image)
        challenge.feed(frame.time, pose(face.landmarks)[0], face_scale_px(face))
        if challenge.done > before[1]:
            _end_turn(session)
        # Coming closer has no relief to judge: it is seen in turns (`planarity`).
        if challenge.step in {ChallengeStep.LEFT, ChallengeStep.RIGHT} and session.follower is None:
            session.follower = self._asking.relief(frame.image, face.box)
        if (challenge.progress, challenge.done) != before:
            # Whoever stands there when a step begins has to be the one who passes in the end.
            if challenge.progress is ChallengeProgress.ASKING:
                self._passive.remember(track_id)
            self._show_step(track_id, challenge)

    def is_ready(self, track_id: int, resident_id: str | None = None) -> bool:
        """Return whether `assess` has something to say or to do, and count nothing against this resident."""
        session = self._sessions.get(track_id)
        if track_id in self._refused:
            return True
        if session is None or session.is_over:
            is_ready = self._passive.is_ready(track_id, resident_id)
            self._advise(track_id)
            return is_ready
        is_asking = session.challenge.progress in {ChallengeProgress.RESTING, ChallengeProgress.ASKING}
        is_paused = self._failures.is_paused(session.resident_id, self._time)
        is_void = not self._asking.can_ask() or self._is_too_little(session, resident_id)
        return not is_asking or session.is_flat or is_paused or is_void

    def assess(self, track_id: int, resident_id: str | None = None) -> Liveness | None:
        """Return the verdict on this track now, or None while frames or answers are wanted.

        What `resident_id` must answer is asked about each time: a challenge that was made for
        somebody else, or while less was wanted, counts for nothing.
        """
        if track_id in self._refused:
            return self._refused[track_id]
        session = self._sessions.get(track_id)
        if session is not None and not session.is_over and not self._asking.can_ask():
            del self._sessions[track_id]  # nobody sees what is asked: that is no failed try
            session = None
        if session is None:
            return self._first(track_id, resident_id)
        if self._is_too_little(session, resident_id):
            self.reset(track_id)
            return None
        return self._answered(track_id, session)

    def _answered(self, track_id: int, session: _Session) -> Liveness | None:
        """Return what the challenge of this track has come to by now."""
        if self._failures.is_paused(session.resident_id, self._time):
            return Liveness(False, None, Reason.LOCKOUT_MAX_ATTEMPTS)
        if session.challenge.progress is ChallengeProgress.FAILED or session.is_flat:
            return self._failed(track_id, session)
        if session.challenge.progress is not ChallengeProgress.PASSED:
            return None
        return self._last(track_id, session)

    def _is_too_little(self, session: _Session, resident_id: str | None) -> bool:
        is_short = len(session.challenge.steps) < STRICT_STEPS
        return session.resident_id != resident_id or (is_short and self._is_strict(resident_id))

    def _is_strict(self, resident_id: str | None) -> bool:
        return self._at is None or self._asking.is_strict(resident_id, self._at)

    def _first(self, track_id: int, resident_id: str | None) -> Liveness | None:
        """Return the passive verdict, unless this visitor is to be asked."""
        verdict = self._passive.assess(track_id, resident_id)
        self._advise(track_id)
        if verdict is None:
            return None
        # Whom the networks clearly refused is not asked at all: no answer makes a screen a face.
        must_answer = (verdict.passed or verdict.wants_more) and self._is_strict(resident_id)
        had_better = _is_in_doubt(verdict) or verdict.wants_more
        if not must_answer and not (had_better and self._asking.can_ask()):
            return verdict
        if not self._asking.can_ask():
            return Liveness(False, verdict.score, Reason.PAD_UNAVAILABLE, {**verdict.cues, "screen": 0.0})
        # Only who is asked waits out this pause: a neighbour who need not answer is let in meanwhile.
        if self._failures.is_paused(resident_id, self._time):
            return Liveness(False, verdict.score, Reason.LOCKOUT_MAX_ATTEMPTS, verdict.cues)
        if self._is_somebody_else_asked(track_id):
            return None
        # Refused narrowly: the refusal would stand. Asked, they get another judgement, by the same line.
        if not verdict.passed and not verdict.wants_more:
            self._passive.restart(track_id, self._time)
        self._begin(track_id, resident_id, self._steps_after(verdict, resident_id), self._yaws[track_id])
        return None

    def _is_somebody_else_asked(self, track_id: int) -> bool:
        """Return whether another visitor is answering: one display asks one at a time, the others wait."""
        return any(
            other != track_id and not session.is_over and other not in self._refused
            for other, session in self._sessions.items()
        )

    def _end_those_who_stepped_back(self, seen: int) -> None:
        """End the challenge of a face in view that is too far off to answer: the one `seen` may wait for it.

        The face that is asked itself is too slow when it is seen again, and gets its next try.
        """
        for track_id, session in list(self._sessions.items()):
            is_stale = not session.is_over and self._time - session.seen_at > STEP_SECONDS
            if is_stale and track_id != seen:
                self.reset(track_id)

    def _steps_after(self, verdict: Liveness, resident_id: str | None) -> int:
        """Return how many steps are asked for: more where the networks did not say yes."""
        said_yes = (verdict.passed or verdict.wants_more) and verdict.score is not None
        return DOUBT_STEPS if said_yes and not self._is_strict(resident_id) else STRICT_STEPS

    def _advise(self, track_id: int) -> None:
        """Tell who waits in vain what to do; take it back when it was done."""
        hindered = None if self._is_somebody_else_asked(track_id) else self._passive.hindered(track_id)
        if hindered is None:
            if self._advised.pop(track_id, None) is not None:
                self._clear(track_id)
        elif self._advised.get(track_id) is not hindered:
            self._advised[track_id] = hindered
            self._show(Prompt(track_id, hindered.value))

    def _begin(self, track_id: int, resident_id: str | None, count: int, rest_yaw_deg: float) -> None:
        challenge = new_challenge(count, rest_yaw_deg, self._time, self._asking.random)
        self._sessions[track_id] = _Session(challenge, resident_id, self._time)
        self._passive.remember(track_id)
        self._show_step(track_id, challenge)

    def _last(self, track_id: int, session: _Session) -> Liveness | None:
        """After the challenge, let the passive check begin again and decide."""
        if not session.is_over:
            session.is_over = True
            self._passive.restart(track_id, self._time)
            self._show(Prompt(track_id, "thanks"))
        # "Wants more" is enough now: the answers are what more was asked for.
        verdict = self._passive.assess(track_id, session.resident_id)
        if verdict is None or not (verdict.passed or verdict.wants_more):
            return verdict
        # There is at least one: each challenge has a turn in it (`draw_steps`).
        flatness = min(session.residuals)
        cues = {**verdict.cues, "steps": float(session.challenge.done), "relief": flatness}
        return replace(verdict, passed=True, reason=None, cues=cues)

    def _failed(self, track_id: int, session: _Session) -> Liveness | None:
        """Count the try; ask once more, or refuse."""
        self._failures.fail(session.resident_id, self._time)
        if not self._failures.is_paused(session.resident_id, self._time):
            self._show(Prompt(track_id, "again"))
            # Other steps, and other pauses before them: what was filmed of the first try fits no second one.
            challenge = session.challenge
            self._begin(track_id, session.resident_id, len(challenge.steps), challenge.rest_yaw_deg)
            return None
        self._show(Prompt(track_id, "failed"))
        cues = {"steps": float(session.challenge.done), "flat": float(session.is_flat)}
        self._refused[track_id] = Liveness(False, None, Reason.CHALLENGE_FAILED, cues)
        return self._refused[track_id]

    def _show(self, prompt: Prompt) -> None:
        self._shown_to = prompt.track_id
        self._asking.show(prompt)

    def _clear(self, track_id: int) -> None:
        """Take back what this visitor was told; what another one is told stays."""
        if self._shown_to == track_id:
            self._shown_to = None
            self._asking.show(None)

    def _show_step(self, track_id: int, challenge: Challenge) -> None:
        if challenge.progress is ChallengeProgress.RESTING:
            self._show(Prompt(track_id, "look", challenge.done + 1, len(challenge.steps)))
        elif challenge.step is not None:
            number, count = challenge.done + 1, len(challenge.steps)
            self._show(Prompt(track_id, challenge.step.value, number, count, STEP_SECONDS))

    def opinion(self, track_id: int) -> bool | None:
        """Return what the passive check thinks: nobody who is in is asked for movements."""
        return self._passive.opinion(track_id)

    def confirm(self, track_id: int, resident_id: str | None) -> None:
        """Forget the failed tries of this resident, who answered."""
        self._passive.confirm(track_id, resident_id)
        if track_id in self._sessions:
            self._failures.succeed(resident_id, self._time)

    def reset(self, track_id: int) -> None:
        """Forget a track, and what it was asked. An unfinished challenge counts as a failed try."""
        session = self._sessions.pop(track_id, None)
        # Else stepping out of view whenever a recording does not fit would give tries without end.
        if session is not None and not session.is_over and track_id not in self._refused:
            self._count_unfinished(session)
        self._advised.pop(track_id, None)
        self._clear(track_id)
        self._refused.pop(track_id, None)
        self._yaws.pop(track_id, None)
        self._passive.reset(track_id)

    def _count_unfinished(self, session: _Session) -> None:
        if not self._failures.is_paused(session.resident_id, self._time):
            self._failures.fail(session.resident_id, self._time)


def _is_in_doubt(verdict: Liveness) -> bool:
    """Return whether the networks were undecided: a narrow pass, or a narrow refusal."""
    return verdict.score is not None and NEAR_MISS <= verdict.score < DOUBT


def _end_turn(session: _Session) -> None:
    """Judge the turn that was just made; one that cannot be judged counts as flat."""
    if session.follower is None:
        return
    residual = session.follower.residual()
    session.follower = None
    session.residuals.append(0.0 if residual is None else residual)
    session.is_flat |= session.residuals[-1] < FLAT_RESIDUAL
