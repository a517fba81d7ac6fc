"""Recognised and still outside: looked at again as soon as the door may open, and not before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import pytest

from edge.domain import Decision, EventDraft, Reason, Verdict
from edge.events import Kind
from edge.service.entry.patience import AGAIN_SECONDS, LONGEST_SECONDS, OUR_FAULT, Patience

if TYPE_CHECKING:
    from edge.policy.door import DoorPolicy

AT = datetime(2026, 3, 1, tzinfo=UTC)


class Policy:
    """Rules that may change their mind, and remember who was asked about."""

    def __init__(self):
        self.allows = False
        self.asked = []
        self.attempts = self

    def would_allow(self, who, at, method):
        self.asked.append((who, at, method))
        return self.allows

    def seconds_left(self, reader, who):
        return 17.0


class Gate:
    def __init__(self):
        self.policy = Policy()
        self.patience = Patience(cast("DoorPolicy", self.policy))
        self.again = []

    def decide(self, reason, time=0.0, who="anna", verdict=Verdict.DENY):
        decision = Decision(verdict, reason, 1, 0, time, AT, 1, resident_id=who)
        self.patience.took(
            decision, lambda one, seconds: self.again.append((one.resident_id, one.time + seconds))
        )
        return decision

    def pass_time(self, until, start=0.0):
        time = start
        while time <= until:
            self.patience.step(time)
            time += 0.5

    def hears(self, kind, reason=None, who=None):
        self.patience.heard(EventDraft(kind, AT, 0.0, who, reason))


@pytest.fixture
def gate():
    return Gate()


@pytest.mark.parametrize(
    "reason", [Reason.OUT_OF_TIME_RANGE, Reason.CLOCK_UNTRUSTED, Reason.THREAT_LEVEL, Reason.NO_ACCESS_RIGHTS]
)
def test_who_may_come_in_by_now_is_looked_at_again_once(gate, reason):
    gate.decide(reason)
    gate.pass_time(4.0)
    assert gate.again == []
    gate.policy.allows = True
    gate.pass_time(10.0, start=4.5)
    assert gate.again == [("anna", 5.0)]


@pytest.mark.parametrize("reason", sorted(OUR_FAULT))
def test_whom_we_failed_is_looked_at_again_by_the_clock(gate, reason):
    gate.policy.allows = True
    gate.decide(reason, time=10.0)
    gate.pass_time(20.0, start=10.0)
    assert gate.again == [("anna", 10.0 + AGAIN_SECONDS)]


def test_a_pause_ends(gate):
    gate.decide(Reason.LOCKOUT_MAX_ATTEMPTS)
    assert gate.again == [("anna", 17.0)]


def test_who_is_gone_for_long_is_forgotten(gate):
    gate.decide(Reason.OUT_OF_TIME_RANGE)
    gate.pass_time(LONGEST_SECONDS + 2.0, start=LONGEST_SECONDS + 1.0)
    gate.policy.allows = True
    gate.pass_time(LONGEST_SECONDS + 9.0, start=LONGEST_SECONDS + 3.0)
    assert gate.again == []


def test_a_pin_that_never_came_may_be_asked_for_once_more(gate):
    gate.decide(Reason.SECOND_FACTOR_REQUIRED)
    gate.pass_time(20.0)
    assert gate.again == []
    gate.hears(Kind.ACCESS_DENIED, str(Reason.AUTHENTICATION_FACTOR_TIMEOUT), "anna")
    gate.pass_time(22.0, start=20.5)
    assert [who for who, _ in gate.again] == ["anna"]


def test_an_opening_that_was_missed_is_offered_again_ever_more_seldom(gate):
    delays = []
    for n in range(7):
        gate.decide(Reason.GRANTED, time=n * 100.0, verdict=Verdict.GRANT)
        gate.hears(Kind.DOOR_NO_ENTRY_AFTER_GRANTED)
        gate.patience.step(n * 100.0 + 5.0)
        delays.append(gate.again[-1][1] - n * 100.0 - 5.0)
    assert delays == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    gate.hears(Kind.DOOR_OPENED)
    gate.hears(Kind.DOOR_NO_ENTRY_AFTER_GRANTED)
    gate.patience.step(900.0)
    assert len(gate.again) == 7, "who came in is not offered anything"


def test_a_lock_that_is_away_for_days_is_tried_every_minute_to_the_end(gate):
    """A number that doubles without a limit overflows at the 1,024th time."""
    for n in range(1100):
        gate.decide(Reason.GRANTED, time=n * 100.0, verdict=Verdict.GRANT)
        gate.hears(Kind.LOCK_UNLOCK_FAILED)
        gate.patience.step(n * 100.0 + 5.0)
    assert gate.again[-1][1] == 1099 * 100.0 + 5.0 + 60.0


def test_who_was_let_in_by_a_lock_that_did_not_move_is_offered_it_again(gate):
    """The relay guard was away for longer than the order may wait."""
    gate.decide(Reason.GRANTED, verdict=Verdict.GRANT)
    gate.hears(Kind.LOCK_UNLOCK_FAILED)
    gate.patience.step(5.0)
    assert len(gate.again) == 1


def test_strangers_wait_for_nothing(gate):
    decision = gate.decide(Reason.UNKNOWN_CREDENTIAL, who=None)
    gate.patience.took(replace(decision, verdict=Verdict.WAIT, resident_id="anna"), print)
    gate.policy.allows = True
    gate.pass_time(5.0)
    assert gate.policy.asked == []
