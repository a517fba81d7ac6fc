from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.domain import Reason, Resident
from edge.policy.access import AccessRules
from edge.policy.methods import Method
from edge.policy.rulebook import DisableReason, Level, RightsGroup, RuleBook, UntrustedClock
from edge.policy.schedule import ALWAYS, NEVER, Calendar, Schedule, Span
from edge.policy.trust import EPOCH, Believe

MONDAY_NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
OFFICE = Schedule("office", {"mon": (Span.parse("08:00-18:00"),)})
ANNA = Resident("anna", "Anna")


class Doubt:
    """A clock nobody can believe, with a floor below which the truth cannot lie."""

    def __init__(self, floor: datetime = EPOCH) -> None:
        self.floor = floor

    def moments(self, at: datetime) -> tuple[datetime, ...]:
        return ()

    def vouches(self, at: datetime) -> bool:
        return False


class Dispute:
    """A clock that the door's own count contradicts by `apart`."""

    def __init__(self, apart: timedelta, floor: datetime = EPOCH) -> None:
        self.floor = floor
        self.apart = apart

    def moments(self, at: datetime) -> tuple[datetime, ...]:
        return at, at + self.apart

    def vouches(self, at: datetime) -> bool:
        return False


def rules(*residents: Resident, book: RuleBook | None = None, door="gate", trust=None) -> AccessRules:
    roster = {resident.id: resident for resident in residents or (ANNA,)}
    return AccessRules(book or RuleBook(), door, roster.get, trust or Believe())


def book(*levels: Level, groups: tuple[RightsGroup, ...] = (), **more) -> RuleBook:
    return RuleBook(
        levels={level.name: level for level in levels},
        groups={group.name: group for group in groups},
        **more,
    )


def test_without_any_rules_a_resident_passes_at_any_time():
    answer = rules().authorise("anna", MONDAY_NOON, "face")
    assert (answer.allowed, answer.reason, answer.unlock_seconds) == (True, Reason.GRANTED, 5.0)
    assert str(answer.rule) == "level resident, schedule always"


def test_somebody_recognised_but_no_longer_on_the_roster_has_no_rights():
    answer = rules().authorise("ghost", MONDAY_NOON, "face")
    assert (answer.reason, str(answer.rule), answer.unlock_seconds) == (
        Reason.NO_ACCESS_RIGHTS,
        "not on the roster",
        0.0,
    )


def test_another_door_and_another_method_are_no_access_rights():
    levels = book(Level("resident", doors=frozenset({"garage"}), methods=frozenset({"face"})))
    assert rules(book=levels).authorise("anna", MONDAY_NOON, "face").reason is Reason.NO_ACCESS_RIGHTS
    garage = rules(book=levels, door="garage")
    assert garage.authorise("anna", MONDAY_NOON, "face").allowed
    assert garage.authorise("anna", MONDAY_NOON, "face+pin").allowed
    refused = garage.authorise("anna", MONDAY_NOON, "card")
    assert refused.reason is Reason.NO_ACCESS_RIGHTS
    assert str(refused.rule) == "no level for this door by card (has: resident)"


def test_outside_the_schedule_names_the_schedule():
    levels = book(Level("resident", schedule=OFFICE))
    assert rules(book=levels).authorise("anna", MONDAY_NOON, "pin").allowed
    late = rules(book=levels).authorise("anna", MONDAY_NOON.replace(hour=18), "pin")
    assert (late.reason, str(late.rule)) == (Reason.OUT_OF_TIME_RANGE, "level resident, schedule office")


def test_one_open_level_among_several_is_enough():
    levels = book(Level("cleaner", schedule=NEVER), Level("porter", schedule=OFFICE))
    both = Resident("anna", "Anna", ("cleaner", "porter"))
    assert (
        rules(both, book=levels).authorise("anna", MONDAY_NOON, "face").rule.said()
        == "level porter, schedule office"
    )


