from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from edge.domain import DoorEvent, Reason, Resident
from edge.policy.access import AccessRules
from edge.policy.rulebook import DisableReason, Level, RightsGroup, RuleBook
from edge.policy.schedule import Calendar, Schedule, Span
from edge.policy.simulate import simulate

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)  # a Monday
OFFICE = Schedule("office", {"mon": (Span.parse("08:00-18:00"),)})
ROSTER = {name: Resident(name, name.title()) for name in ("anna", "berta")}


def passed(
    who="anna", hours=0, kind="access.granted", reason="granted", method="face", clock="synced", door="gate"
):
    at = NOON + timedelta(hours=hours)
    data = {"method": method}
    return DoorEvent("id", "s", 1, kind, at, "b", 0, clock, door, who, reason, data, "p", "h")


def refused(reason: Reason, **more):
    return passed(kind="access.denied", reason=str(reason), **more)


def book(level: Level | None = None, **more) -> RuleBook:
    level = level or Level("resident")
    return RuleBook(Calendar(ZoneInfo("UTC")), {level.name: level}, **more)


def test_openings_that_would_have_been_refused_are_listed():
    events = [passed(hours=hours) for hours in (0, 3, 7, 9)]
    result = simulate(events, book(Level("resident", schedule=OFFICE)), ROSTER.get)
    assert (result.openings, result.refusals, result.replayed) == (4, 0, 4)
    assert [change.event for change in result.newly_refused] == events[2:]
    assert {change.answer.reason for change in result.changes} == {Reason.OUT_OF_TIME_RANGE}


def test_refusals_that_would_have_been_openings_are_listed():
    events = [refused(Reason.OUT_OF_TIME_RANGE, hours=9), refused(Reason.NO_ACCESS_RIGHTS)]
    result = simulate(events, book(), ROSTER.get)
    assert [change.event for change in result.newly_allowed] == events
    assert result.refusals == 2


def test_a_refusal_with_another_reason_is_neither():
    off = book(disabled={"anna": DisableReason.OWN_REQUEST})
    result = simulate([refused(Reason.NO_ACCESS_RIGHTS)], off, ROSTER.get)
    assert [change.answer.reason for change in result.changes] == [Reason.CREDENTIAL_MANUAL_DISABLE]
    assert not result.newly_allowed
    assert not result.newly_refused


def test_new_rules_make_no_stranger_a_resident():
    untouched = [
        refused(Reason.UNKNOWN_CREDENTIAL, who=None),
        refused(Reason.PRESENTATION_ATTACK),
        refused(Reason.LOCKOUT_MAX_ATTEMPTS),
        refused(Reason.THREAT_LEVEL),
        refused(Reason.INCORRECT_AUTHENTICATION_FACTOR, method="pin"),
        passed(who=None, method="pass"),
        passed(kind="door.opened", reason=None),
    ]
    result = simulate(untouched, book(), ROSTER.get)
    assert result.replayed == 0
    assert (result.openings, result.refusals) == (1, 5)


def test_doors_methods_groups_and_the_clock_of_then_all_count():
    twins = RightsGroup("twins", members=frozenset({"berta"}), needs_pin_with_face=True)
    rules = book(Level("resident", doors=frozenset({"gate"}), schedule=OFFICE), groups={"twins": twins})
    events = [
        passed(),
        passed(door="garage"),
        passed("berta"),
        passed("berta", method="face+pin"),
        passed(clock="unknown"),
        passed("moved away"),
    ]
    assert len(simulate(events, rules, ROSTER.get).changes) == 3
    result = simulate(events, rules, ROSTER.get, strict_clock=True)
    assert [(change.event, change.answer.reason) for change in result.changes] == [
        (events[1], Reason.NO_ACCESS_RIGHTS),
        (events[2], Reason.SECOND_FACTOR_REQUIRED),
        (events[4], Reason.CLOCK_UNTRUSTED),
        (events[5], Reason.NO_ACCESS_RIGHTS),
    ]


@given(st.lists(st.tuples(st.sampled_from(["anna", "berta", "ghost"]), st.integers(-50, 50)), max_size=30))
def test_rules_that_were_in_force_change_nothing(passes):
    rules = book(Level("resident", schedule=OFFICE))
    access = AccessRules(rules, "gate", ROSTER.get)
    events = []
    for who, hours in passes:
        answer = access.authorise(who, NOON + timedelta(hours=hours), "face")
        kind = "access.granted" if answer.allowed else "access.denied"
        events.append(passed(who, hours, kind, str(answer.reason)))
    assert simulate(events, rules, ROSTER.get).changes == ()
