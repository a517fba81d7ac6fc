"""The whole door over every presentation: who was let in, by which picture, and how long it took.

IAPAR (attack accepted and matched; IAPMR in the older edition) is what a resident fears: their own
picture opening their door. Everybody is enrolled from their own living clips, so it is a test of
attack detection and says nothing about recognition.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from edge.bench.pad.rates import clopper_pearson
from edge.camera.file import VideoFile
from edge.domain import Reason, Verdict
from edge.enrol.shots import ShotTaker, agreeing, matched_row
from edge.errors import EnrolmentRefused
from edge.replay.door import Recognition, ReplayDoor
from edge.service.recognition.recogniser import ErrorRate, build_matcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from edge.bench.pad.set import Presentation
    from edge.domain import Embedding, Frame
    from edge.ports import Identifier, LivenessCheck
    from edge.service.recognition.recogniser import Models


@dataclass(frozen=True, slots=True)
class TrialVisit:
    """One presentation at the whole door. `seconds` from first sight to the opening, None if none.

    `residents` were let in, `reasons` why not. `cpu_s` is what the clip of `frames` frames cost,
    decoding left out, `cpu_to_grant_s` the part of it until the opening, None if none.
    """

    presentation: Presentation
    residents: tuple[str, ...]
    reasons: tuple[str, ...]
    seconds: float | None
    cpu_s: float
    frames: int
    cpu_to_grant_s: float | None


@dataclass(frozen=True, slots=True)
class Waits:
    """From first sight to the opening: seconds of the clip, and CPU until then (median)."""

    median_s: float
    worst_s: float
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class DoorResult:
    """Visits of all presentations whose person is enrolled, with one kind of liveness check."""

    mode: str
    visits: tuple[TrialVisit, ...]

    @property
    def attacks(self) -> tuple[int, int, tuple[float, float]]:
        """Return (opened, presented, 95 % interval of IAPAR)."""
        attacks = [one for one in self.visits if one.presentation.is_attack]
        opened = sum(bool(one.residents) for one in attacks)
        return opened, len(attacks), clopper_pearson(opened, len(attacks))

    @property
    def living(self) -> tuple[int, int]:
        """Return (let in as themselves, presented)."""
        living = [one for one in self.visits if not one.presentation.is_attack]
        return sum(one.presentation.person in one.residents for one in living), len(living)

    @property
    def unjudged(self) -> int:
        """How many living people were told that they could not be judged, and never let in."""
        living = [one for one in self.visits if not one.presentation.is_attack and not one.residents]
        return sum(str(Reason.PAD_NO_RESPONSE) in one.reasons or not one.reasons for one in living)

    @property
    def cpu_ms_per_frame(self) -> float:
        """What a frame cost on average over all clips, decoding left out."""
        return 1e3 * sum(one.cpu_s for one in self.visits) / max(sum(one.frames for one in self.visits), 1)

    @property
    def opened(self) -> frozenset[Path]:
        """The living clips on which somebody was let in."""
        living = [one for one in self.visits if not one.presentation.is_attack]
        return frozenset(one.presentation.path for one in living if one.residents)

    def waits(self, clips: frozenset[Path]) -> Waits:
        """Return what these of the opened clips took."""
        visits = [one for one in self.visits if one.presentation.path in clips]
        seconds = [one.seconds for one in visits if one.seconds is not None]
        cpu = [1e3 * one.cpu_to_grant_s for one in visits if one.cpu_to_grant_s is not None]
        return Waits(median(seconds or [0.0]), max(seconds, default=0.0), median(cpu or [0.0]))


class TrialPart:
    """The part of a recording that a presentation is; a camera."""

    def __init__(self, presentation: Presentation) -> None:
        self._camera = VideoFile(presentation.path)
        self._presentation = presentation

    def read(self) -> Frame | None:
        """Return the next frame within the presentation, or None at its end."""
        while (frame := self._camera.read()) is not None and frame.time < self._presentation.start:
            pass
        return frame if frame is not None and frame.time <= self._presentation.end else None

    def close(self) -> None:
        """Close the file."""
        self._camera.close()


def enrol_living(models: Models, presentations: Sequence[Presentation]) -> dict[str, list[Embedding]]:
    """Return rows per person from their living clips; who cannot be enrolled is left out."""
    taker = ShotTaker(models.detector, models.embedder)
    residents: dict[str, list[Embedding]] = {}
    for one in presentations:
        if one.is_attack or one.person in residents:
            continue
        try:
            harvest = agreeing(taker.from_clip(_frames(one), one.person))
        except EnrolmentRefused:
            continue
        residents[one.person] = [matched_row([shot.embedding for shot in harvest.shots])]
    return residents


def _frames(presentation: Presentation) -> Iterator[Frame]:
    camera = TrialPart(presentation)
    try:
        while (frame := camera.read()) is not None:
            yield frame
    finally:
        camera.close()


def run_door(
    models: Models,
    presentations: Sequence[Presentation],
    mode: str,
    make_check: Callable[[], LivenessCheck | None],
) -> DoorResult:
    """Return what the whole door did on every presentation of an enrolled person."""
    residents = enrol_living(models, presentations)
    matcher = build_matcher(models, ErrorRate(), residents)
    shown = [one for one in presentations if one.person in residents]
    return DoorResult(mode, tuple(_visit(models, matcher, one, make_check()) for one in shown))


def _visit(
    models: Models, matcher: Identifier, presentation: Presentation, check: LivenessCheck | None
) -> TrialVisit:
    door = ReplayDoor(Recognition(models.detector, models.embedder, matcher, check))
    camera, decisions, cpu_to_grant_s = TrialPart(presentation), [], None
    try:
        for _, outcomes in door.play(camera):
            decisions += [outcome.decision for outcome in outcomes]
            if cpu_to_grant_s is None and any(one.decision.verdict is Verdict.GRANT for one in outcomes):
                cpu_to_grant_s = door.figures.cpu_s
    finally:
        camera.close()
    grants = [one for one in decisions if one.verdict is Verdict.GRANT]
    seconds = grants[0].time - float(grants[0].detail["first_seen"]) if grants else None
    reasons = tuple(str(one.reason) for one in decisions if one.verdict is Verdict.DENY)
    residents = tuple(str(one.resident_id) for one in grants)
    figures = door.figures
    return TrialVisit(
        presentation, residents, reasons, seconds, figures.cpu_s, figures.frames, cpu_to_grant_s
    )
