from __future__ import annotations

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from edge.domain import Reason, Resident
from edge.errors import StoreError
from edge.policy.access import AccessRules
from edge.policy.pass_gate import PassGate
from edge.policy.passes import (
    ALL_DOORS,
    PREFIX,
    TEXT_LENGTH,
    Pass,
    PassKind,
    door_marks,
    issue,
    public_key_of,
    public_key_text,
    read_pass,
)
from edge.policy.rulebook import DisableReason, RuleBook
from edge.policy.trust import EPOCH, Believe

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PRIVATE, PUBLIC = KEY.private_bytes_raw(), KEY.public_key().public_bytes_raw()
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw()
NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
PASS = Pass(b"12345678", "anna", NOON, NOON + HOUR, 2, PassKind.COURIER, door_marks(["gate", "garage"]))

passes = st.builds(
    Pass,
    id=st.binary(min_size=8, max_size=8),
    host_id=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=7),
    valid_from=st.integers(2**31, 2**31 + 10**6).map(lambda s: datetime.fromtimestamp(s, UTC)),
    valid_until=st.integers(2**31 + 10**6 + 1, 2**31 + 10**7).map(lambda s: datetime.fromtimestamp(s, UTC)),
    max_uses=st.integers(0, 255),
    kind=st.sampled_from(PassKind),
    door_marks=st.lists(st.text(max_size=9), min_size=1, max_size=6).map(door_marks),
)


@given(passes)
def test_what_was_issued_is_what_is_read(granted):
    text = issue(granted, PRIVATE)
    assert len(text) == TEXT_LENGTH
    assert read_pass(text, [OTHER, PUBLIC]) == granted


@given(passes, st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=9))
def test_a_pass_of_one_site_is_worth_nothing_at_another_with_the_same_key(granted, site):
    """Nor does one of a key that belongs to no site pass for one that does, or the other way round."""
    ours, theirs = site.encode(), f"{site}-2".encode()
    text = issue(granted, PRIVATE + ours)
    assert read_pass(text, [PUBLIC + ours]) == granted
    assert read_pass(text, [PUBLIC, PUBLIC + theirs, PUBLIC + ours[:-1]]) is None
    assert read_pass(issue(granted, PRIVATE), [PUBLIC + ours]) is None


def test_a_pass_for_so_many_uses_names_its_doors():
    """Each door counts alone: for every door of a house it would open so often at each."""
    with pytest.raises(ValueError, match="name the doors"):
        issue(replace(PASS, door_marks=(ALL_DOORS,)), PRIVATE)
    assert read_pass(issue(replace(PASS, door_marks=(ALL_DOORS,), max_uses=0), PRIVATE), [PUBLIC])


def test_no_pass_is_valid_for_years(monkeypatch):
    """Whoever signs it, and with whatever tool."""
    forever = replace(PASS, valid_until=NOON + timedelta(days=367))
    with pytest.raises(ValueError, match="366 days"):
        issue(forever, PRIVATE)
    monkeypatch.setattr("edge.policy.passes.LONGEST", timedelta(days=400))
    text = issue(forever, PRIVATE)
    monkeypatch.undo()
    assert read_pass(text, [PUBLIC]) is None


LONG_SITE = base64.b64encode(PUBLIC).decode() + "@" + "x" * 65


@pytest.mark.parametrize("text", ["", "AAAA", "@hill", "x" * 44, LONG_SITE])
def test_what_is_no_public_key_is_refused(text):
    with pytest.raises(ValueError, match=r"no public key|base64|padding|encoded"):
        public_key_of(text)


def test_a_public_key_is_written_with_its_site():
    for key in (PUBLIC, PUBLIC + "东门".encode()):
        assert public_key_of(public_key_text(key)) == key


def test_the_text_fits_qr_s_alphanumeric_mode():
    assert set(issue(PASS, PRIVATE)) <= set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:")


def test_nobody_else_s_signature_counts():
    assert read_pass(issue(PASS, PRIVATE), [OTHER]) is None
    assert read_pass(issue(PASS, PRIVATE), []) is None


@given(st.integers(len(PREFIX), TEXT_LENGTH - 1), st.sampled_from("ABCXYZ234567"))
def test_no_letter_can_be_changed(place, letter):
    text = issue(PASS, PRIVATE)
    forged = text[:place] + letter + text[place + 1 :]
    assert (read_pass(forged, [PUBLIC]) is None) == (forged != text)


@given(
    st.one_of(st.text(max_size=300), st.text("ABC234=", min_size=216, max_size=216).map(lambda t: PREFIX + t))
)
def test_any_other_text_is_no_pass(text):
    assert read_pass(text, [PUBLIC]) is None


def test_a_signature_made_for_another_purpose_does_not_count():
    text = issue(PASS, PRIVATE)
    body = base64.b32decode(text[len(PREFIX) :])[:71]
    forged = PREFIX + base64.b32encode(body + KEY.sign(body)).decode()
    assert read_pass(forged, [PUBLIC]) is None


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"id": b"short"}, "pass id"),
        ({"host_id": ""}, "host"),
        ({"host_id": "x" * 29}, "host"),
        ({"host_id": "a\0b"}, "host"),
        ({"valid_until": NOON}, "valid_until"),
        ({"valid_from": datetime(1969, 12, 31, tzinfo=UTC)}, "valid_from"),
        ({"max_uses": 256}, "max_uses"),
        ({"door_marks": ()}, "doors"),
        ({"door_marks": (ALL_DOORS,) * 7}, "doors"),
    ],
)
def test_what_does_not_fit_is_not_issued(changes, complaint):
    with pytest.raises(ValueError, match=complaint):
        issue(replace(PASS, **changes), PRIVATE)


