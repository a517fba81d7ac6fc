"""With a real broker, hub and signer: a PIN and a card given at the property open their doors alone."""

from __future__ import annotations

import json
import shutil
import time
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa

from edge.config.mqtt import Mqtt
from edge.enrol.ways_in import WaysIn
from edge.errors import SyncError
from edge.runtime.clock import SystemClock
from edge.service.property.link import DoorSide, PropertyLink
from edge.service.untold import UntoldWays
from edge.site.provision import Site
from edge.site.signing import signing_folder
from edge.store.journal import SqliteJournal
from edge.store.reader import JournalReader
from edge.store.residents import ResidentStore
from edge.wire.given_ways import PURPOSE, GivenWays, WayOrder
from edge.wire.messages import Message
from facegate_hub.database_urls import database_url
from facegate_hub.given_ways import ENDED, LOST, REFUSED, REPLACED, TAKEN, WAITING, GivenWaysServer
from facegate_hub.service import Hub
from facegate_hub.signer.rights import NotPermitted
from facegate_hub.signer.tables import WAY_ORDERS, open_memory
from facegate_hub.staff import Staff
from facegate_hub.tables import GIVEN_WAYS, WAY_DOORS, open_tables
from tests.loopback import free_port
from tests.sync.broker import Broker, Listener
from tests.sync.doors import Eager
from tests.sync.wire import SECRETS
from tests.waiting import wait_until

REPORT: dict[str, Any] = {
    "software": "test",
    "model": None,
    "gallery": 0,
    "camera": "ok",
    "clock": "synced",
    "mode": "normal",
    "door": {"contact": "closed", "lock": "locked", "secured": "secured", "alarms": []},
}
PIN = {"number": "1203", "pin": "274918"}
CARD = {"card": "hid:04A1B2C3"}
for secret in (b"274918", b"593817", b"04A1B2C3"):
    SECRETS.add(secret)


class Gate:
    """A door with its whole link to the property; it comes and goes. `is_let`: it takes rules from afar."""

    is_let = True

    def __init__(self, name, folder, bundle, port):
        folder.mkdir()
        self.name, self.folder, self.link = name, folder, None
        tls = {
            "ca_file": bundle / "ca.crt",
            "cert_file": bundle / "door.crt",
            "key_file": bundle / "door.key",
        }
        self.section = Mqtt(host="127.0.0.1", port=port, trusted_keys=bundle / "trusted-keys.json", **tls)

    def start(self):
        boot = f"boot-{time.time_ns()}"
        self.journal = SqliteJournal(
            self.folder / "journal.db", self.name, boot=boot, clock_trust=lambda: "synced"
        )
        self.store = ResidentStore(self.folder / "residents.db")
        door = DoorSide(
            device_id=self.name,
            data=self.folder,
            boot=boot,
            clock=SystemClock(),
            clock_trust=lambda: "synced",
            store=self.store,
            events=Events(self.journal),
            execute=lambda *_: None,
            report=lambda: REPORT,
            untold=UntoldWays(self.folder, self.journal.append, SystemClock()),
            rules=self.held_rules(),
        )
        self.link = PropertyLink(self.section, door)
        self.link.start()

    def held_rules(self):
        """Return what takes access rules at this door, None for nothing."""

    def stop(self):
        if self.link is not None:
            self.link.stop()
            self.journal.close()
            self.store.close()
            self.link = None

    def opens(self, pin=PIN):
        """Return whose PIN this is at the door's keypad."""
        with WaysIn.of(self.folder) as ways:
            found = ways.book().match(pin["number"], pin["pin"])
        return None if found is None else found.resident_id

    def holder(self):
        with WaysIn.of(self.folder) as ways:
            return ways.cards().get(CARD["card"])

    def journaled(self, kind):
        with closing(JournalReader(self.folder / "journal.db")) as journal:
            return [one.data for one in journal.of_kind(kind, 20)]


class Events:
    """Writes a door's events."""

    def __init__(self, journal):
        self.record = self.commit = journal.append