def test_validity_begins_on_the_instant_and_ends_before_it():
    guest = Resident("g", "G", valid_from=MONDAY_NOON, valid_until=MONDAY_NOON + timedelta(hours=1))
    second = timedelta(seconds=1)
    gate = rules(guest)
    assert gate.authorise("g", MONDAY_NOON - second, "pin").reason is Reason.CREDENTIAL_NOT_YET_ACTIVE
    assert gate.authorise("g", MONDAY_NOON, "pin").allowed
    assert gate.authorise("g", MONDAY_NOON + timedelta(hours=1) - second, "pin").allowed
    assert gate.authorise("g", MONDAY_NOON + timedelta(hours=1), "pin").reason is Reason.CREDENTIAL_EXPIRED


def test_switched_off_wins_over_every_level():
    off = book(Level("resident"), disabled={"anna": DisableReason.CREDENTIAL_LOST})
    answer = rules(book=off).authorise("anna", MONDAY_NOON, "face")
    assert (answer.reason, str(answer.rule)) == (
        Reason.CREDENTIAL_MANUAL_DISABLE,
        "switched off: credential lost",
    )


def test_a_debt_is_no_reason_to_switch_anybody_off():
    assert not any(
        word in reason for reason in DisableReason for word in ("arrears", "debt", "unpaid", "fee")
    )


def test_look_alikes_need_the_pin_with_the_face_but_not_with_anything_else():
    twins = book(
        Level("resident"),
        groups=(RightsGroup("twins", members=frozenset({"anna"}), needs_pin_with_face=True),),
    )
    gate = rules(book=twins)
    refused = gate.authorise("anna", MONDAY_NOON, Method.FACE)
    assert (refused.reason, str(refused.rule)) == (
        Reason.SECOND_FACTOR_REQUIRED,
        "group twins needs face and PIN",
    )
    for method in (Method.FACE_PIN, Method.PIN, Method.CARD, Method.PASS):
        assert gate.authorise("anna", MONDAY_NOON, method).allowed


def test_groups_lend_levels_and_a_longer_opening():
    staff = RightsGroup("staff", levels=("day",), extended_unlock=True)
    levels = book(Level("day", schedule=OFFICE), groups=(staff,))
    answer = rules(Resident("p", "P", ("staff",)), book=levels).authorise("p", MONDAY_NOON, "card")
    assert (answer.allowed, answer.unlock_seconds) == (True, 15.0)


def test_a_resident_who_needs_longer_gets_longer():
    slow = replace(ANNA, extended_unlock=True)
    assert rules(slow).authorise("anna", MONDAY_NOON, "face").unlock_seconds == 15.0


class TestWithoutTheTime:
    def test_unrestricted_residents_still_come_home(self):
        assert rules(trust=Doubt()).authorise("anna", MONDAY_NOON, "face").allowed

    def test_schedules_wait_for_the_clock(self):
        answer = rules(book=book(Level("resident", schedule=OFFICE)), trust=Doubt()).authorise(
            "anna", MONDAY_NOON, "face"
        )
        assert (answer.reason, str(answer.rule)) == (Reason.CLOCK_UNTRUSTED, "schedule office needs the time")

    def test_an_unrestricted_level_counts_beside_a_bound_one(self):
        levels = book(Level("resident", schedule=OFFICE), Level("owner"))
        owner = Resident("anna", "Anna", ("resident", "owner"))
        assert rules(owner, book=levels, trust=Doubt()).authorise("anna", MONDAY_NOON, "face").allowed

    def test_an_expired_guest_is_not_revived_by_a_clock_set_back(self):
        guest = replace(ANNA, valid_until=MONDAY_NOON)
        gate = rules(guest, trust=Doubt(floor=MONDAY_NOON + timedelta(days=1)))
        assert (
            gate.authorise("anna", MONDAY_NOON - timedelta(days=400), "face").reason
            is Reason.CREDENTIAL_EXPIRED
        )

    def test_a_guest_with_an_end_waits_for_the_clock(self):
        guest = replace(ANNA, valid_until=MONDAY_NOON + timedelta(days=9))
        gate = rules(guest, trust=Doubt(floor=MONDAY_NOON))
        assert gate.authorise("anna", MONDAY_NOON, "face").reason is Reason.CLOCK_UNTRUSTED

    def test_whoever_moved_in_before_the_last_trusted_time_is_active(self):
        gate = rules(
            replace(ANNA, valid_from=MONDAY_NOON), trust=Doubt(floor=MONDAY_NOON + timedelta(days=1))
        )
        assert gate.authorise("anna", EPOCH, "face").allowed

    def test_whoever_moves_in_later_waits(self):
        gate = rules(
            replace(ANNA, valid_from=MONDAY_NOON), trust=Doubt(floor=MONDAY_NOON - timedelta(days=1))
        )
        assert (
            gate.authorise("anna", MONDAY_NOON + timedelta(days=400), "face").reason is Reason.CLOCK_UNTRUSTED
        )

    def test_a_strict_site_lets_nobody_in(self):
        strict = book(Level("resident"), untrusted_clock=UntrustedClock.NOBODY)
        answer = rules(book=strict, trust=Doubt()).authorise("anna", MONDAY_NOON, "face")
        assert (answer.reason, str(answer.rule)) == (Reason.CLOCK_UNTRUSTED, "untrusted_clock = nobody")


