"""PINs and cards at a door: kept in their order, and nothing is said to be kept that is not."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edge.broker.settings import BrokerSettings
from edge.domain import RosterChange, RosterState
from edge.enrol.ways_in import WaysIn
from edge.errors import StoreUnavailable
from edge.service.property.given_ways import HeldWays
from edge.service.untold import UntoldWays
from edge.store.residents import RESIDENTS_FILE, ResidentStore
from edge.store.roster import SqliteRoster, roster_digest
from edge.sync.given_ways import SOON_SECONDS, GivenWaysFollower
from edge.wire.given_ways import PURPOSE, GivenWays, WayOrder, WaysAsk
from edge.wire.messages import Message
from edge.wire.proof import Identity
from edge.wire.records import parse_record
from tests.sync.hubside import KEYS, SIGNER, ManualClock, MemoryJournal

SETTINGS = BrokerSettings("127.0.0.1", "door-1")
KEY = ec.generate_private_key(ec.SECP256R1())
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
BLUE, RED = "w26:17:1", "w26:17:2"


def identity():
    """Return a door's certificate and key."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "door-1")])
    made = x509.CertificateBuilder(name, name, KEY.public_key(), 1, BEGIN, BEGIN + timedelta(days=9))
    return Identity(made.sign(KEY, hashes.SHA256()), KEY)


class Tired:
    """Keeps orders, but those it is told to fail at."""

    def __init__(self, held):
        self.held, self.fails = held, set()

    def take(self, order, secret):
        if order.number in self.fails:
            raise StoreUnavailable("the card hangs")
        return self.held.take(order, secret)

    def upto(self):
        return self.held.upto()


class Speaking(GivenWaysFollower):
    """Keeps what it would send."""

    def __init__(self, *given):
        super().__init__(*given)
        self.sent: list[bytes] = []

    def send(self, topic, payload, **how):
        self.sent.append(payload)


class Door:
    """A door with one resident, and what it says."""

    def __init__(self, folder):
        self.folder, self.clock = folder, ManualClock()
        self.store, self.journal = ResidentStore(folder / RESIDENTS_FILE), MemoryJournal()
        resident, text = parse_record({"id": "anna", "name": "Anna"})
        roster = SqliteRoster(self.store)
        target = RosterState(1, 1, roster_digest([("anna", 1, text)]), 1)
        roster.apply([RosterChange(1, "anna", resident, text)], target)
        untold = UntoldWays(folder, self.journal.append, self.clock)
        self.keeper = Tired(HeldWays(roster, folder, untold))
        self.follower = Speaking(SETTINGS, KEYS, identity(), self.keeper, self.journal.append, self.clock)

    def ask(self):
        self.clock.advance(60 + SOON_SECONDS)
        self.follower.idle()
        return WaysAsk.parse(self.follower.sent[-1])[0]

    def tell(self, *orders):
        """Answer the question that is open, and return what the door says has become of it."""
        told = GivenWays("door-1", self.ask().nonce, orders)
        topic = SETTINGS.topic("ways", "in")
        self.follower.handle(Message(topic, SIGNER.sign(told.encode(), PURPOSE), retained=False))
        return dict(self.ask().settled)

    def cards(self):
        with WaysIn.of(self.folder) as ways:
            return set(ways.cards())


def card(number, name):
    draft = WayOrder(number, "anna", "card", 0, "mei")
    return draft.closed("door-1", KEY.public_key(), {"card": name})


@pytest.fixture
def door(tmp_path):
    door = Door(tmp_path)
    with closing(door.store):
        yield door


def test_a_card_that_could_not_be_kept_is_not_said_to_be_because_the_next_one_was(door):
    blue, red = card(5, BLUE), card(6, RED)
    door.keeper.fails = {5}
    assert door.tell(blue, red) == {}
    door.keeper.fails = set()
    assert door.tell(blue, red) == {5: None, 6: None}
    assert door.cards() == {BLUE, RED}


def test_a_card_that_was_kept_is_said_to_be_as_often_as_it_comes_and_never_comes_back(door):
    blue = card(5, BLUE)
    assert door.tell(blue) == {5: None}
    assert door.tell(blue) == {5: None}
    with WaysIn.of(door.folder) as ways:
        ways.take_card(BLUE, "staff")
    assert door.tell(blue) == {5: "older"}
    assert door.cards() == set()


def test_a_card_that_was_refused_is_not_said_to_be_kept_when_it_comes_again(door):
    with WaysIn.of(door.folder) as ways:
        ways.give_card(BLUE, "otto")
    blue, red = card(5, BLUE), card(6, RED)
    assert door.tell(blue, red) == {5: "card_taken", 6: None}
    assert door.tell(blue) == {5: "older"}
