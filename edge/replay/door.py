"""A whole door over a recording: real recognition, a lock that only writes down what it did."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge.camera.file import VideoFile
from edge.controller import DoorController
from edge.domain import DoorEvent, EventDraft, Reason, Resident, Verdict
from edge.event_log.log import EventLog
from edge.policy.access import AccessRules
from edge.policy.door import DoorPolicy
from edge.policy.rulebook import RuleBook
from edge.recognition.pipeline import Pipeline
from edge.relay.dry_run import DryRunLock
from edge.replay.timing import Stopwatch, TimedDetector, TimedEmbedder, TimedIdentifier
from edge.runtime.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from edge.controller import DoorOutcome
    from edge.domain import Decision, Frame
    from edge.events import Kind
    from edge.faces.quality import QualityLimits
    from edge.ports import Camera, Detector, Identifier, Journal, LivenessCheck, ProbeEmbedder

DOOR = "replay"
"""The door's id in rules and entries."""

METHOD = "face"


@dataclass(frozen=True, slots=True)
class Recognition:
    """What recognises: the ports a pipeline needs, made by whoever composes the replay."""

    detector: Detector
    embedder: ProbeEmbedder
    identifier: Identifier
    liveness: LivenessCheck | None = None
    limits: QualityLimits | None = None


@dataclass(slots=True)
class Figures:
    """What a replay measured. Seconds of CPU and wall clock cover analysis, not decoding."""

    frames: int = 0
    faces: int = 0
    cpu_s: float = 0.0
    wall_s: float = 0.0
    decode_cpu_s: float = 0.0
    watch: Stopwatch = field(default_factory=Stopwatch)
    frame_cpu_s: list[float] = field(default_factory=list)
    frame_wall_s: list[float] = field(default_factory=list)
    frame_faces: list[int] = field(default_factory=list)

    def forget_frames(self) -> None:
        """Drop what is kept per frame and per call: hours of it would look like a leak."""
        self.frame_faces.clear()
        for spent in (self.frame_cpu_s, self.frame_wall_s, *self.watch.calls.values()):
            spent.clear()


class MemoryJournal:
    """A journal for replays: keeps entries in a list, numbers them, chains nothing."""

    def __init__(self) -> None:
        self.drafts: list[EventDraft] = []

    def close(self) -> None:
        """Do nothing."""

    def append(self, draft: EventDraft) -> DoorEvent:
        """Return `draft` numbered; the entry is not stored anywhere."""
        self.drafts.append(draft)
        seq = len(self.drafts)
        return DoorEvent(
            id=f"replay-{seq}",
            stream="replay",
            seq=seq,
            kind=draft.kind,
            at=draft.at,
            boot="replay",
            mono_ns=round(draft.mono * 1e9),
            clock="synced",
            door_id=DOOR,
            resident_id=draft.resident_id,
            reason=draft.reason,
            data=draft.data,
            prev_hash="",
            hash="",
        )