class TestDisputedTime:
    """The clock says one time, the door's own count another: what holds at both counts."""

    @pytest.mark.parametrize(("hours", "reason"), [(3, Reason.GRANTED), (12, Reason.CLOCK_UNTRUSTED)])
    def test_hours_count_where_they_are_open_at_both(self, hours, reason):
        gate = rules(book=book(Level("resident", schedule=OFFICE)), trust=Dispute(timedelta(hours=hours)))
        assert gate.authorise("anna", MONDAY_NOON, "face").reason is reason

    def test_hours_that_are_closed_at_both_are_closed(self):
        gate = rules(book=book(Level("resident", schedule=OFFICE)), trust=Dispute(timedelta(hours=1)))
        answer = gate.authorise("anna", MONDAY_NOON + timedelta(hours=10), "face")
        assert answer.reason is Reason.OUT_OF_TIME_RANGE

    @pytest.mark.parametrize(
        ("days", "reason"),
        [(200, Reason.GRANTED), (60, Reason.CLOCK_UNTRUSTED), (-1, Reason.CREDENTIAL_EXPIRED)],
    )
    def test_a_tenant_comes_in_who_is_valid_at_both(self, days, reason):
        tenant = replace(ANNA, valid_until=MONDAY_NOON + timedelta(days=days))
        gate = rules(tenant, trust=Dispute(timedelta(days=90), MONDAY_NOON - timedelta(days=2)))
        assert gate.authorise("anna", MONDAY_NOON, "face").reason is reason

    @pytest.mark.parametrize(
        ("days", "reason"),
        [(-1, Reason.GRANTED), (60, Reason.CLOCK_UNTRUSTED), (91, Reason.CREDENTIAL_NOT_YET_ACTIVE)],
    )
    def test_who_moves_in_later_is_judged_by_both(self, days, reason):
        coming = replace(ANNA, valid_from=MONDAY_NOON + timedelta(days=days))
        gate = rules(coming, trust=Dispute(timedelta(days=90), MONDAY_NOON - timedelta(days=2)))
        assert gate.authorise("anna", MONDAY_NOON, "face").reason is reason

    def test_a_strict_site_lets_nobody_in(self):
        strict = book(Level("resident"), untrusted_clock=UntrustedClock.NOBODY)
        answer = rules(book=strict, trust=Dispute(timedelta(hours=3))).authorise("anna", MONDAY_NOON, "face")
        assert answer.reason is Reason.CLOCK_UNTRUSTED


