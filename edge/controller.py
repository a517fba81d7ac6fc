"""The door: `DoorController.handle(frame)` recognises, writes it down, then opens. In that order.

Live service, replay, demo, benchmark and tests all call this one line. It runs on one thread
and never waits for the network; the only thing it waits for is the journal's commit.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from edge.domain import Authorisation, Decision, EventDraft, Reason, Verdict
from edge.errors import FrameRefused, JournalUnavailable, LockError
from edge.events import Kind

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from edge.domain import DoorEvent, Frame
    from edge.ports import Authoriser, Journal, Lock
    from edge.recognition.pipeline import Pipeline

MAX_UNSAVED = 10_000
"""Events kept in memory while the journal cannot be written: hours of a busy gate, 10 MB."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A decision after the access rules spoke, and the journal entry it left (None: not yet stored)."""

    decision: Decision
    event: DoorEvent | None
    unlocked_seconds: float = 0.0


class DoorController:
    """Turns frames into openings of one door.

    `on_failure` says what happens to a grant when the journal cannot be written: `open` (the
    event waits in memory, `on_alarm` is called) or `deny` (no record, no entry).
    """

    def __init__(
        self,
        pipeline: Pipeline,
        authoriser: Authoriser,
        journal: Journal,
        lock: Lock,
        on_failure: Literal["open", "deny"] = "open",
        on_alarm: Callable[[str, str], None] | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._authoriser = authoriser
        self._journal = journal
        self._lock = lock
        self._on_failure = on_failure
        self._on_alarm = on_alarm or (lambda _kind, _text: None)
        self._storing = threading.Lock()
        self._unsaved: deque[EventDraft] = deque(maxlen=MAX_UNSAVED)

    @property
    def unsaved_events(self) -> int:
        """How many events wait in memory for the journal to be writable again."""
        return len(self._unsaved)

    def handle(self, frame: Frame) -> list[Outcome]:
        """Return what was decided on `frame`; doors named in a grant are open when this returns.

        A frame that is no picture is refused by the pipeline and decides nothing.
        """
        try:
            decisions = self._pipeline.observe(frame)
        except FrameRefused as error:
            self._on_alarm(Kind.HEALTH_FRAME, str(error))
            return []
        return [self._act(decision) for decision in decisions]

    def enter(self, draft: EventDraft, rights: Authorisation) -> DoorEvent | None:
        """Store what another reader than the camera decided, then open if it allows. Any thread.

        Returns the journal entry, None when it has to wait in memory.
        """
        if not rights.allowed:
            return self.record(draft)
        try:
            event = self._store(draft)
        except JournalUnavailable as error:
            self._on_alarm(Kind.HEALTH_JOURNAL, str(error))
            if self._on_failure == "deny":
                reason = str(Reason.JOURNAL_UNAVAILABLE)
                self._keep(replace(draft, kind=Kind.ACCESS_DENIED, reason=reason))
                return None
            self._keep(draft)
            event = None
        self._unlock(rights.unlock_seconds, draft.at, draft.mono)
        return event

    def record(self, draft: EventDraft) -> DoorEvent | None:
        """Store an event; None when it has to wait in memory for the journal. Any thread."""
        try:
            return self._store(draft)
        except JournalUnavailable as error:
            self._keep(draft)
            self._on_alarm(Kind.HEALTH_JOURNAL, str(error))
            return None

    def _store(self, draft: EventDraft) -> DoorEvent:
        """Commit what waits in memory, then `draft`: the order of events is kept."""
        with self._storing:
            if self._unsaved:
                self._store_waiting(draft)
            return self._journal.append(draft)

    def _store_waiting(self, now: EventDraft) -> None:
        waited = len(self._unsaved)
        while self._unsaved:
            self._journal.append(self._unsaved[0])
            self._unsaved.popleft()
        # Nobody could be told while it lasted; `waited` events are durable only from here on.
        self._journal.append(EventDraft(Kind.HEALTH_JOURNAL, now.at, now.mono, data={"waited": waited}))

    def _keep(self, draft: EventDraft) -> None:
        self._unsaved.append(draft)

    def _act(self, decision: Decision) -> Outcome:
        rights = None
        if decision.verdict is Verdict.GRANT and decision.resident_id is not None:
            rights = self._authoriser.authorise(decision.resident_id, decision.at, "face")
            if not rights.allowed:
                decision = replace(decision, verdict=Verdict.DENY, reason=rights.reason)
        if decision.verdict is not Verdict.GRANT or rights is None:
            return Outcome(decision, self.record(_draft(decision, rights)))
        return self._admit(decision, rights)

    def _admit(self, decision: Decision, rights: Authorisation) -> Outcome:
        """Commit first, then open; what a failed commit means is the site's choice."""
        try:
            event = self._store(_draft(decision, rights))
        except JournalUnavailable as error:
            self._on_alarm(Kind.HEALTH_JOURNAL, str(error))
            if self._on_failure == "deny":
                decision = replace(decision, verdict=Verdict.DENY, reason=Reason.JOURNAL_UNAVAILABLE)
                self._keep(_draft(decision, rights))
                return Outcome(decision, None)
            self._keep(_draft(decision, rights))
            event = None
        return self._open(decision, rights, event)

    def _open(self, decision: Decision, rights: Authorisation, event: DoorEvent | None) -> Outcome:
        is_open = self._unlock(rights.unlock_seconds, decision.at, decision.time)
        return Outcome(decision, event, rights.unlock_seconds if is_open else 0.0)

    def _unlock(self, seconds: float, at: datetime, mono: float) -> bool:
        try:
            self._lock.unlock(seconds)
        except LockError as error:
            self._on_alarm(Kind.HEALTH_LOCK, str(error))
            self.record(EventDraft(Kind.HEALTH_LOCK, at, mono, data={"error": str(error)}))
            return False
        return True


def _draft(decision: Decision, rights: Authorisation | None) -> EventDraft:
    """Return the journal entry of a decision: every number that made it, no image, no embedding."""
    data: dict[str, Any] = {
        "method": "face",
        "track": decision.track_id,
        "frame": decision.frame_seq,
        "faces_in_view": decision.faces_in_view,
        "shots": decision.shots,
        **{
            name: round(value, 6)
            for name in ("similarity", "runner_up_similarity", "threshold", "margin")
            if (value := getattr(decision, name)) is not None
        },
        **decision.detail,
    }
    if decision.runner_up_id is not None:
        data["runner_up"] = decision.runner_up_id
    if decision.quality is not None:
        data["quality"] = _quality(decision)
    if decision.liveness is not None:
        data["liveness"] = {"score": decision.liveness.score, **decision.liveness.cues}
    if rights is not None:
        data["rule"] = rights.rule
        data["unlock_seconds"] = rights.unlock_seconds
    granted = decision.verdict is Verdict.GRANT
    return EventDraft(
        Kind.ACCESS_GRANTED if granted else Kind.ACCESS_DENIED,
        decision.at,
        decision.time,
        resident_id=decision.resident_id,
        reason=str(decision.reason),
        data=data,
    )


def _quality(decision: Decision) -> dict[str, float]:
    quality = decision.quality
    assert quality is not None  # noqa: S101 - the caller has looked
    names = ("interocular_px", "sharpness", "yaw_deg", "pitch_deg", "roll_deg", "brightness")
    return {name: round(float(getattr(quality, name)), 3) for name in names}
