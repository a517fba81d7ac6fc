from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from edge.domain import Reason, Resident
from edge.policy.access import AccessRules
from edge.policy.door import DoorPolicy
from edge.policy.lockout import LockoutRule
from edge.policy.modes import Mode, ModeState
from edge.policy.passback import Passback, PassbackKind, PassbackRule
from edge.policy.rulebook import Level, RightsGroup, RuleBook, UsualMode
from edge.policy.schedule import Calendar, Schedule, Span
from tests.present import present

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
OFFICE = Schedule("office", {"mon": (Span.parse("08:00-18:00"),)})
ROSTER = {
    "anna": Resident("anna", "Anna"),
    "fire": Resident("fire", "Fire brigade", ("rescue",)),
    "courier": Resident("courier", "Courier", ("delivery",)),
}


class Door:
    """A policy with a clock to move and the alarms it raised."""

    def __init__(self, *, has_contact: bool = False, **book) -> None:
        self.now = 0.0
        self.alarms: list[tuple[str, dict[str, Any]]] = []
        levels = {
            "resident": Level("resident"),
            "rescue": Level("rescue", passes_lockdown=True),
            "delivery": Level("delivery", is_first_person=False),
        }
        rules = AccessRules(RuleBook(Calendar(ZoneInfo("UTC")), levels=levels, **book), "gate", ROSTER.get)
        self.policy = DoorPolicy.for_door(
            rules, lambda: self.now, lambda *alarm: self.alarms.append(alarm), has_contact=has_contact
        )

    def ask(self, who: str = "anna", method: str = "face"):
        """Ask, and let in who may: the door opens for them."""
        answer = self.policy.authorise(who, NOON + timedelta(seconds=self.now), method)
        if answer.allowed:
            answer.opened()
        return answer


def test_an_ordinary_day():
    answer = Door().ask()
    assert (answer.allowed, answer.unlock_seconds, str(answer.rule)) == (
        True,
        5.0,
        "level resident, schedule always",
    )


class TestModes:
    def test_lock_down_stops_all_but_rescue(self):
        door = Door()
        door.policy.modes.set(ModeState(Mode.LOCKED_DOWN))
        assert (door.ask().reason, str(door.ask().rule)) == (Reason.THREAT_LEVEL, "mode locked down")
        assert door.ask("fire").allowed
        assert present(door.policy.refuse_by_mode(NOON)).reason is Reason.THREAT_LEVEL
        door.policy.modes.resume()
        assert door.ask().allowed
        assert door.policy.refuse_by_mode(NOON) is None

    def test_lock_down_does_not_hide_that_somebody_has_no_rights_anyway(self):
        door = Door()
        door.policy.modes.set(ModeState(Mode.LOCKED_DOWN))
        assert door.ask("nobody").reason is Reason.NO_ACCESS_RIGHTS

    def test_an_evacuation_is_free_for_all(self):
        door = Door()
        door.policy.modes.set(ModeState(Mode.EVACUATION))
        answer = door.ask("nobody")
        assert (answer.allowed, str(answer.rule)) == (True, "mode evacuation")

    def test_the_first_person_in_opens_the_shop_and_a_courier_does_not(self):
        door = Door(usual_modes={"gate": UsualMode(Mode.FIRST_PERSON_IN, OFFICE)})
        door.ask("courier")
        assert not door.policy.modes.is_held_unlocked(NOON)
        door.ask("anna")
        assert door.policy.modes.is_held_unlocked(NOON)

    def test_with_a_contact_only_an_entry_counts(self):
        door = Door(usual_modes={"gate": UsualMode(Mode.FIRST_PERSON_IN, OFFICE)}, has_contact=True)
        door.ask("anna")
        assert not door.policy.modes.is_held_unlocked(NOON)
        door.policy.note_entry("anna", NOON, "face")
        assert door.policy.modes.is_held_unlocked(NOON)


class TestPassback:
    TIMED = PassbackRule(PassbackKind.TIMED, seconds=60.0)

    def test_a_card_handed_back_over_the_fence_is_refused_until_the_time_is_up(self):
        door = Door(passback=self.TIMED)
        assert door.ask(method="card").allowed
        door.now = 59.0
        answer = door.ask(method="card")
        assert (answer.reason, str(answer.rule)) == (Reason.PASSBACK_DETECTED, "passback timed, 60 s")
        assert door.alarms[0][0] == "access.passback"
        door.now = 60.0
        assert door.ask(method="card").allowed

    def test_a_face_cannot_be_handed_back_so_a_resident_who_forgot_the_milk_comes_in(self):
        door = Door(passback=self.TIMED)
        assert all(door.ask(method=method).allowed for method in ("card", "face", "face"))

    def test_a_card_after_the_face_is_passed_back_too(self):
        door = Door(passback=self.TIMED)
        door.ask(method="face")
        assert door.ask(method="card").reason is Reason.PASSBACK_DETECTED

    def test_soft_passback_lets_in_and_says_so(self):
        door = Door(passback=PassbackRule(PassbackKind.SOFT, seconds=60.0))
        door.ask(method="card")
        answer = door.ask(method="card")
        assert answer.allowed
        assert str(answer.rule).endswith("; passback soft, 60 s")
        assert [kind for kind, _ in door.alarms] == ["access.passback"]

    def test_porters_are_exempt(self):
        porters = RightsGroup("porters", members=frozenset({"anna"}), may_pass_back=True)
        door = Door(passback=self.TIMED, groups={"porters": porters})
        assert all(door.ask(method="card").allowed for _ in range(3))

    def test_who_did_not_enter_may_try_again(self):
        door = Door(passback=self.TIMED)
        door.ask(method="card")
        door.policy.note_no_entry("anna")
        assert door.ask(method="card").allowed

    def test_memory_is_bounded_and_the_latest_stay(self):
        passback = Passback(self.TIMED, lambda: 0.0)
        for n in range(30_000):
            passback.note_entry(str(n))
        assert passback.is_too_soon("29999", "card")
        assert not passback.is_too_soon("0", "card")


class TestLockout:
    def test_who_fails_before_the_camera_never_keeps_a_resident_out(self):
        door = Door()
        for _ in range(200):
            door.policy.attempts.note(Reason.UNKNOWN_CREDENTIAL, "face")
            door.policy.attempts.note(Reason.PRESENTATION_ATTACK, "face", "anna")
        assert door.ask().allowed
        assert {kind for kind, _ in door.alarms} == {"access.attempts"}

    def test_strict_sites_switch_a_face_off_and_the_pin_switches_it_on_again(self):
        door = Door(lockout=LockoutRule(alarm_after=6, switch_off=True))
        for _ in range(6):
            door.policy.attempts.note(Reason.PRESENTATION_ATTACK, "face", "anna")
        door.now = 31.0
        assert door.ask().reason is Reason.CREDENTIAL_LOCKOUT
        assert door.alarms[-1] == (
            "access.attempts",
            {"subject": "face anna", "reason": "presentation_attack"},
        )
        assert door.ask(method="pin").allowed
        assert door.ask().allowed


def test_no_wall_clock_leap_touches_pauses_or_passback():
    door = Door(passback=PassbackRule(PassbackKind.TIMED, seconds=60.0))
    for leap in (-9000, 9000):
        at = NOON + timedelta(days=leap)
        door.policy.passback.forget("anna")
        first = door.policy.authorise("anna", at, "card")
        assert first.allowed
        first.opened()
        assert door.policy.authorise("anna", NOON, "card").reason is Reason.PASSBACK_DETECTED