SPANS = (
    st.tuples(st.integers(0, 1439), st.integers(1, 1440))
    .filter(lambda p: p[0] != p[1])
    .map(lambda p: Span(*p))
)
SCHEDULES = st.one_of(
    st.sampled_from((ALWAYS, NEVER)),
    st.dictionaries(st.sampled_from(("mon", "tue")), st.lists(SPANS, max_size=2).map(tuple)).map(
        lambda days: Schedule("drawn", days)
    ),
)
NAMES = st.sampled_from("abcd")
DOORS = st.sets(st.sampled_from(("gate", "garage", "*")), min_size=1).map(frozenset)
METHODS = st.sets(st.sampled_from(("face", "pin", "*")), min_size=1).map(frozenset)
TIMES = st.integers(-2880, 2880).map(lambda minutes: MONDAY_NOON + timedelta(minutes=minutes))

APART = st.integers(-2880, 2880).map(lambda minutes: timedelta(minutes=minutes))


@st.composite
def sites(draw):
    levels = {n: Level(n, draw(DOORS), draw(SCHEDULES), draw(METHODS)) for n in draw(st.sets(NAMES))}
    groups = {
        n: RightsGroup(
            n, tuple(draw(st.sets(NAMES))), frozenset(draw(st.sets(st.just("anna")))), draw(st.booleans())
        )
        for n in draw(st.sets(st.sampled_from("xy")))
    }
    off = {"anna": DisableReason.MOVED_OUT} if draw(st.booleans()) and draw(st.booleans()) else {}
    clock = draw(st.sampled_from(list(UntrustedClock)))
    return RuleBook(Calendar(ZoneInfo("UTC")), levels, groups, off, untrusted_clock=clock)


def slow_time(site: RuleBook, person: Resident, at: datetime, trust) -> Reason | None:
    """Restate what the time says against a person."""
    times = trust.moments(at)
    floor, start, until = trust.floor, person.valid_from, person.valid_until
    if until and (until <= floor or (times and all(until <= one for one in times))):
        return Reason.CREDENTIAL_EXPIRED
    begun = start is None or start <= floor
    sure = len(times) == 1
    if not sure and site.untrusted_clock == "nobody":
        return Reason.CLOCK_UNTRUSTED
    if not times and (until or not begun):
        return Reason.CLOCK_UNTRUSTED
    if times and not begun and all(one < start for one in times):
        return Reason.CREDENTIAL_NOT_YET_ACTIVE
    if any((until and until <= one) or (not begun and one < start) for one in times):
        return Reason.CLOCK_UNTRUSTED
    return None


def slow_answer(site: RuleBook, person: Resident, at: datetime, method: str, trust) -> Reason:
    """Restate the rules one after the other, in the order the documentation gives them."""
    if person.id in site.disabled:
        return Reason.CREDENTIAL_MANUAL_DISABLE
    times = trust.moments(at)
    if refusal := slow_time(site, person, at, trust):
        return refusal
    mine = [g for g in site.groups.values() if g.name in person.access_levels or person.id in g.members]
    if method == "face" and any(g.needs_pin_with_face for g in mine):
        return Reason.SECOND_FACTOR_REQUIRED
    names = set(person.access_levels).union(*(g.levels for g in mine))
    satisfied = {"*", method} | ({"face"} if method == "face+pin" else set())
    here = [
        level
        for level in site.levels.values()
        if level.name in names and level.doors & {"*", "gate"} and level.methods & satisfied
    ]
    if any(level.schedule is ALWAYS for level in here):
        return Reason.GRANTED
    if not here:
        return Reason.NO_ACCESS_RIGHTS
    if not times:
        return Reason.CLOCK_UNTRUSTED
    opened = [[site.calendar.is_open(level.schedule, one) for one in times] for level in here]
    if any(all(answers) for answers in opened):
        return Reason.GRANTED
    return Reason.CLOCK_UNTRUSTED if any(map(any, opened)) else Reason.OUT_OF_TIME_RANGE