class World:
    """A provisioned site whose hub, broker and two doors come and go."""

    def __init__(self, tmp_path):
        self.site, self.port = tmp_path / "site", free_port()
        made = Site.create(self.site, "Test", "127.0.0.1", self.port)
        self.doors = {}
        for name in ("front", "back"):
            made.add_door(name)
            self.doors[name] = Gate(name, tmp_path / name, self.site / "doors" / name, self.port)
        self.broker = Broker.of_site(self.site, self.port)
        self.hub: Any = None
        self.staff: Any = None

    def __enter__(self):
        self.broker.start()
        self.hub = Hub(self.site, database_url(self.site), rng=Eager())
        self.hub.start()
        self.staff = Staff(self.site, database_url(self.site), by="mei")
        self.staff.import_people([{"id": "anna", "name": "Anna"}, {"id": "bo", "name": "Bo"}])
        for door in self.doors.values():
            door.start()
        wait_until(lambda: self.staff.ways.doors() == ["back", "front"])
        return self

    def __exit__(self, *exception):
        for door in self.doors.values():
            door.stop()
        if self.staff is not None:
            self.staff.close()
        if self.hub is not None:
            self.hub.stop()
        self.broker.__exit__(*exception)

    def listening(self):
        return Listener(self.broker._recorders_port, "facegate/#")

    def restart_hub(self):
        self.hub.stop()
        self.hub = Hub(self.site, database_url(self.site), rng=Eager())
        self.hub.start()

    @property
    def server(self):
        return next(part for part in self.hub._parts if isinstance(part, GivenWaysServer))

    def status(self, number, door, person="anna"):
        return next(one for one in self.staff.ways.of(person) if one.number == number).doors[door][0]

    def settled(self, number, door, status, person="anna"):
        wait_until(lambda: self.status(number, door, person) == status)


def rows(engine):
    with engine.connect() as connection:
        return [row._mapping for row in connection.execute(sa.select(GIVEN_WAYS))]


@pytest.fixture
def world(tmp_path):
    with World(tmp_path) as made:
        yield made


@pytest.mark.broker
def test_a_pin_and_a_card_given_at_the_property_open_the_doors_they_were_given_for(world):
    """And what was given is readable nowhere between: not on the broker, not in the hub's database."""
    with world.listening() as heard:
        pin = world.staff.give_way("anna", PIN, ["front", "back"])
        card = world.staff.give_way("anna", CARD, ["front"])
        for number, door in ((pin, "front"), (pin, "back"), (card, "front")):
            world.settled(number, door, TAKEN)
    front, back = world.doors["front"], world.doors["back"]
    assert (front.opens(), back.opens()) == ("anna", "anna")
    assert (front.holder(), back.holder()) == ("anna", None)
    sent = b"".join(one.payload for one in heard.messages)
    everything = sent + (world.site / "hub" / "hub.db").read_bytes()
    assert not any(secret.encode() in everything for secret in (PIN["pin"], "04A1B2C3"))
    told = front.journaled("credential.given")
    assert {(one["by"], one["method"]) for one in told} == {("mei", "pin"), ("mei", "card")}
    assert not any(PIN["pin"] in json.dumps(one) for one in told)


@pytest.mark.broker
def test_a_door_that_was_away_gets_it_when_it_is_back_and_the_newest_pin_alone(world):
    world.doors["back"].stop()
    first = world.staff.give_way("anna", PIN, ["front", "back"])
    world.settled(first, "front", TAKEN)
    assert world.status(first, "back") == WAITING
    second = world.staff.give_way("anna", PIN | {"pin": "593817"}, ["front", "back"])
    assert world.status(first, "back") == REPLACED
    world.doors["back"].start()
    world.settled(second, "back", TAKEN)
    assert world.doors["back"].opens() is None
    assert world.doors["back"].opens(PIN | {"pin": "593817"}) == "anna"


@pytest.mark.broker
def test_what_was_ended_meanwhile_reaches_no_door_and_what_comes_after_does(world):
    back = world.doors["back"]
    back.stop()
    lost = world.staff.give_way("anna", CARD, ["back"])
    world.staff.end_ways("anna")
    new = world.staff.give_way("anna", PIN, ["back"])
    back.start()
    world.settled(new, "back", TAKEN)
    assert world.status(lost, "back") == ENDED
    assert back.holder() is None
    assert back.opens() == "anna"


@pytest.mark.broker
def test_a_pin_that_somebody_else_of_the_flat_has_is_refused_and_said_so(world):
    world.settled(world.staff.give_way("bo", PIN, ["front"]), "front", TAKEN, "bo")
    number = world.staff.give_way("anna", PIN, ["front"])
    world.settled(number, "front", REFUSED)
    assert world.staff.ways.of("anna")[0].doors["front"] == (REFUSED, "pin_taken")
    assert world.doors["front"].opens() == "bo"


@pytest.mark.broker
def test_a_recording_revives_nothing_at_a_door_that_was_restored(world, tmp_path):
    """The door says what it has; the hub tells that this is less than before."""
    front = world.doors["front"]
    front.stop()
    shutil.copytree(front.folder, tmp_path / "backup")
    front.start()
    with world.listening() as heard:
        number = world.staff.give_way("anna", CARD, ["front"])
        world.settled(number, "front", TAKEN)
    recorded = heard.payloads("facegate/v1/front/ways/in")[-1]
    front.stop()
    shutil.rmtree(front.folder)
    shutil.copytree(tmp_path / "backup", front.folder)
    front.start()
    world.settled(number, "front", LOST)
    world.server.send("facegate/v1/front/ways/in", recorded)
    world.server.send("facegate/v1/back/ways/in", recorded)  # sealed and signed for another door
    wait_until(lambda: world.doors["back"].journaled("ways.refused"))
    later = world.staff.give_way("anna", PIN, ["front"])
    world.settled(later, "front", TAKEN)  # all that was sent before has been read
    assert front.holder() is None
    assert "not for this door" in world.doors["back"].journaled("ways.refused")[0]["detail"]


