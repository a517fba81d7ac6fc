"""Every refusal that the policy can give is given here, by the shortest way to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.domain import Reason, Resident
from edge.errors import StoreError
from edge.policy.access import AccessRules
from edge.policy.desk import CredentialDesk, Register
from edge.policy.door import DoorPolicy
from edge.policy.explain import explain_reason
from edge.policy.lockout import LockoutRule
from edge.policy.modes import Mode, ModeState
from edge.policy.pass_gate import PassGate
from edge.policy.passback import DEFAULT_SECONDS, PassbackKind, PassbackRule
from edge.policy.passes import Pass, door_marks, issue
from edge.policy.pin import PinBook
from edge.policy.rulebook import DisableReason, Level, RightsGroup, RuleBook
from edge.policy.schedule import NEVER, Calendar
from edge.policy.trust import ClockGuard
from edge.runtime.clock import ManualClock
from tests.present import present

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


class Ledger:
    def __init__(self) -> None:
        self.is_full = False
        self.left = 1
        self.has_ended = False

    def take(
        self, pass_id: bytes, max_uses: int, begins: datetime, until: datetime, at: datetime
    ) -> int | None:
        if self.is_full:
            raise StoreError("disk full")
        self.left -= 1
        return 1 if self.left >= 0 else None

    def is_ended(self, pass_id: bytes, begins: datetime) -> bool:
        return self.has_ended

    def give_back(self, pass_id: bytes) -> None:
        self.left += 1


class Door:
    """One door with every kind of person."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOW)
        self.trust = ClockGuard()
        self.trust.observe(None, (NOW,), is_vouched=True)
        people = [
            Resident("anna", "Anna"),
            Resident("early", "Early", valid_from=NOW + DAY),
            Resident("late", "Late", valid_until=NOW),
            Resident("guest", "Guest", valid_until=NOW + DAY),
            Resident("night", "Night", ("night",)),
            Resident("twin", "Twin"),
            Resident("off", "Off"),
            Resident("visitor", "Visitor", ()),
        ]
        roster = {person.id: person for person in people}
        book = RuleBook(
            Calendar(ZoneInfo("UTC")),
            levels={"resident": Level("resident"), "night": Level("night", schedule=NEVER)},
            groups={"twins": RightsGroup("twins", members=frozenset({"twin"}), needs_pin_with_face=True)},
            disabled={"off": DisableReason.MOVED_OUT},
            passback=PassbackRule(PassbackKind.TIMED),
            lockout=LockoutRule(alarm_after=6, switch_off=True),
        )
        self.rules = AccessRules(book, "north", roster.get, self.trust)
        self.policy = DoorPolicy.for_door(self.rules, self.clock.monotonic)
        self.ledger = Ledger()
        register = Register(PinBook(b"k" * 16), {}, (KEY.public_key().public_bytes_raw(),))
        self.desk = CredentialDesk(
            self.policy, lambda: register, PassGate(self.rules, self.ledger), self.clock
        )

    def ask(self, who: str = "anna", method: str = "face") -> Reason:
        return self.policy.authorise(who, self.clock.now(), method).reason

    def show(self, **changes) -> Reason:
        doors = door_marks(["north"])
        shown = replace(Pass(b"12345678", "anna", NOW, NOW + DAY, door_marks=doors), **changes)
        return present(self.desk.show_pass(issue(shown, KEY.private_bytes_raw()))).rights.reason

    def fail(self, times: int) -> Door:
        for _ in range(times):
            self.policy.attempts.note(Reason.PRESENTATION_ATTACK, "face", "anna")
        return self

    def mistype(self) -> Door:
        for _ in range(5):
            self.policy.attempts.note(Reason.INCORRECT_AUTHENTICATION_FACTOR, "pin", "anna")
        return self

    def doubt(self) -> Door:
        self.trust.observe(NOW, (), is_vouched=False)
        return self

    def shut(self) -> Door:
        self.policy.modes.set(ModeState(Mode.LOCKED_DOWN))
        return self

    def use_up(self) -> Door:
        self.show()  # its use is taken when it is asked about
        self.clock.advance(DEFAULT_SECONDS)  # or it would be passed back
        return self

    def take_back(self) -> Door:
        self.ledger.left, self.ledger.has_ended = 0, True
        return self

    def fill(self) -> Door:
        self.ledger.is_full = True
        return self

    def pass_back(self) -> Door:
        self.policy.authorise("anna", self.clock.now(), "card").opened()
        return self

    def wait_for_pin(self) -> Reason:
        self.desk.expect_pin("twin")
        self.clock.advance(60.0)
        return self.desk.check_timeouts()[0].rights.reason


WAYS = {
    Reason.GRANTED: lambda: Door().ask(),
    Reason.UNKNOWN_CREDENTIAL: lambda: Door().desk.present_card("w26:0:0").rights.reason,
    Reason.NO_ACCESS_RIGHTS: lambda: Door().ask("visitor"),
    Reason.OUT_OF_TIME_RANGE: lambda: Door().ask("night"),
    Reason.CREDENTIAL_NOT_YET_ACTIVE: lambda: Door().ask("early"),
    Reason.CREDENTIAL_EXPIRED: lambda: Door().ask("late"),
    Reason.CREDENTIAL_MANUAL_DISABLE: lambda: Door().ask("off"),
    Reason.CREDENTIAL_MAX_USES: lambda: Door().use_up().show(),
    Reason.CREDENTIAL_ENDED: lambda: Door().take_back().show(),
    Reason.LOCKOUT_MAX_ATTEMPTS: lambda: Door().mistype().desk.type_pin("1", "2").rights.reason,
    Reason.CREDENTIAL_LOCKOUT: lambda: Door().fail(6).ask(),
    Reason.INCORRECT_AUTHENTICATION_FACTOR: lambda: Door().desk.type_pin("1", "2").rights.reason,
    Reason.AUTHENTICATION_FACTOR_TIMEOUT: lambda: Door().wait_for_pin(),
    Reason.SECOND_FACTOR_REQUIRED: lambda: Door().ask("twin"),
    Reason.PASSBACK_DETECTED: lambda: Door().pass_back().ask(method="card"),
    Reason.THREAT_LEVEL: lambda: Door().shut().ask(),
    Reason.CLOCK_UNTRUSTED: lambda: Door().doubt().ask("guest"),
    Reason.AUTHENTICATION_UNAVAILABLE: lambda: Door().fill().show(),
}

ELSEWHERE = {
    # Decided by recognition and liveness, and tested there.
    Reason.COLLECTING,
    Reason.AMBIGUOUS_MATCH,
    Reason.LOW_QUALITY,
    Reason.NOT_FACING,
    Reason.PRESENTATION_ATTACK,
    Reason.PAD_UNAVAILABLE,
    Reason.PAD_NO_RESPONSE,
    Reason.CHALLENGE_FAILED,
    Reason.CONSENT_MISSING,
    Reason.CONSENT_WITHDRAWN,
    # By the controller, when the record or the lock fails.
    Reason.JOURNAL_UNAVAILABLE,
    Reason.TOO_LATE,
    Reason.LOCK_UNAVAILABLE,
}


@pytest.mark.parametrize("reason", WAYS)
def test_the_reason_is_given_and_explained(reason):
    assert WAYS[reason]() is reason
    assert explain_reason(str(reason), "en") != explain_reason(str(reason), "zh")


def test_no_reason_is_forgotten():
    assert set(WAYS) | ELSEWHERE == set(Reason)
    assert not set(WAYS) & ELSEWHERE
