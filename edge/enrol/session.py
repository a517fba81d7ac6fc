"""Guided enrolment: frames in, guidance out, until the templates are good or time is up.

A pure state machine: time comes from the frames, nothing is stored here. Half of the shots become
templates, the other half is held out to measure them with.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge.domain import Flaw, Reason
from edge.enrol.guidance import Guidance, Refusal
from edge.enrol.poses import Plan, Pose
from edge.enrol.shots import (
    AGREEMENT,
    ENROL_LIMITS,
    RIVAL_RATIO,
    mean_of,
    prominence,
    reference_embedding,
)
from edge.enrol.verdict import (
    EnrolmentReport,
    Objection,
    measured,
    measured_by_turns,
    objection_to,
)
from edge.faces.looking import Looker
from edge.faces.quality import measure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.domain import Box, Embedding, Face, Frame, Image, Liveness, Quality
    from edge.faces.quality import QualityLimits
    from edge.ports import Detector, Embedder, Identifier, LivenessCheck
    from edge.words import Message


ASK = {
    Pose.FRONT: Guidance.LOOK_HERE,
    Pose.LEFT: Guidance.TURN_LEFT,
    Pose.RIGHT: Guidance.TURN_RIGHT,
    Pose.UP: Guidance.CHIN_UP,
    Pose.DOWN: Guidance.CHIN_DOWN,
}

HINDRANCES = {
    Flaw.NOT_UPRIGHT: Guidance.NOT_UPRIGHT,
    Flaw.OUTSIDE_ZONE: Guidance.MIDDLE,
    Flaw.AT_EDGE: Guidance.MIDDLE,
    Flaw.TOO_FAR: Guidance.COME_CLOSER,
    Flaw.TOO_DARK: Guidance.TOO_DARK,
    Flaw.TOO_BRIGHT: Guidance.TOO_BRIGHT,
    Flaw.NOT_FACING: Guidance.TURN_LESS,
    Flaw.BLURRED: Guidance.HOLD_STILL,
    Flaw.LOW_SCORE: Guidance.UNCOVER,
}
"""In order of weight: the first flaw that applies is the one that is told."""

UNLIVELY: dict[Reason | None, Refusal] = {
    Reason.PAD_NO_RESPONSE: Refusal.LIVENESS_UNCLEAR,
    Reason.PAD_UNAVAILABLE: Refusal.LIVENESS_UNAVAILABLE,
    Reason.SECOND_FACTOR_REQUIRED: Refusal.LIVENESS_UNCLEAR,
}
"""What a failed liveness check means here; every other reason is an attack."""

ODD_SHOTS = 4
"""So many shots in a row that are not the first person: somebody else stands here now."""

TRACK = 0
"""Liveness is watched on one person: this track."""


@dataclass(frozen=True, slots=True)
class EnrolmentProgress:
    """What to show now. `share` 0..1; `box` in pixels of the frame; `quality` of the face looked at."""

    guidance: Guidance
    wanted: Pose | None
    share: float
    seconds_left: float
    box: Box | None = None
    quality: Quality | None = None

    @property
    def is_over(self) -> bool:
        """True when the session has an outcome."""
        return self.wanted is None


@dataclass(frozen=True, slots=True, eq=False)
class EnrolmentOutcome:
    """What came of a session: rows for the store (shots, then their mean), a report, an objection."""

    rows: tuple[Embedding, ...]
    report: EnrolmentReport | None
    objection: Objection | None


class GuidedSession:
    """Collects one resident's shots from the frames of the door's own camera. One thread.

    `liveness` None means that nobody checks for pictures of people: an installer must be watching.
    `outcome` is None until it stops by itself.
    """

    def __init__(
        self,
        resident_id: str,
        see: tuple[Detector, Embedder],
        identifier: Identifier,
        liveness: LivenessCheck | None = None,
        plan: Plan | None = None,
        limits: QualityLimits = ENROL_LIMITS,
    ) -> None:
        self.outcome: EnrolmentOutcome | None = None
        self._resident_id = resident_id
        detector, self._embedder = see
        self._looker = Looker(detector, limits.min_interocular_px)
        self._identifier = identifier
        self._liveness = liveness
        self._plan = plan or Plan()
        self._limits = limits
        self._shots: dict[Pose, list[Embedding]] = {pose: [] for pose in Pose}
        self._given_up: set[Pose] = set()
        self._level: list[tuple[float, float]] = []
        self._told: Counter[Guidance] = Counter()
        self._odd = 0
        self._begun: float | None = None
        self._next_shot = self._wanted_since = float("-inf")

    def observe(self, frame: Frame) -> EnrolmentProgress:
        """Take the next frame and return what to tell the person. Raises nothing of its own."""
        if self._begun is None:
            self._begun = self._wanted_since = frame.time
        if self.outcome is not None:
            return self._progress(frame, Guidance.DONE)
        if frame.time - self._begun >= self._plan.limit_seconds:
            self._finish(timed_out=True)
            return self._progress(frame, Guidance.DONE)
        guidance, box, quality = self._look(frame)
        self._told[guidance] += 1
        self._give_up_slowly(frame.time)
        if self.wanted is None and self.outcome is None:
            guidance = self._conclude()
        return self._progress(frame, guidance, box, quality)

    @property
    def wanted(self) -> Pose | None:
        """The pose that is asked for now, or None when there is enough."""
        for pose, shots in self._shots.items():
            if len(shots) < self._plan.quota(pose) and pose not in self._given_up:
                return pose
        return None

    def _look(self, frame: Frame) -> tuple[Guidance, Box | None, Quality | None]:
        faces = self._looker.glance(frame.image)
        main = _main_face(faces, frame.image)
        if main is None:
            if self._liveness is not None:
                # Liveness is of one person: whoever stands here alone next begins anew.
                self._liveness.reset(TRACK)
            return (Guidance.ONE_PERSON if faces else Guidance.NOBODY), None, None
        face = self._looker.close_up(frame.image, main)
        if face is None:
            return Guidance.LOOK_HERE, main.box, None
        if self._liveness is not None:
            self._liveness.observe(frame, face, TRACK, alone=len(faces) == 1)
        quality = measure(frame.image, face, self._limits)
        if self._looker.turn_of(frame.image, face):
            quality = replace(quality, flaws=(Flaw.NOT_UPRIGHT,))
        return self._judge(frame, face, quality), face.box, quality

    def _judge(self, frame: Frame, face: Face, quality: Quality) -> Guidance:
        """Return what is in the way of a shot of the wanted pose, or take it."""
        for flaw, guidance in HINDRANCES.items():
            if flaw in quality.flaws:
                return guidance
        wanted = self.wanted
        if wanted is None:
            return Guidance.WAIT
        if self._pose_of(quality, frame.time) is not wanted:
            return ASK[wanted]
        if frame.time < self._next_shot:
            return Guidance.HOLD_STILL
        self._next_shot = frame.time + self._plan.interval_seconds
        return self._take(frame, face, quality, wanted)

    def _pose_of(self, quality: Quality, time: float) -> Pose | None:
        """Return the pose relative to how this person looks straight at this camera."""
        if self._level:
            yaws, pitches = zip(*self._level, strict=True)
            yaw = quality.yaw_deg - sum(yaws) / len(yaws)
            return self._plan.pose_of(yaw, quality.pitch_deg - sum(pitches) / len(pitches))
        is_late = time - self._wanted_since >= self._plan.patience_seconds
        if is_late and abs(quality.yaw_deg) <= self._plan.aside_yaw_deg:
            return Pose.FRONT
        return self._plan.pose_of(quality.yaw_deg, 0.0)

    def _take(self, frame: Frame, face: Face, quality: Quality, pose: Pose) -> Guidance:
        shots = self._shots[pose]
        # A shot that is held out is embedded as the door does it: once, without its mirror image.
        is_template = len(shots) % 2 == 0
        shot = (
            reference_embedding(self._embedder, frame.image, face)
            if is_template
            else self._embedder.embed(frame.image, face.landmarks)
        )
        front = self._shots[Pose.FRONT]
        # Written so that NaN counts as another person.
        if front and not float(mean_of(front) @ shot) >= AGREEMENT:
            self._odd += 1
            if self._odd >= ODD_SHOTS:
                self.outcome = EnrolmentOutcome((), None, Objection(Refusal.NOT_ONE_PERSON))
            return Guidance.SAME_PERSON
        self._odd = 0
        shots.append(shot)
        if pose is Pose.FRONT:
            self._level.append((quality.yaw_deg, quality.pitch_deg))
        if len(shots) >= self._plan.quota(pose):
            self._wanted_since = frame.time
        wanted = self.wanted
        return Guidance.WAIT if wanted is None else ASK[wanted]

    def _give_up_slowly(self, time: float) -> None:
        wanted = self.wanted
        # The front is never given up: every other shot is compared with it.
        if wanted in {None, Pose.FRONT} or time - self._wanted_since < self._plan.patience_seconds:
            return
        assert wanted is not None  # noqa: S101 - just asked
        self._given_up.add(wanted)
        self._wanted_since = time

    def _conclude(self) -> Guidance:
        """Finish once liveness has an answer; who shows none until time is up is refused."""
        verdict = self._verdict()
        if self._liveness is not None and verdict is None:
            return Guidance.WAIT
        self._finish(timed_out=False)
        return Guidance.DONE

    def _verdict(self) -> Liveness | None:
        return None if self._liveness is None else self._liveness.assess(TRACK)

    def _finish(self, *, timed_out: bool) -> None:
        if timed_out and len(self._shots[Pose.FRONT]) < self._plan.least_shots:
            self.outcome = EnrolmentOutcome((), None, Objection(Refusal.TIMED_OUT, self._commonest()))
            return
        verdict = self._verdict()
        if self._liveness is not None and (verdict is None or not verdict.passed):
            why = UNLIVELY.get(verdict.reason, Refusal.NOT_LIVE) if verdict else Refusal.LIVENESS_UNCLEAR
            self.outcome = EnrolmentOutcome((), None, Objection(why))
            return
        # Alternating, as `_take` made them: even ones are templates, odd ones measure them.
        kept = [shot for shots in self._shots.values() for shot in shots[::2]]
        held_out = [shot for shots in self._shots.values() for shot in shots[1::2]]
        self.outcome = judged(self._resident_id, kept, held_out, self._identifier)

    def _commonest(self) -> dict[str, str | Message]:
        told = [(count, code) for code, count in self._told.items() if code is not Guidance.HOLD_STILL]
        most = max(told)[1] if told else Guidance.NOBODY
        return {"most": most.message}

    def _progress(
        self, frame: Frame, guidance: Guidance, box: Box | None = None, quality: Quality | None = None
    ) -> EnrolmentProgress:
        quotas = {pose: self._plan.quota(pose) for pose in Pose}
        have = sum(
            quotas[pose] if pose in self._given_up else len(shots) for pose, shots in self._shots.items()
        )
        left = max(self._plan.limit_seconds - (frame.time - (self._begun or 0.0)), 0.0)
        if self.outcome is not None:
            return EnrolmentProgress(Guidance.DONE, None, 1.0, 0.0)
        wanted = self.wanted or Pose.FRONT
        return EnrolmentProgress(guidance, wanted, have / sum(quotas.values()), left, box, quality)


def judged(
    resident_id: str, kept: list[Embedding], held_out: list[Embedding], identifier: Identifier
) -> EnrolmentOutcome:
    """Return the outcome for these shots: rows, their measure, and what speaks against them."""
    rows = kept if len(kept) == 1 else [*kept, mean_of(kept)]
    report = measured(rows, held_out, identifier.operating_point().threshold)
    return EnrolmentOutcome(tuple(rows), report, objection_to(identifier, resident_id, rows, report))


def judged_by_turns(resident_id: str, shots: Sequence[Embedding], identifier: Identifier) -> EnrolmentOutcome:
    """Return the outcome for photos, at least two: all of them are kept, each measured against the others."""
    rows = [*shots, mean_of(shots)]
    report = measured_by_turns(shots, identifier.operating_point().threshold)
    return EnrolmentOutcome(tuple(rows), report, objection_to(identifier, resident_id, rows, report))


def _main_face(faces: Sequence[Face], image: Image) -> Face | None:
    """Return the one person the picture is about, or None when that is nobody or not clear."""
    # The index makes the tuples comparable where two faces are equally prominent: faces have no order.
    ranked = sorted(
        ((prominence(face, image), index, face) for index, face in enumerate(faces)),
        reverse=True,
    )
    if not ranked or (len(ranked) > 1 and ranked[1][0] >= RIVAL_RATIO * ranked[0][0]):
        return None
    return ranked[0][2]
