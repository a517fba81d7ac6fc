"""The other ways in go through the same order: commit, then open."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Literal

import pytest

from edge.controller import DoorController
from edge.domain import Authorisation, EventDraft, Reason
from edge.events import Kind
from edge.recognition.pipeline import Pipeline
from edge.recognition.visits import Visits
from edge.runtime.clock import ManualClock
from edge.words import message
from tests.test_controller import NOON, Rules, Sees, Wire, written

YES = Authorisation(True, Reason.GRANTED, 4.0, message("rule.level", level="resident", schedule="always"))
NO = Authorisation(
    False, Reason.OUT_OF_TIME_RANGE, 0.0, message("rule.level", level="cleaner", schedule="mornings")
)


def draft(rights: Authorisation) -> EventDraft:
    kind = Kind.ACCESS_GRANTED if rights.allowed else Kind.ACCESS_DENIED
    return EventDraft(kind, NOON, 1.0, "anna", str(rights.reason), {"method": "pin"})


def controller(wire: Wire, on_failure: Literal["open", "deny"] = "open") -> DoorController:
    return DoorController(Sees(), Rules(), written(wire), wire, ManualClock(), on_failure)


def test_a_pin_is_written_down_before_the_lock_moves():
    wire = Wire()
    assert controller(wire).enter(draft(YES), YES).unlocked_seconds == 4.0
    assert wire.history == ["journal access.granted granted", "unlock 4"]


def test_a_refusal_is_written_down_and_moves_nothing():
    wire = Wire()
    controller(wire).enter(draft(NO), NO)
    assert wire.history == ["journal access.denied out_of_time_range"]


@pytest.mark.parametrize(
    ("on_failure", "history"),
    [("open", ["unlock 4"]), ("deny", [])],
)
def test_a_journal_that_fails_does_what_the_site_chose(on_failure, history):
    wire = Wire()
    wire.journal_fails = True
    door = controller(wire, on_failure)
    assert door.enter(draft(YES), YES).event is None
    assert wire.history == history
    wire.journal_fails = False
    door.enter(draft(NO), NO)
    expected = {"open": "access.granted granted", "deny": "access.denied journal_unavailable"}[on_failure]
    assert wire.history[len(history)] == f"journal {expected}"


def test_a_lock_that_fails_is_an_event():
    wire = Wire()
    wire.lock_fails = True
    controller(wire).enter(draft(YES), YES)
    assert wire.history == ["journal access.granted granted", "journal health.lock None"]


def test_whoever_a_pause_turned_away_is_looked_at_again_when_it_ends():
    visits = Visits()
    visit = visits.of(3, 0.0)
    visit.recognise("anna")
    assert visits.grant(visit, "anna", 1.0)
    assert not visits.grant(visit, "anna", 2.0), "who was let in stands there still"
    visits.reconsider("anna", 31.0)
    assert not visit.is_due(30.9, 0.0)
    assert visit.is_due(31.0, 0.0)
    assert visits.grant(visit, "anna", 31.0)
    visits.reconsider("nobody", 40.0)
    assert hasattr(Pipeline, "reconsider")


class TestALockThatFails:
    """`heard` takes back what was noted of openings that the guard did not carry out, and of no others."""

    def taken_back(self, let_in: list[tuple[str, float]], failed: dict[str, float]) -> list[str]:
        """Let people in by (who, seconds until the next), then hear of the failure."""
        clock, wire, taken_back = ManualClock(), Wire(), list[str]()
        door = DoorController(Sees(), Rules(), written(wire, clock), wire, clock)
        for who, seconds in let_in:
            rights = replace(YES, not_opened=partial(taken_back.append, who))
            door.enter(draft(rights), rights)
            clock.advance(seconds)
        door.heard(EventDraft.now(clock, Kind.LOCK_UNLOCK_FAILED, dict(failed)))
        return sorted(taken_back)

    def test_takes_back_everybody_whom_one_order_stood_for(self):
        assert self.taken_back([("anna", 1.4), ("bela", 1.5)], {"waited_seconds": 2.9}) == ["anna", "bela"]

    def test_leaves_whose_order_was_carried_out_before(self):
        assert self.taken_back([("anna", 3.0), ("bela", 1.5)], {"waited_seconds": 1.5}) == ["bela"]
        assert self.taken_back([("anna", 4.0)], {"waited_seconds": 1.5}) == []
        # A moment before the order that failed: the pass of who came in must not open once more.
        assert self.taken_back([("anna", 0.3), ("bela", 1.5)], {"waited_seconds": 1.5}) == ["bela"]