@pytest.mark.broker
def test_nobody_who_changes_the_hub_s_database_has_anything_signed(world):
    """An order put there or moved to another person, another door's certificate: all are refused."""
    world.doors["back"].stop()
    number = world.staff.give_way("anna", PIN, ["back"])
    engine = open_tables(database_url(world.site))
    with engine.begin() as connection:
        connection.execute(sa.update(GIVEN_WAYS).values(person="bo"))
        shown = sa.select(WAY_DOORS.c.shown).where(WAY_DOORS.c.device == "front")
        theirs = connection.execute(shown).scalar()
    assert [one.number for one in world.staff.ways.of("bo")] == [number]
    (row,) = rows(engine)
    order = WayOrder(**{name: row[name] for name in WayOrder.__slots__})
    due = GivenWays("back", "nonce", (order,))
    with pytest.raises(NotPermitted, match="nobody who may has given"):
        world.hub.signer.sign(due.encode(), PURPOSE)
    with engine.begin() as connection:
        connection.execute(sa.update(WAY_DOORS).where(WAY_DOORS.c.device == "back").values(shown=theirs))
    with pytest.raises(SyncError, match="certificate is that of front"):
        world.staff.give_way("anna", PIN, ["back"])
    engine.dispose()


@pytest.mark.broker
def test_what_waits_for_somebody_who_leaves_goes_to_nobody_of_the_same_number(world):
    back = world.doors["back"]
    back.stop()
    theirs = world.staff.give_way("anna", PIN, ["back"])
    world.staff.remove(["anna"])
    world.staff.import_people([{"id": "anna", "name": "The next tenant"}])
    new = world.staff.give_way("anna", CARD, ["back"])
    back.start()
    world.settled(new, "back", TAKEN)
    assert world.status(theirs, "back") == ENDED
    assert back.opens() is None


@pytest.mark.broker
def test_an_order_that_the_signer_does_not_know_keeps_no_other_from_its_door(world):
    back = world.doors["back"]
    back.stop()
    unknown = world.staff.give_way("bo", PIN, ["back"])
    engine = open_memory(signing_folder(world.site))
    with engine.begin() as connection:
        connection.execute(sa.delete(WAY_ORDERS))
    engine.dispose()
    known = world.staff.give_way("anna", CARD, ["back"])
    back.start()
    world.settled(known, "back", TAKEN)
    world.settled(unknown, "back", REFUSED, "bo")
    assert world.staff.ways.of("bo")[0].doors["back"] == (REFUSED, "unsigned")
    assert back.holder() == "anna"


@pytest.mark.broker
def test_an_older_database_gives_numbers_above_what_doors_keep(world):
    number = world.staff.give_way("anna", PIN, ["front"])
    world.settled(number, "front", TAKEN)
    engine = open_tables(database_url(world.site))
    ahead = number + 3_600_000  # given while the clock was an hour ahead, by a database that is gone
    with engine.begin() as connection:
        connection.execute(sa.update(WAY_DOORS).values(upto=ahead))
    engine.dispose()
    assert world.staff.give_way("anna", CARD, ["back"]) > ahead


def recorded_question(world):
    """Give two people something at the front door; return the last order, and the question before it."""
    with world.listening() as heard:
        world.settled(world.staff.give_way("bo", CARD, ["front"]), "front", TAKEN, "bo")
        number = world.staff.give_way("anna", PIN, ["front"])
        world.settled(number, "front", TAKEN)
    question, *_ = heard.payloads("facegate/v1/front/ways/ask")
    return number, question


@pytest.mark.broker
def test_a_question_that_comes_twice_counts_once(world):
    """A broker repeats what was not acknowledged: an older number of the door is not a restored door."""
    number, before = recorded_question(world)
    world.server.handle(Message("facegate/v1/front/ways/ask", before, retained=False))
    assert world.status(number, "front") == TAKEN


@pytest.mark.broker
def test_a_question_that_was_recorded_marks_nothing_lost_after_the_hub_was_started_anew(world):
    """Who plays it back proves what the door had once; a door that was restored asks later."""
    number, recorded = recorded_question(world)
    world.doors["front"].stop()
    world.restart_hub()
    world.server.handle(Message("facegate/v1/front/ways/ask", recorded, retained=False))
    assert world.status(number, "front") == TAKEN
    world.doors["front"].start()
    later = world.staff.give_way("anna", PIN | {"pin": "593817"}, ["front"])
    world.settled(later, "front", TAKEN)
    assert world.status(number, "front") == TAKEN