@settings(max_examples=200, deadline=None)
@given(
    site=sites(),
    names=st.lists(st.sampled_from("abcdxy"), max_size=3).map(tuple),
    validity=st.tuples(st.none() | TIMES, st.none() | TIMES),
    at=TIMES,
    method=st.sampled_from(("face", "face+pin", "pin", "card")),
    trust=st.one_of(st.builds(Believe), TIMES.map(Doubt), st.builds(Dispute, APART, TIMES)),
)
def test_rules_agree_with_a_slow_restatement(site, names, validity, at, method, trust):
    person = Resident("anna", "Anna", names, *validity)
    answer = rules(person, book=site, trust=trust).authorise("anna", at, method)
    assert answer.reason is slow_answer(site, person, at, method, trust)
    assert answer.allowed == (answer.reason is Reason.GRANTED)
    assert (answer.unlock_seconds > 0) == answer.allowed
    assert str(answer.rule)


class TestChallenge:
    """Who answers a liveness challenge: the strictest of the open levels counts."""

    NIGHT = Schedule("night", {"mon": (Span.parse("22:00-06:00"),)})
    MIDNIGHT = MONDAY_NOON + timedelta(hours=12)

    def test_without_a_word_about_it_nobody_is_asked(self):
        assert not rules().needs_challenge("anna", MONDAY_NOON)
        assert not rules().needs_challenge(None, MONDAY_NOON)

    def test_a_strict_level_asks_its_holders_and_nobody_else(self):
        site = book(Level("resident"), Level("vault", is_strict=True))
        berta = replace(ANNA, id="berta", access_levels=("resident", "vault"))
        door = rules(ANNA, berta, book=site)

        assert not door.needs_challenge("anna", MONDAY_NOON)
        assert door.needs_challenge("berta", MONDAY_NOON)

    def test_who_is_not_known_is_asked(self):
        door = rules(book=book(Level("resident"), Level("vault", is_strict=True)))

        assert door.needs_challenge(None, MONDAY_NOON)
        assert door.needs_challenge("ghost", MONDAY_NOON)

    def test_a_strict_level_asks_only_while_it_is_open_and_only_at_its_door(self):
        level = Level("resident", schedule=self.NIGHT, is_strict=True)

        assert not rules(book=book(level)).needs_challenge("anna", MONDAY_NOON)
        assert rules(book=book(level)).needs_challenge("anna", self.MIDNIGHT)
        elsewhere = book(replace(level, doors=frozenset({"garage"})))
        assert not rules(book=elsewhere).needs_challenge("anna", self.MIDNIGHT)

    def test_at_night_everybody_is_asked(self):
        door = rules(book=book(Level("resident"), strict_liveness=self.NIGHT))

        assert not door.needs_challenge("anna", MONDAY_NOON)
        assert door.needs_challenge("anna", self.MIDNIGHT)

    def test_while_the_time_is_unknown_it_may_be_night(self):
        by_hour = book(Level("resident"), strict_liveness=self.NIGHT)
        by_level = book(Level("resident", schedule=self.NIGHT, is_strict=True))

        assert rules(book=by_hour, trust=Doubt()).needs_challenge("anna", MONDAY_NOON)
        assert rules(book=by_level, trust=Doubt()).needs_challenge("anna", MONDAY_NOON)

    def test_a_level_for_face_and_pin_counts_too(self):
        level = Level("resident", methods=frozenset({Method.FACE_PIN}), is_strict=True)

        assert rules(book=book(level)).needs_challenge("anna", MONDAY_NOON)


def test_however_many_levels_are_shut_the_rule_is_told_whole_and_not_deep():
    names = [f"level{number}" for number in range(12)]
    shut = book(*(Level(name, schedule=NEVER) for name in names))
    resident = Resident("anna", "Anna", tuple(names))
    rule = rules(resident, book=shut).authorise("anna", MONDAY_NOON, "face").rule
    assert str(rule) == "; ".join(f"level {name}, schedule never" for name in names)
    assert json.dumps(rule.coded()).count("}}}}}") == 0