class ReplayDoor:
    """The controller and the access policy of the service, fed from a recording. One thread.

    The relay is dry; entries and notices go to `journal`, by default one that only lives in memory.
    `book` holds the site's rules; everybody enrolled counts as on the roster, in no group.
    """

    def __init__(
        self, recognition: Recognition, journal: Journal | None = None, book: RuleBook | None = None
    ) -> None:
        self.figures = Figures()
        self.clock = ManualClock()
        self.lock = DryRunLock(self.clock)
        self.journal = journal or MemoryJournal()
        watch = self.figures.watch
        pipeline = Pipeline(
            TimedDetector(recognition.detector, watch),
            TimedEmbedder(recognition.embedder, watch),
            TimedIdentifier(recognition.identifier, watch),
            recognition.liveness,
            recognition.limits,
        )
        self._events = EventLog(self.journal, self.clock)
        rules = AccessRules(book or RuleBook(), DOOR, lambda who: Resident(who, who))
        self._policy = DoorPolicy.for_door(rules, self.clock.monotonic, self._alarm)
        self._controller = DoorController(pipeline, self._policy, self._events, self.lock, self.clock)
        self._pipeline = pipeline

    def play(self, camera: Camera) -> Iterator[tuple[Frame, list[DoorOutcome]]]:
        """Yield every frame of `camera` with what was decided on it."""
        figures = self.figures
        while True:
            begun = time.process_time()
            frame = camera.read()
            figures.decode_cpu_s += time.process_time() - begun
            if frame is None:
                return
            yield frame, self.handle(frame)

    def handle(self, frame: Frame) -> list[DoorOutcome]:
        """Return what was decided on one frame, and note what it cost."""
        figures = self.figures
        # The recording is the clock, for rules and lock as well: nothing depends on how fast it is played.
        self.clock.advance(max(frame.time - self.clock.monotonic(), 0.0))
        cpu, wall = time.process_time(), time.perf_counter()
        outcomes = self._controller.handle(frame)
        self._hear(outcomes)  # in the time that is measured: a door's thread does it as well
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        figures.frames += 1
        figures.frame_faces.append(self._pipeline.faces_seen - figures.faces)
        figures.faces = self._pipeline.faces_seen
        figures.cpu_s += cpu
        figures.wall_s += wall
        figures.frame_cpu_s.append(cpu)
        figures.frame_wall_s.append(wall)
        return outcomes

    def _hear(self, outcomes: Iterable[DoorOutcome]) -> None:
        """Count what failed and look again at who has to wait, as the service does."""
        for notice in self._pipeline.take_notices():
            self._events.record(notice)
        for decision in (outcome.decision for outcome in outcomes):
            if decision.verdict is Verdict.GRANT:
                self._pipeline.note_unlocked(decision.time, self._policy.rules.book.unlock_seconds)
            if decision.verdict is not Verdict.DENY:
                continue
            # The rules count what failed, so that the pauses of a door come in its replay, too.
            self._policy.attempts.note(decision.reason, METHOD, decision.claimed)
            if decision.reason is Reason.LOCKOUT_MAX_ATTEMPTS and decision.resident_id is not None:
                seconds = self._policy.attempts.seconds_left(METHOD, decision.resident_id)
                self._pipeline.reconsider(decision, seconds)

    def _alarm(self, kind: Kind, data: dict[str, Any]) -> None:
        self._events.record(EventDraft.now(self.clock, kind, data))


def replay_clip(
    clip: Path,
    recognition: Recognition,
    on_decision: Callable[[Decision], None],
    book: RuleBook | None = None,
) -> tuple[Figures, list[Decision]]:
    """Return the figures and all decisions of one recording; `on_decision` sees each as it falls."""
    door = ReplayDoor(recognition, book=book)
    decisions: list[Decision] = []
    camera = VideoFile(clip, threads=1)
    try:
        for _, outcomes in door.play(camera):
            for outcome in outcomes:
                decisions.append(outcome.decision)
                on_decision(outcome.decision)
    finally:
        camera.close()
    return door.figures, decisions


def decision_line(decision: Decision) -> dict[str, Any]:
    """Return one decision as the JSON object of `facegate replay --json`."""
    return {
        "type": "decision",
        "frame": decision.frame_seq,
        "time_s": round(decision.time, 4),
        "track": decision.track_id,
        "verdict": str(decision.verdict),
        "reason": str(decision.reason),
        "resident": decision.resident_id if decision.verdict is Verdict.GRANT else None,
        "similarity": _rounded(decision.similarity),
        "runner_up": _rounded(decision.runner_up_similarity),
        "threshold": _rounded(decision.threshold),
        "faces_in_view": decision.faces_in_view,
    }


def summary_line(figures: Figures, decisions: list[Decision]) -> dict[str, Any]:
    """Return the totals of a replay, but for what only the process knows."""
    grants = [decision for decision in decisions if decision.verdict is Verdict.GRANT]
    waited: dict[str, float] = {}
    for grant in grants:
        first_seen = float(grant.detail.get("first_seen", grant.time))
        # The first time only: who is let in again later did not wait from their first sight on.
        waited.setdefault(str(grant.resident_id), round(grant.time - first_seen, 4))
    return {
        "type": "summary",
        "frames": figures.frames,
        "faces": figures.faces,
        "embeddings": figures.watch.count("embed"),
        "grants": [str(grant.resident_id) for grant in grants],
        "cpu_s": round(figures.cpu_s, 4),
        "wall_s": round(figures.wall_s, 4),
        "decode_cpu_s": round(figures.decode_cpu_s, 4),
        "stage_cpu_ms_p50": figures.watch.median_ms(),
        "time_to_grant_s": waited,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
