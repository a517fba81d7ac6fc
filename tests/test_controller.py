"""Commit first, then open; and what happens when one of the two fails."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from edge.controller import DoorController
from edge.domain import Authorisation, Decision, EventDraft, Frame, Reason, Verdict
from edge.errors import FrameRefused, JournalUnavailable, LockError
from edge.replay.door import MemoryJournal
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
        for decision in self.decisions:
            if isinstance(decision, Exception):
                raise decision
        return list(self.decisions)


class Rules:
    def __init__(self, allowed: bool = True, reason: Reason = Reason.GRANTED):
        self.answer = Authorisation(allowed, reason, 5.0, "rule 7")
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

    def append(self, draft: EventDraft):
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


def door(wire: Wire, sees: Sees, rules: Rules | None = None, on_failure="open", alarms=None):
    on_alarm = None if alarms is None else (lambda kind, text: alarms.append((kind, text)))
    return DoorController(sees, rules or Rules(), wire, wire, on_failure, on_alarm)


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
    """`open`: the grant goes out, the event waits in memory, an alarm is raised."""
    wire.journal_fails = True
    alarms: list[tuple[str, str]] = []
    controller = door(wire, Sees(grant()), alarms=alarms)

    outcomes = controller.handle(FRAME)

    assert wire.history == ["unlock 5"]
    assert outcomes[0].event is None
    assert controller.unsaved_events == 1
    assert alarms == [("health.journal", "journal.db: disk full")]


def test_events_that_waited_are_stored_first_and_in_order(wire):
    controller = door(wire, Sees(grant()))
    wire.journal_fails = True
    controller.handle(FRAME)
    controller.record(EventDraft("door.opened", NOON, 1.0))
    wire.journal_fails = False

    controller.record(EventDraft("door.closed", NOON, 2.0))

    kinds = [draft.kind for draft in wire.inner.drafts]
    assert kinds == ["access.granted", "door.opened", "health.journal", "door.closed"]
    assert wire.inner.drafts[2].data == {"waited": 2}
    assert controller.unsaved_events == 0


def test_no_record_no_entry_when_the_site_says_so(wire):
    """`deny`: the door stays shut, and what waits in memory says that it did."""
    wire.journal_fails = True
    controller = door(wire, Sees(grant()), on_failure="deny")

    outcomes = controller.handle(FRAME)
    wire.journal_fails = False
    controller.record(EventDraft("health.journal", NOON, 1.0))

    assert outcomes[0].decision.reason is Reason.JOURNAL_UNAVAILABLE
    assert wire.history[0] == "journal access.denied journal_unavailable"
    assert "unlock 5" not in wire.history


def test_a_dead_relay_is_an_alarm_and_an_event(wire):
    wire.lock_fails = True
    alarms: list[tuple[str, str]] = []

    outcomes = door(wire, Sees(grant()), alarms=alarms).handle(FRAME)

    assert outcomes[0].unlocked_seconds == 0.0
    assert wire.history == ["journal access.granted granted", "journal health.lock None"]
    assert alarms == [("health.lock", "relay guard: not there")]


def test_a_frame_that_is_no_picture_decides_nothing(wire):
    alarms: list[tuple[str, str]] = []

    assert door(wire, Sees(FrameRefused("1x1: too small")), alarms=alarms).handle(FRAME) == []
    assert wire.history == []
    assert alarms == [("health.frame", "1x1: too small")]


def test_an_event_carries_every_number_and_nothing_biometric(wire):
    door(wire, Sees(grant())).handle(FRAME)

    data = wire.inner.drafts[0].data
    assert data["similarity"] == 0.8
    assert data["threshold"] == 0.5
    assert data["runner_up"] == "bela"
    assert data["rule"] == "rule 7"
    assert not any(isinstance(value, (bytes, list)) for value in data.values())
