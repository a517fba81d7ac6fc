"""The door: `DoorController.handle(frame)` asks, commits, opens and notes. In that order, for everybody.

Live service, replay, demo, benchmark and tests all call this one line. It runs on one thread
and never waits for the network; the only thing it waits for is the journal's commit.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from edge.domain import Authorisation, Decision, EventDraft, Reason, Verdict
from edge.entry_facts import EntryFacts
from edge.errors import FrameRefused, JournalUnavailable, LockError
from edge.events import Kind

if TYPE_CHECKING:
    from edge.domain import DoorEvent, Frame
    from edge.ports import Authoriser, Clock, EventWriter, FrameObserver, Lock

logger = logging.getLogger(__name__)

MOST_COMMIT_SECONDS = 2.0
"""Whoever was recognised longer ago than this need not be who stands at the door now. Of several decisions on
one frame each waits for the entries before it, up to a second each on a slow card."""

MOST_LOOK_SECONDS = 3.0
"""A look at a picture takes up to a second on a slow board. A card that hangs while the kernel reads a page
of the program from it, or a machine that is stopped, makes it any length."""

CONFIRMED_SECONDS = 5.0
"""After this an order to unlock has been carried out or given up: the guard has 1.5 s."""

SURE_WITHIN_SECONDS = 0.1
"""So exactly an event of the lock tells when its order was given: a busy machine may be late to look."""

MOST_UNCONFIRMED = 16
"""Openings remembered until their orders are sure to be carried out: more than a gate has in 5 s."""


@dataclass(frozen=True, slots=True)
class EntryOutcome:
    """What became of somebody who asked to come in.

    `event` is the journal entry, None while it waits in memory. `reason` is why they were let in or
    not, after journal and lock had their say; `unlocked_seconds` is 0 unless the lock was opened.
    """

    event: DoorEvent | None
    reason: Reason
    unlocked_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class DoorOutcome:
    """A decision after the access rules spoke, and the journal entry it left (None: not yet stored)."""

    decision: Decision
    event: DoorEvent | None
    unlocked_seconds: float = 0.0


class DoorController:
    """Turns frames into openings of one door, and answers the other ways in. Any thread may `enter`.

    `on_failure` says what happens to a grant when the journal cannot be written: `open` (the
    event waits in memory) or `deny` (no record, no entry). Tell it the door's events (`heard`): an
    order that the lock did not carry out is no entry.
    """

    def __init__(
        self,
        pipeline: FrameObserver,
        authoriser: Authoriser,
        events: EventWriter,
        lock: Lock,
        clock: Clock,
        on_failure: Literal["open", "deny"] = "open",
    ) -> None:
        self._pipeline = pipeline
        self._authoriser = authoriser
        self._events = events
        self._lock = lock
        self._clock = clock
        self._on_failure = on_failure
        self._frame_problem = ""
        self._noting = threading.Lock()  # of `_opened`
        self._opened: list[tuple[Authorisation, float]] = []

    def handle(self, frame: Frame) -> list[DoorOutcome]:
        """Return what was decided on `frame`; doors named in a grant are open when this returns.

        A frame that is no picture is refused by the pipeline and decides nothing.
        """
        handed = self._clock.monotonic()
        try:
            decisions = self._pipeline.observe(frame)
        except FrameRefused as error:
            # Handled here: of failures that reach the thread's loop ten in a row end the process, and a
            # camera may send worse than that.
            self._report_frame(frame, str(error))
            return []
        # From here on, for all of them: what is written of one is time in which the next one may walk away.
        # So is a look that took longer than any does: the process stood still.
        now = self._clock.monotonic()
        began = now - max(0.0, now - handed - MOST_LOOK_SECONDS)
        return [self._act(decision, began) for decision in decisions]

    def enter(self, draft: EventDraft, rights: Authorisation) -> EntryOutcome:
        """Write down what a reader decided, then open if it allows, then note that it did.

        A record that took longer than two seconds opens nothing: by then somebody else may stand
        there. Whoever was refused for that, or by a lock that does not answer, may try again at once.
        """
        # Nothing follows from a refusal, so it may wait in memory whatever the site chose.
        if not rights.allowed:
            return EntryOutcome(self._events.record(draft), rights.reason)
        return self._admit(draft, rights, self._clock.monotonic())

    def _admit(self, draft: EventDraft, rights: Authorisation, began: float) -> EntryOutcome:
        """Write the grant down, then open, unless that is more than two seconds after `began`."""
        if self._clock.monotonic() - began > MOST_COMMIT_SECONDS:
            return self._refuse(self._later(draft), rights, Reason.TOO_LATE)
        try:
            # "deny": on the card before anything moves. "open": what cannot be stored waits in memory.
            write = self._events.commit if self._on_failure == "deny" else self._events.record
            event = write(draft)
        except JournalUnavailable:
            return self._refuse(draft, rights, Reason.JOURNAL_UNAVAILABLE)
        took = self._clock.monotonic() - began
        if took > MOST_COMMIT_SECONDS:
            logger.error("storing an entry took %.1f s; the door stays shut", took)
            # The grant may be on the card by now: this second entry says that nobody was let in on it.
            return self._refuse(self._later(draft), rights, Reason.TOO_LATE, commit_seconds=round(took, 1))
        return self._open(draft, rights, event)

    def heard(self, draft: EventDraft) -> None:
        """Take an event of the door: what was noted of an opening that failed after all is taken back."""
        if draft.kind is not Kind.LOCK_UNLOCK_FAILED:
            return
        # Everybody who was let in while the lock had confirmed nothing: it holds one order for all of them.
        # Whoever was let in before that came in, and what they used up stays used up.
        waited = draft.data.get("waited_seconds", CONFIRMED_SECONDS - SURE_WITHIN_SECONDS)
        first = draft.mono - waited - SURE_WITHIN_SECONDS
        with self._noting:
            failed = [one for one in self._opened if first <= one[1] <= draft.mono]
            self._opened = [one for one in self._opened if one not in failed]
        # Outside the lock: what is taken back may wait for the card (the use of a pass).
        for rights, _ in failed:
            rights.not_opened()

    def _act(self, decision: Decision, began: float) -> DoorOutcome:
        rights = None
        if decision.verdict is Verdict.GRANT and decision.resident_id is not None:
            # Identified first, authorised second: a search that knew rights would match look-alikes.
            rights = self._authoriser.authorise(decision.resident_id, decision.at, "face")
            if not rights.allowed:
                decision = replace(decision, verdict=Verdict.DENY, reason=rights.reason)
        if decision.verdict is not Verdict.GRANT or rights is None:
            return DoorOutcome(decision, self._events.record(_draft(decision, rights)))
        admission = self._admit(_draft(decision, rights), rights, began)
        if admission.reason is not Reason.GRANTED:
            decision = replace(decision, verdict=Verdict.DENY, reason=admission.reason)
        return DoorOutcome(decision, admission.event, admission.unlocked_seconds)

    def _open(self, draft: EventDraft, rights: Authorisation, event: DoorEvent | None) -> EntryOutcome:
        reason = rights.ended()
        if reason is not None:
            return self._refuse(self._later(draft), rights, reason)
        try:
            self._lock.unlock(rights.unlock_seconds)
        except LockError as error:
            logger.error("the lock does not open: %s", error)  # noqa: TRY400 - one clear line
            problem = {"error": str(error)}
            # No second entry about the visitor: the grant stands, and this one says why the door did not
            # move.
            self._events.record(EventDraft(Kind.HEALTH_LOCK, draft.at, draft.mono, data=problem))
            rights.not_opened()
            return EntryOutcome(event, Reason.LOCK_UNAVAILABLE)
        # Whoever locks down sets the mode and then locks: before our order to unlock, it shows here.
        reason = rights.ended()
        if reason is not None:
            # Before the refusal is written: a slow card must not keep a locked-down door open.
            self._relock()
            return self._refuse(self._later(draft), rights, reason)
        # The order is given, not yet carried out: `heard` takes it back when the guard could not.
        with self._noting:
            self._opened = [*self._opened, (rights, self._clock.monotonic())][-MOST_UNCONFIRMED:]
        rights.opened()
        return EntryOutcome(event, Reason.GRANTED, rights.unlock_seconds)

    def _refuse(
        self, draft: EventDraft, rights: Authorisation, reason: Reason, **more: float
    ) -> EntryOutcome:
        data = {**draft.data, "unlock_seconds": 0.0, **more}
        refusal = replace(draft, kind=Kind.ACCESS_DENIED, reason=str(reason), data=data)
        event = self._events.record(refusal)
        rights.not_opened()
        return EntryOutcome(event, reason)

    def _later(self, draft: EventDraft) -> EventDraft:
        return replace(draft, at=self._clock.now(), mono=self._clock.monotonic())

    def _relock(self) -> None:
        try:
            self._lock.lock()
        except LockError as error:
            logger.error("the lock does not relock before its time: %s", error)  # noqa: TRY400 - one clear line

    def _report_frame(self, frame: Frame, problem: str) -> None:
        """Write down that frames are no pictures, when it is news."""
        if problem == self._frame_problem:
            return
        self._frame_problem = problem
        logger.error("a frame is no picture: %s", problem)
        self._events.record(EventDraft(Kind.HEALTH_FRAME, frame.at, frame.time, data={"error": problem}))


def _draft(decision: Decision, rights: Authorisation | None) -> EventDraft:
    """Return the journal entry of a decision: every number that made it, no image, no embedding."""
    more: dict[str, Any] = {
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
        more["runner_up"] = decision.runner_up_id
    if decision.quality is not None:
        more["quality"] = _quality(decision)
    if decision.liveness is not None:
        more["liveness"] = {"score": decision.liveness.score, **decision.liveness.cues}
    if rights is not None:
        more |= rights.rule.recorded("rule")
    facts = EntryFacts("face", None if rights is None else rights.unlock_seconds, more=more)
    granted = decision.verdict is Verdict.GRANT
    return EventDraft(
        Kind.ACCESS_GRANTED if granted else Kind.ACCESS_DENIED,
        decision.at,
        decision.time,
        resident_id=decision.resident_id,
        reason=str(decision.reason),
        data=facts.stored(),
    )


def _quality(decision: Decision) -> dict[str, float]:
    quality = decision.quality
    assert quality is not None  # noqa: S101 - the caller has looked
    names = ["interocular_px", "sharpness", "yaw_deg", "pitch_deg", "roll_deg", "brightness"]
    if quality.feature_norm is not None:
        names.append("feature_norm")
    return {name: round(float(getattr(quality, name)), 3) for name in names}
