"""Wishes for settings on the wire: signed, for this door, well formed; what counts is told, retained."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.broker.session import BrokerSession
from edge.broker.settings import BrokerSettings
from edge.errors import ConfigError, StoreError, SyncError
from edge.sync.configuration import ConfigurationFollower
from edge.wire.configuration import MAX_BYTES, PURPOSE, Desired, Reported
from edge.wire.messages import Message
from tests.sync.hubside import KEYS, SIGNER, STRANGER, ManualClock, MemoryJournal

SETTINGS = BrokerSettings("127.0.0.1", "door-1")
WISH = Desired("door-1", 3, {"recognition.fpir": 1e-4, "held.quiet_from": "22:00"})


class Keeper:
    """Takes every wish, or refuses every one."""

    def __init__(self):
        self.taken, self.error = [], None

    def take(self, desired):
        if self.error:
            raise self.error
        self.taken.append(desired)

    def reported(self):
        return Reported(len(self.taken), {"recognition.fpir": 1e-3}, (str(self.error),) if self.error else ())


class Session(BrokerSession):
    """A connection to nowhere that keeps what was published."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, bool]] = []

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, done: int = 0, proof: str = ""
    ) -> int:
        self.sent.append((topic, payload, retain))
        return len(self.sent)


class Door:
    def __init__(self):
        self.keeper, self.journal, self.session = Keeper(), MemoryJournal(), Session()
        self.clerk = ConfigurationFollower(SETTINGS, KEYS, self.keeper, self.journal.append, ManualClock())

    def get(self, payload):
        self.clerk.handle(Message(SETTINGS.topic("cfg", "desired"), payload, retained=True))
        self.clerk.step(self.session, 0.0)

    def details(self):
        return [draft.data["detail"] for draft in self.journal.drafts]


@pytest.fixture
def door():
    return Door()


def test_a_signed_wish_is_taken_and_what_counts_is_told_retained(door):
    door.get(SIGNER.sign(WISH.encode(), PURPOSE))
    assert door.keeper.taken == [WISH]
    ((topic, payload, retained),) = door.session.sent
    assert (topic, retained) == ("facegate/v1/door-1/cfg/reported", True)
    assert Reported.parse(payload) == door.keeper.reported()


def test_a_new_connection_is_told_without_being_asked(door):
    for _ in range(2):
        door.clerk.opened(door.session, 0.0)
        door.clerk.idle()
        door.clerk.step(door.session, 0.0)
    assert len(door.session.sent) == 2


def test_a_connection_neither_waits_for_what_counts_nor_ends_by_it(door):
    """It is read from the card, on a thread that may wait; and answers of the last connection are dropped."""
    door.clerk.send("facegate/v1/door-1/cfg/reported", b"old", retain=True)
    door.keeper.reported = None  # whoever asks now fails
    door.clerk.opened(door.session, 0.0)
    door.clerk.step(door.session, 0.0)
    assert door.session.sent == []


def test_a_wish_that_a_full_card_did_not_take_is_taken_once_it_does(door):
    door.keeper.error = StoreError("no space left")
    door.get(SIGNER.sign(WISH.encode(), PURPOSE))
    assert door.keeper.taken == []
    door.keeper.error = None
    door.clerk.idle()
    door.clerk.idle()
    assert door.keeper.taken == [WISH]


def test_a_wish_that_is_refused_is_not_tried_again(door):
    door.keeper.error = ConfigError("revision 3: too long")
    door.get(SIGNER.sign(WISH.encode(), PURPOSE))
    door.keeper.error = None
    door.clerk.idle()
    assert door.keeper.taken == []


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (STRANGER.sign(WISH.encode(), PURPOSE), "signature"),
        (SIGNER.sign(WISH.encode(), "cmd"), "signature"),
        (SIGNER.sign(Desired("door-2", 3, {}).encode(), PURPOSE), "not for this door"),
        (SIGNER.sign(b"{}", PURPOSE), "needs"),
        (b"x" * (MAX_BYTES + 1), "at most"),
        (b"{}", "not a signed message"),
    ],
)
def test_what_is_not_ours_is_refused_with_one_event(door, payload, why):
    for _ in range(3):
        door.get(payload)
    assert door.keeper.taken == []
    assert len(door.details()) == 1
    assert why in door.details()[0]


def test_what_the_keeper_refuses_is_told_with_its_reasons(door):
    door.keeper.error = ConfigError("recognition.fpir: too lax")
    door.get(SIGNER.sign(WISH.encode(), PURPOSE))
    assert door.journal.kinds() == [("config.refused", None)]
    assert Reported.parse(door.session.sent[-1][1]).refused == ("recognition.fpir: too lax",)


@pytest.mark.parametrize(
    "change",
    [
        {"v": True},
        {"v": 2},
        {"rev": -1},
        {"rev": True},
        {"rev": 2**53},
        {"rev": 1.0},
        {"device": 1},
        {"values": []},
        {"values": {"fpir": 1}},
        {"values": {"a.b": True}},
        {"values": {"a.b": None}},
        {"values": {"a.b": [1]}},
        {"values": {"a.b": 1e300}},
        {"values": {"a.b": 10**400}},
        {"values": {"a.b": float("nan")}},
        {"values": {"a.b": "x" * 65}},
        {"values": {"a.b": "line\nfeed"}},
        {"values": {f"a.b{'x' * n}": 1 for n in range(65)}},
        {"more": 1},
    ],
)
def test_anything_unexpected_in_a_wish_is_refused(change):
    fields = json.loads(WISH.encode()) | change
    with pytest.raises(SyncError):
        Desired.parse(json.dumps(fields).encode())


@given(
    st.binary(max_size=200) | st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists)
)
def test_garbage_is_a_sync_error_and_nothing_else(garbage):
    body = garbage if isinstance(garbage, bytes) else json.dumps(garbage).encode()
    for parse in (Desired.parse, Reported.parse):
        with pytest.raises(SyncError):
            parse(body)


def test_what_is_written_is_read_back():
    assert Desired.parse(WISH.encode()) == WISH
    report = Reported(4, {"held.quiet_from": None, "lock.unlock_seconds": 5.0}, ("why",), ("a.b",))
    assert Reported.parse(report.encode()) == report