def test_doors_are_told_apart_and_none_means_all():
    assert PASS.opens("gate")
    assert PASS.opens("garage")
    assert not PASS.opens("north")
    assert replace(PASS, door_marks=door_marks([])).opens("north")


class MemoryLedger:
    """Counts in memory what the real one counts on disk."""

    def __init__(self) -> None:
        self.uses: dict[bytes, int] = {}

    def take(
        self, pass_id: bytes, max_uses: int, begins: datetime, until: datetime, at: datetime
    ) -> int | None:
        use = self.uses.get(pass_id, 0) + 1
        if max_uses and use > max_uses:
            return None
        self.uses[pass_id] = use
        return use

    def is_ended(self, pass_id, begins):
        return False

    def give_back(self, pass_id: bytes) -> None:
        self.uses[pass_id] -= 1


class Doubt:
    floor = EPOCH

    def moments(self, at: datetime) -> tuple[datetime, ...]:
        return ()

    def vouches(self, at: datetime) -> bool:
        return False


class Dispute(Doubt):
    def __init__(self, apart: timedelta) -> None:
        self.apart = apart

    def moments(self, at: datetime) -> tuple[datetime, ...]:
        return at, at + self.apart


def gate(trust=None, door="gate", **book) -> PassGate:
    roster = {"anna": Resident("anna", "Anna", valid_until=NOON + 30 * HOUR)}
    return PassGate(AccessRules(RuleBook(**book), door, roster.get, trust or Believe()), MemoryLedger())


class TestGate:
    def test_a_pass_opens_as_often_as_it_says(self):
        door = gate()
        first, second, third = (door.authorise(PASS, NOON) for _ in range(3))
        assert (first.allowed, str(first.rule)) == (True, "pass 3132333435363738 of anna, use 1 of 2")
        assert second.allowed
        assert (third.allowed, third.reason, third.unlock_seconds) == (False, Reason.CREDENTIAL_MAX_USES, 0.0)

    def test_a_pass_without_a_count_opens_any_number_of_times(self):
        door = gate()
        assert all(door.authorise(replace(PASS, max_uses=0), NOON).allowed for _ in range(300))

    @pytest.mark.parametrize(
        ("at", "reason"),
        [
            (NOON - timedelta(seconds=1), Reason.CREDENTIAL_NOT_YET_ACTIVE),
            (NOON, Reason.GRANTED),
            (NOON + HOUR - timedelta(seconds=1), Reason.GRANTED),
            (NOON + HOUR, Reason.CREDENTIAL_EXPIRED),
        ],
    )
    def test_a_pass_has_its_time(self, at, reason):
        assert gate().authorise(PASS, at).reason is reason

    def test_refusals_cost_no_use(self):
        door = gate()
        door.authorise(PASS, NOON - HOUR)
        door.authorise(PASS, NOON + HOUR)
        assert isinstance(door.ledger, MemoryLedger)
        assert not door.ledger.uses

    def test_another_door_and_a_host_who_is_gone(self):
        assert gate(door="north").authorise(PASS, NOON).reason is Reason.NO_ACCESS_RIGHTS
        stranger = replace(PASS, host_id="ghost")
        assert gate().authorise(stranger, NOON).reason is Reason.NO_ACCESS_RIGHTS
        off = gate(disabled={"anna": DisableReason.MOVED_OUT})
        assert off.authorise(PASS, NOON).reason is Reason.NO_ACCESS_RIGHTS
        later = replace(PASS, valid_until=NOON + 99 * HOUR)
        assert gate().authorise(later, NOON + 31 * HOUR).reason is Reason.NO_ACCESS_RIGHTS

    def test_a_full_card_makes_passes_wait_and_nothing_else(self):
        class Full(MemoryLedger):
            def take(self, pass_id, max_uses, begins, until, at):
                raise StoreError("credentials.db: disk full")

        answer = PassGate(gate().rules, Full()).authorise(PASS, NOON)
        assert answer.reason is Reason.AUTHENTICATION_UNAVAILABLE
        assert "disk full" in str(answer.rule)

    def test_a_disputed_time_must_be_within_the_pass_either_way(self):
        inside, outside = Dispute(timedelta(minutes=1)), Dispute(timedelta(days=9))
        assert gate(inside).authorise(PASS, NOON).reason is Reason.GRANTED
        assert gate(outside).authorise(PASS, NOON).reason is Reason.CLOCK_UNTRUSTED
        both = gate(Dispute(timedelta(days=1))).authorise(PASS, PASS.valid_until)
        assert both.reason is Reason.CREDENTIAL_EXPIRED

    def test_without_the_time_a_pass_waits_and_an_expired_one_stays_expired(self):
        assert gate(Doubt()).authorise(PASS, NOON).reason is Reason.CLOCK_UNTRUSTED
        back = gate(Believe(floor=NOON + 2 * HOUR))
        assert back.authorise(PASS, NOON).reason is Reason.CREDENTIAL_EXPIRED
