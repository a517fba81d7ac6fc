from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.domain import Reason, Resident
from edge.policy.access import AccessRules
from edge.policy.attempts import BESIDE_PAUSE_SECONDS
from edge.policy.desk import AGAIN_SECONDS, FACTOR_SECONDS, NEW_CARD_SECONDS, CredentialDesk, Register
from edge.policy.door import DoorPolicy
from edge.policy.modes import Mode, ModeState
from edge.policy.pass_gate import PassGate
from edge.policy.passback import Passback, PassbackKind, PassbackRule
from edge.policy.passes import Pass, door_marks, issue
from edge.policy.pin import PinBook
from edge.policy.rulebook import Level, RightsGroup, RuleBook
from edge.policy.showings import SAME_SHOWING_SECONDS
from edge.runtime.clock import ManualClock

if TYPE_CHECKING:
    from edge.events import Kind

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
ROSTER = {name: Resident(name, name.title()) for name in ("anna", "berta")}
PINS = (
    PinBook(b"k" * 16)
    .with_pin("12", "anna", "483920")
    .with_pin("12", "anna", "771204", is_duress=True)
    .with_pin("12", "berta", "338827")
)
REGISTER = Register(PINS, {"w26:1:2": "anna"}, (KEY.public_key().public_bytes_raw(),))


class Ledger:
    def __init__(self) -> None:
        self.count = 0

    def take(
        self, pass_id: bytes, max_uses: int, begins: datetime, until: datetime, at: datetime
    ) -> int | None:
        self.count += 1
        return self.count if self.count <= max_uses else None

    def is_ended(self, pass_id: bytes, begins: datetime) -> bool:
        return False

    def give_back(self, pass_id: bytes) -> None:
        self.count -= 1


