"""Commit first, then open; and what happens when one of the two fails."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from edge.controller import DoorController
from edge.domain import Authorisation, Decision, EventDraft, Frame, Reason, Verdict
from edge.errors import FrameRefused, JournalUnavailable, LockError
from edge.event_log.log import EventLog
from edge.events import Kind
from edge.replay.door import MemoryJournal
from edge.runtime.clock import ManualClock
from edge.words import message
from tests.fakes.scene import Scene

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
FRAME = Scene([]).frame(0)


def grant(resident: str = "anna") -> Decision:
    return Decision(
        Verdict.GRANT, Reason.GRANTED, 1, 0, 0.0, NOON, 1, resident, 0.8, "bela", 0.2, 0.5, 0.6, 1
    )


class Sees:
    """A pipeline that concludes what it is told."""

    def __init__(self, *decisions: Decision | Exception):
        self.decisions = decisions

    def observe(self, frame: Frame) -> list[Decision]:
        found = []
        for decision in self.decisions:
            if isinstance(decision, Exception):
                raise decision
            found.append(decision)
        return found


class Rules:
    def __init__(self, allowed: bool = True, reason: Reason = Reason.GRANTED):
        self.answer = Authorisation(allowed, reason, 5.0, message("rule.needs_pin", group="seven"))
        self.asked: list[tuple[str, str]] = []

    def authorise(self, resident_id, at, method):
        self.asked.append((resident_id, method))
        return self.answer


class Wire:
    """A journal and a lock that share one history, so that order shows."""

    def __init__(self):
        self.history: list[str] = []
        self.inner = MemoryJournal()
        self.journal_fails = False
        self.lock_fails = False
        self.stall = lambda: None

    def append(self, draft: EventDraft):
        self.stall()
        if self.journal_fails:
            raise JournalUnavailable("journal.db: disk full")
        self.history.append(f"journal {draft.kind} {draft.reason}")
        return self.inner.append(draft)

    def unlock(self, seconds: float):
        if self.lock_fails:
            raise LockError("relay guard: not there")
        self.history.append(f"unlock {seconds:g}")

    def lock(self):
        self.history.append("lock")

    def close(self):
        self.history.append("close")


@pytest.fixture
def wire():
    return Wire()


def written(wire: Wire, clock: ManualClock | None = None) -> EventLog:
    """Return the way to write an event that ends in `wire`."""
    return EventLog(wire, clock or ManualClock())


def door(wire: Wire, sees: Sees, rules: Rules | None = None, on_failure="open", events=None):
    return DoorController(sees, rules or Rules(), events or written(wire), wire, ManualClock(), on_failure)


def test_the_event_is_committed_before_the_relay_moves(wire):
    outcomes = door(wire, Sees(grant())).handle(FRAME)

    assert wire.history == ["journal access.granted granted", "unlock 5"]
    assert outcomes[0].unlocked_seconds == 5.0
    assert outcomes[0].event is not None


def test_who_is_recognised_but_not_permitted_stays_outside(wire):
    rules = Rules(False, Reason.OUT_OF_TIME_RANGE)

    outcomes = door(wire, Sees(grant()), rules).handle(FRAME)

    assert wire.history == ["journal access.denied out_of_time_range"]
    assert outcomes[0].decision.verdict is Verdict.DENY
    assert rules.asked == [("anna", "face")]


def test_two_residents_are_two_events(wire):
    door(wire, Sees(grant("anna"), grant("bela"))).handle(FRAME)

    assert [line.split()[0] for line in wire.history] == ["journal", "unlock"] * 2


def test_a_worn_card_does_not_lock_residents_out(wire):
    """`open`: the grant goes out, the event waits in memory."""
    wire.journal_fails = True
    events = written(wire)

    outcomes = door(wire, Sees(grant()), events=events).handle(FRAME)

    assert wire.history == ["unlock 5"]
    assert outcomes[0].event is None
    assert events.unsaved == 1


def test_no_record_no_entry_when_the_site_says_so(wire):
    """`deny`: the door stays shut, and what waits in memory says that it did."""
    wire.journal_fails = True
    events = written(wire)

    outcomes = door(wire, Sees(grant()), on_failure="deny", events=events).handle(FRAME)
    wire.journal_fails = False
    events.retry()

    assert outcomes[0].decision.reason is Reason.JOURNAL_UNAVAILABLE
    assert wire.history == ["journal access.denied journal_unavailable", "journal health.journal None"]


@pytest.mark.parametrize("on_failure", ["open", "deny"])
def test_a_record_that_took_too_long_opens_for_nobody(wire, on_failure):
    """After eight seconds somebody else may stand there; the resident is let in at the next look."""
    clock = ManualClock()
    events = written(wire, clock)
    controller = DoorController(Sees(grant()), Rules(), events, wire, clock, on_failure)
    wire.stall = lambda: clock.advance(8.0)

    outcomes = controller.handle(FRAME)

    assert outcomes[0].decision.reason is Reason.TOO_LATE
    assert "unlock 5" not in wire.history
    assert wire.history[0] == "journal access.granted granted"
    wire.stall = lambda: None
    clock.advance(60.0)
    events.retry()
    assert wire.history[1] == "journal access.denied too_late"
    assert controller.handle(FRAME)[0].unlocked_seconds == 5.0


@pytest.mark.parametrize(("seconds", "opens"), [(1.0, True), (4.0, True), (30.0, False)])
def test_who_was_seen_before_the_process_stood_still_is_not_let_in(wire, seconds, opens):
    """The kernel may wait for a hanging card in the middle of a look; a slow board takes a second for one."""
    clock = ManualClock()

    class Slow(Sees):
        def observe(self, frame):
            clock.advance(seconds)
            return super().observe(frame)

    controller = DoorController(Slow(grant()), Rules(), written(wire, clock), wire, clock)
    outcomes = controller.handle(FRAME)
    assert ("unlock 5" in wire.history) is opens
    assert outcomes[0].decision.reason is (Reason.GRANTED if opens else Reason.TOO_LATE)
    assert len(wire.inner.drafts) == 1


def test_who_waited_for_what_was_written_before_them_is_too_late_as_well(wire):
    """Several decisions on one frame are written one after the other, on a card that takes 1.5 s for each."""
    clock = ManualClock()
    others = replace(grant(), verdict=Verdict.DENY, reason=Reason.UNKNOWN_CREDENTIAL, resident_id=None)
    controller = DoorController(Sees(others, grant()), Rules(), written(wire, clock), wire, clock)
    wire.stall = lambda: clock.advance(1.5)

    outcomes = controller.handle(FRAME)

    assert [one.decision.reason for one in outcomes] == [Reason.UNKNOWN_CREDENTIAL, Reason.TOO_LATE]
    assert "unlock 5" not in wire.history


def test_a_dead_relay_is_an_event_and_a_refusal(wire):
    wire.lock_fails = True

    outcomes = door(wire, Sees(grant())).handle(FRAME)

    assert outcomes[0].unlocked_seconds == 0.0
    assert outcomes[0].decision.reason is Reason.LOCK_UNAVAILABLE
    assert wire.history == ["journal access.granted granted", "journal health.lock None"]


def test_a_frame_that_is_no_picture_decides_nothing_and_is_told_once(wire):
    controller = door(wire, Sees(FrameRefused("1x1: too small")))

    assert controller.handle(FRAME) == controller.handle(FRAME) == []
    assert wire.history == ["journal health.frame None"]


@pytest.mark.parametrize(
    ("trouble", "noted"),
    [
        (None, ["opened"]),
        ("journal", ["not_opened"]),
        ("lock", ["not_opened"]),
        ("late", ["not_opened"]),
        ("guard", ["opened", "not_opened"]),
    ],
)
def test_what_follows_from_an_entry_follows_from_an_opening_only(wire, trouble, noted):
    clock, notes = ManualClock(), []
    events = written(wire, clock)
    rules = Rules()
    rules.answer = replace(
        rules.answer, opened=lambda: notes.append("opened"), not_opened=lambda: notes.append("not_opened")
    )
    controller = DoorController(Sees(grant()), rules, events, wire, clock, "deny")
    events.subscribe(controller.heard)
    wire.journal_fails, wire.lock_fails = trouble == "journal", trouble == "lock"
    wire.stall = lambda: clock.advance(3.0 if trouble == "late" else 0.0)

    controller.handle(FRAME)
    if trouble == "guard":
        clock.advance(1.5)
        events.record(EventDraft.now(clock, Kind.LOCK_UNLOCK_FAILED))

    assert notes == noted


def test_a_lock_that_fails_much_later_takes_back_nobodys_entry(wire):
    clock, notes = ManualClock(), []
    rules = Rules()
    rules.answer = replace(rules.answer, not_opened=lambda: notes.append("not_opened"))
    controller = DoorController(Sees(grant()), rules, written(wire, clock), wire, clock)
    controller.handle(FRAME)
    clock.advance(60.0)
    controller.heard(EventDraft.now(clock, Kind.LOCK_UNLOCK_FAILED))

    assert notes == []


def test_an_event_carries_every_number_and_nothing_biometric(wire):
    door(wire, Sees(grant())).handle(FRAME)

    data = wire.inner.drafts[0].data
    assert data["similarity"] == 0.8
    assert data["threshold"] == 0.5
    assert data["runner_up"] == "bela"
    assert data["rule"] == "group seven needs face and PIN"
    assert not any(isinstance(value, (bytes, list)) for value in data.values())