@dataclass
class Desk:
    """A desk with its clock, alarms and policy at hand."""

    clock: ManualClock = field(default_factory=ManualClock)
    alarms: list[tuple[Kind, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        twins = RightsGroup("twins", members=frozenset(ROSTER), needs_pin_with_face=True)
        book = RuleBook(levels={"resident": Level("resident")}, groups={"twins": twins})
        rules = AccessRules(book, "gate", ROSTER.get)
        self.policy = DoorPolicy.for_door(
            rules, self.clock.monotonic, lambda *alarm: self.alarms.append(alarm)
        )
        gate = PassGate(rules, Ledger())
        self.register = REGISTER
        self.desk = CredentialDesk(self.policy, lambda: self.register, gate, self.clock)

    def pass_text(self, pass_id: bytes = b"12345678", max_uses: int = 1) -> str:
        now = self.clock.now()
        doors = door_marks(["gate"])
        shown = Pass(pass_id, "anna", now, now + timedelta(hours=1), max_uses, door_marks=doors)
        return issue(shown, KEY.private_bytes_raw())


@pytest.fixture
def door() -> Desk:
    return Desk()


class TestPin:
    def test_the_right_pin_opens_and_is_written_down(self, door):
        answer = door.desk.type_pin("12", "338827")
        assert (answer.rights.allowed, answer.silent) == (True, None)
        assert (answer.draft.kind, answer.draft.resident_id, answer.draft.reason) == (
            "access.granted",
            "berta",
            "granted",
        )
        assert answer.draft.data == {
            "method": "pin",
            "rule": "level resident, schedule always",
            "rule_code": {"id": "rule.level", "level": "resident", "schedule": "always"},
            "unlock_seconds": 5.0,
            "number": "12",
        }

    def test_a_wrong_pin_and_an_unknown_number_get_the_same_answer(self, door):
        wrong, unknown = door.desk.type_pin("12", "000001"), door.desk.type_pin("99", "000001")
        assert wrong.rights == unknown.rights
        assert wrong.rights.reason is Reason.INCORRECT_AUTHENTICATION_FACTOR

    def test_a_pin_typed_as_the_number_is_not_written_down(self, door):
        assert "338827" not in repr(door.desk.type_pin("338827", "12").draft)

    def test_duress_opens_as_ever_and_alarms_silently(self, door):
        ordinary = door.desk.type_pin("12", "483920")
        forced = door.desk.type_pin("12", "771204")
        assert forced.rights == ordinary.rights
        assert forced.draft == ordinary.draft
        assert forced.silent.kind == "alarm.duress"
        assert (forced.silent.resident_id, forced.silent.data) == ("anna", {"method": "pin", "opened": True})

    def test_guessing_is_paused_and_a_neighbour_waits_no_longer_than_the_pause(self, door):
        for n in range(5):
            door.desk.type_pin("12", f"00000{n}")
        assert door.desk.type_pin("12", "338827").rights.reason is Reason.LOCKOUT_MAX_ATTEMPTS
        door.clock.advance(30.0)
        assert door.desk.type_pin("12", "338827").rights.allowed

    def test_a_day_s_share_of_guesses_at_one_number_alarms_the_staff(self, door):
        for _ in range(50):
            door.desk.type_pin("12", "000000")
            door.clock.advance(31.0)
        assert [data["subject"] for _, data in door.alarms] == ["pin 12"]


class TestSecondFactor:
    def test_a_face_that_needs_its_pin_and_gets_it(self, door):
        refused = door.policy.authorise("anna", door.clock.now(), "face")
        assert refused.reason is Reason.SECOND_FACTOR_REQUIRED
        door.desk.expect_pin("anna")
        answer = door.desk.type_pin("12", "483920")
        assert (answer.rights.allowed, answer.draft.data["method"]) == (True, "face+pin")
        assert door.desk.check_timeouts() == []

    def test_the_other_twin_s_pin_is_only_her_own_way_in(self, door):
        door.desk.expect_pin("anna")
        answer = door.desk.type_pin("12", "338827")
        assert (answer.draft.resident_id, answer.draft.data["method"]) == ("berta", "pin")

    def test_a_pin_that_never_comes_is_a_timeout_once(self, door):
        door.desk.expect_pin("anna")
        door.clock.advance(FACTOR_SECONDS - 0.1)
        assert door.desk.check_timeouts() == []
        door.clock.advance(0.1)
        (answer,) = door.desk.check_timeouts()
        assert (answer.rights.reason, answer.draft.resident_id) == (
            Reason.AUTHENTICATION_FACTOR_TIMEOUT,
            "anna",
        )
        assert door.desk.check_timeouts() == []

    def test_after_the_time_the_pin_stands_alone(self, door):
        door.desk.expect_pin("anna")
        door.clock.advance(FACTOR_SECONDS)
        assert door.desk.type_pin("12", "483920").draft.data["method"] == "pin"


class TestCard:
    def test_a_known_card_opens_and_an_unknown_one_does_not(self, door):
        answer = door.desk.present_card("w26:1:2")
        assert (answer.rights.allowed, answer.draft.resident_id) == (True, "anna")
        assert "w26:1:2" not in str(answer.draft), "a resident's card number is his own affair"
        unknown = door.desk.present_card("w26:9:9")
        assert (unknown.rights.reason, unknown.draft.kind) == (Reason.UNKNOWN_CREDENTIAL, "access.denied")

    def test_new_cards_that_staff_wait_for_pause_nobody_one_for_each_time_they_look(self, door):
        for n in range(20):
            door.desk.expect_card()
            assert door.desk.present_card(f"w26:9:{n}").rights.reason is Reason.UNKNOWN_CREDENTIAL
        assert door.desk.present_card("w26:1:2").rights.allowed
        door.desk.expect_card()
        reasons = [door.desk.present_card(f"w26:8:{n}").rights.reason for n in range(7)]
        assert reasons == [Reason.UNKNOWN_CREDENTIAL] * 6 + [Reason.LOCKOUT_MAX_ATTEMPTS]

    def test_a_sheet_that_stays_open_covers_no_card_after_two_minutes(self, door):
        door.desk.expect_card()
        door.clock.advance(NEW_CARD_SECONDS + 1)
        reasons = [door.desk.present_card(f"w26:8:{n}").rights.reason for n in range(6)]
        assert reasons[-1] is Reason.LOCKOUT_MAX_ATTEMPTS

    def test_a_heap_of_unknown_cards_pauses_the_reader(self, door):
        reasons = [door.desk.present_card(str(n)).rights.reason for n in range(7)]
        assert reasons == [Reason.UNKNOWN_CREDENTIAL] * 5 + [Reason.LOCKOUT_MAX_ATTEMPTS] * 2


class TestPass:
    def test_a_pass_held_before_the_camera_is_one_use(self, door):
        text = door.pass_text()
        answer = door.desk.show_pass(text)
        assert answer.rights.allowed
        assert answer.draft.data["host"] == "anna"
        assert answer.draft.data["kind"] == "visitor"
        for _ in range(50):
            door.clock.advance(0.1)
            assert door.desk.show_pass(text) is None
        door.clock.advance(SAME_SHOWING_SECONDS)
        assert door.desk.show_pass(text).rights.reason is Reason.CREDENTIAL_MAX_USES

    def test_a_pass_of_somebody_who_was_removed_opens_nothing_for_whoever_has_the_number_now(self, door):
        """Also before it could be taken back."""
        door.register = replace(REGISTER, owed=frozenset({"anna"}))
        assert door.desk.show_pass(door.pass_text()).rights.reason is Reason.CREDENTIAL_ENDED
        door.register = REGISTER
        assert door.desk.show_pass(door.pass_text(b"87654321")).rights.allowed

    def test_other_codes_are_not_even_looked_at(self, door):
        assert door.desk.show_pass("https://example.org/menu") is None

    def test_a_forged_pass_is_refused_once_per_showing(self, door):
        forged = door.pass_text()[:-1] + "A"
        assert door.desk.show_pass(forged).rights.reason is Reason.UNKNOWN_CREDENTIAL
        assert door.desk.show_pass(forged) is None

    def test_forgeries_pause_the_passes(self, door):
        for n in range(5):
            door.desk.show_pass(f"FG1:{n}")
        assert door.desk.show_pass(door.pass_text()).rights.reason is Reason.LOCKOUT_MAX_ATTEMPTS

    def test_a_locked_down_door_takes_no_pass(self, door):
        door.policy.modes.set(ModeState(Mode.LOCKED_DOWN))
        assert door.desk.show_pass(door.pass_text()).rights.reason is Reason.THREAT_LEVEL

    def test_a_visitor_who_waits_out_a_pause_with_the_pass_held_up_is_let_in(self, door):
        for n in range(5):
            door.desk.show_pass(f"FG1:{n}")
        text, reasons = door.pass_text(), []
        for _ in range(320):
            answer = door.desk.show_pass(text)
            reasons += [answer.rights.reason] if answer else []
            door.clock.advance(0.1)
        assert reasons == [Reason.LOCKOUT_MAX_ATTEMPTS, Reason.GRANTED]

    @pytest.mark.parametrize(
        ("kind", "second"),
        [(PassbackKind.TIMED, Reason.PASSBACK_DETECTED), (PassbackKind.SOFT, Reason.GRANTED)],
    )
    def test_a_pass_held_back_over_the_fence_is_passed_back_and_costs_no_use(self, door, kind, second):
        door.policy.passback = Passback(PassbackRule(kind, seconds=60.0), door.clock.monotonic)
        text, reasons = door.pass_text(max_uses=2), []
        for _ in range(2):
            rights = door.desk.show_pass(text).rights
            reasons.append(rights.reason)
            if rights.allowed:
                rights.opened()
            door.clock.advance(SAME_SHOWING_SECONDS + 1)
        assert reasons == [Reason.GRANTED, second]
        assert [alarm for alarm, _ in door.alarms] == ["access.passback"]
        door.clock.advance(60.0)
        last = Reason.GRANTED if kind is PassbackKind.TIMED else Reason.CREDENTIAL_MAX_USES
        assert door.desk.show_pass(text).rights.reason is last

    def test_a_pass_that_opened_nothing_keeps_its_use_and_is_read_again_while_it_is_held_up(self, door):
        """The journal denied, or the lock did not answer."""
        text = door.pass_text(max_uses=1)
        refused = door.desk.show_pass(text).rights
        refused.not_opened()
        assert door.desk.show_pass(text) is None
        door.clock.advance(AGAIN_SECONDS)
        again = door.desk.show_pass(text).rights
        assert (refused.reason, again.reason) == (Reason.GRANTED, Reason.GRANTED)
        again.opened()
        door.clock.advance(SAME_SHOWING_SECONDS + 1)
        assert door.desk.show_pass(text).rights.reason is Reason.CREDENTIAL_MAX_USES

    def test_a_visitor_who_did_not_open_the_door_may_show_the_pass_again(self, door):
        door.policy.passback = Passback(PassbackRule(PassbackKind.TIMED), door.clock.monotonic)
        door.policy.has_contact = True
        text = door.pass_text(max_uses=2)
        assert door.desk.show_pass(text).rights.allowed
        door.policy.note_not_opened()
        door.clock.advance(SAME_SHOWING_SECONDS)
        assert door.desk.show_pass(text).rights.allowed


class TestGuessing:
    def test_guesses_at_once_are_counted_before_they_are_tried(self, door):
        def guess(n):
            return door.desk.type_pin("12", f"2000{n:02}").rights.reason

        with ThreadPoolExecutor(40) as pool:
            reasons = list(pool.map(guess, range(40)))
        assert reasons.count(Reason.INCORRECT_AUTHENTICATION_FACTOR) == 5
        assert reasons.count(Reason.LOCKOUT_MAX_ATTEMPTS) == 35

    def test_beyond_the_day_s_share_a_pin_counts_beside_a_face(self, door):
        for n in range(20):
            door.desk.type_pin("12", f"00{n:04}")
            door.clock.advance(31.0)
        for pin in ("338827", "000000"):
            assert door.desk.type_pin("12", pin).rights.reason is Reason.SECOND_FACTOR_REQUIRED
        door.desk.expect_pin("berta")
        assert door.desk.type_pin("12", "338827").rights.allowed

    def test_beside_a_picture_of_a_face_no_more_is_guessed_than_a_few_and_then_one_in_five_minutes(
        self, door
    ):
        tried = 0
        for n in range(20):
            door.desk.type_pin("12", f"10{n:04}")
            door.clock.advance(31.0)
        door.policy.attempts.forgive("pin", "anna")
        for n in range(600):  # ten minutes, a guess a second
            door.desk.expect_pin("anna")
            tried += door.desk.type_pin("12", "771204" if n in (100, 101) else f"20{n:04}").rights.allowed
            door.clock.advance(1.0)
        assert tried == 0, "the right one was among those that are not looked at"
        door.clock.advance(BESIDE_PAUSE_SECONDS)
        door.desk.expect_pin("anna")
        assert door.desk.type_pin("12", "483920").rights.allowed

    def test_beside_a_face_only_that_person_s_pin_is_looked_at_while_others_have_to_wait(self, door):
        for n in range(5):
            door.desk.type_pin("12", f"10{n:04}")
        door.desk.expect_pin("anna")
        right, wrong = (door.desk.type_pin("12", pin).rights for pin in ("338827", "000000"))
        assert (right.allowed, right) == (False, wrong), "nor is told that it would be right"
        assert door.desk.type_pin("12", "483920").rights.allowed

    def test_who_mistyped_beside_their_face_still_has_the_pin_alone(self, door):
        for n in range(5):
            door.desk.expect_pin("anna")
            door.desk.type_pin("12", f"10{n:04}")
        door.desk.expect_pin("anna")
        assert not door.desk.type_pin("12", "483920").rights.allowed
        door.clock.advance(30.0)
        entry = door.desk.type_pin("12", "483920").rights
        assert entry.allowed
        entry.opened()
        for n in range(5):  # by strangers, at the number
            door.desk.type_pin("12", f"20{n:04}")
        door.desk.expect_pin("anna")
        assert door.desk.type_pin("12", "483920").rights.allowed, "she begins anew after an entry"

    def test_a_card_is_not_found_by_sweeping_beside_a_picture_of_its_holder(self, door):
        for n in range(40):
            door.desk.expect_pin("anna")
            door.desk.present_card(f"w26:9:{n}")
            door.clock.advance(0.5)
        door.desk.expect_pin("anna")
        assert not door.desk.present_card("w26:1:2").rights.allowed
        door.clock.advance(BESIDE_PAUSE_SECONDS)
        assert door.desk.present_card("w26:1:2").rights.allowed

    def test_one_unknown_card_that_lies_at_a_reader_locks_no_card_out(self, door):
        for _ in range(3600):
            assert door.desk.present_card("w26:9:9").rights.reason is Reason.UNKNOWN_CREDENTIAL
            door.clock.advance(1.0)
        assert door.desk.present_card("w26:1:2").rights.allowed

    def test_cards_shown_during_a_pause_are_guesses_after_it(self, door):
        for n in range(5):
            door.desk.present_card(f"w26:9:{n}")
        for n in range(100):
            assert door.desk.present_card(f"w26:8:{n}").rights.reason is Reason.LOCKOUT_MAX_ATTEMPTS
        door.clock.advance(30.0)
        reasons = [door.desk.present_card(f"w26:8:{n}").rights.reason for n in range(3)]
        assert reasons == [Reason.UNKNOWN_CREDENTIAL] + [Reason.LOCKOUT_MAX_ATTEMPTS] * 2

    def test_a_swept_card_opens_neither_during_a_pause_nor_for_having_been_shown_in_one(self, door):
        for n in range(5):
            door.desk.present_card(f"w26:9:{n}")
        for _ in range(3):
            answer = door.desk.present_card("w26:1:2")
            assert answer.rights.reason is Reason.LOCKOUT_MAX_ATTEMPTS
            assert (answer.draft.resident_id, "card" in answer.draft.data) == (None, False)
            door.clock.advance(1.0)
        door.clock.advance(30.0)
        door.desk.present_card("w26:9:9")
        assert door.desk.present_card("w26:1:2").rights.reason is Reason.LOCKOUT_MAX_ATTEMPTS
        door.clock.advance(30.0)
        assert door.desk.present_card("w26:1:2").rights.allowed

    def test_beyond_the_day_s_share_a_card_needs_its_holder_s_pin(self, door):
        for n in range(100):
            door.desk.present_card(f"w26:9:{n}")
            door.clock.advance(31.0)
        for card in ("w26:1:2", "w26:9:1", "w26:1:2"):
            assert door.desk.present_card(card).rights.reason is Reason.SECOND_FACTOR_REQUIRED
        assert door.desk.type_pin("12", "483920").rights.allowed

    def test_each_twin_s_pin_is_waited_for(self, door):
        door.desk.expect_pin("anna")
        door.desk.expect_pin("berta")
        for pin in ("338827", "483920"):
            assert door.desk.type_pin("12", pin).draft.data["method"] == "face+pin"
        assert door.desk.check_timeouts() == []

    def test_credentials_that_cannot_be_read_make_no_pin_wrong_and_no_card_a_stranger_s(self, door):
        lost = Register(PinBook(bytes(16)), {}, (), is_known=False)
        desk = CredentialDesk(door.policy, lambda: lost, PassGate(door.policy.rules, Ledger()), door.clock)
        for _ in range(20):
            for answer in (desk.type_pin("12", "483920"), desk.present_card("w26:1:2")):
                assert answer.rights.reason is Reason.AUTHENTICATION_UNAVAILABLE
                assert "card" not in answer.draft.data
        assert door.desk.type_pin("12", "483920").rights.allowed
        assert door.desk.present_card("w26:1:2").rights.allowed
