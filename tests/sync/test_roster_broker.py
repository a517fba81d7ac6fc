"""The roster through a real broker: a door that was away for a month, and a removal."""

import json
import sys
import threading
import time

import pytest

from edge.broker.settings import BrokerSettings
from edge.runtime.clock import SystemClock
from edge.store.residents import ResidentStore
from edge.store.roster import SqliteRoster
from edge.sync.follower import RosterFollower
from tests.sync.broker import Broker, Listener
from tests.sync.doors import Door
from tests.sync.hubside import KEYS
from tests.sync.property import Property
from tests.waiting import PATIENCE, wait_until

pytestmark = pytest.mark.broker
SETTINGS = BrokerSettings("127.0.0.1", "door-1")


class House:
    """A door that follows, and a property that answers."""

    def __init__(self, folder, port, site):
        self.site = site
        self.store = ResidentStore(folder / "residents.db")
        self.roster = SqliteRoster(self.store)
        self.changed = threading.Event()
        self.clerk = RosterFollower(SETTINGS, KEYS, self.roster, self.append, SystemClock(), self.changed.set)
        self.door = Door(folder, port, others=[self.clerk])
        self.hub = Listener(port, SETTINGS.topic("sync", "req"), client_id="hub")
        self.hub.client.on_message = lambda _c, _u, message: self._answer(message.payload)

    def append(self, draft):
        return self.door.journal.append(draft)

    def _answer(self, question):
        for message in self.site.answer(question):
            self.tell(message)

    def tell(self, message):
        self.hub.client.publish(message.topic, message.payload, qos=1, retain=message.retained)

    def in_sync(self):
        return self.roster.state() == self.site.state()

    def __enter__(self):
        self.clerk.start()
        self.door.__enter__()
        return self

    def __exit__(self, *exception):
        self.clerk.stop()
        self.door.__exit__(*exception)
        self.hub.__exit__()
        self.store.close()


def grown(count):
    site = Property()
    for number in range(count):
        site.put(f"resident-{number:05}", f"Resident {number} 居民", access_levels=["resident", "gym"])
    return site


def test_a_new_door_and_a_month_away_at_five_thousand_residents(tmp_path):
    """Snapshot in parts, then 600 changes as one delta; a head at the broker is all it takes."""
    site = grown(5000)
    with Broker(tmp_path / "broker") as broker:
        with House(tmp_path, broker.port, site) as house:
            began = time.monotonic()
            house.tell(site.head())
            wait_until(house.in_sync, "the snapshot is in")
            sys.stdout.write(f"snapshot of 5,000: {time.monotonic() - began:.2f} s\n")
        for number in range(300):
            site.remove(f"resident-{number:05}")
            site.put(f"new-{number:05}", "New")
        with House(tmp_path, broker.port, site) as house:
            began = time.monotonic()
            house.tell(site.head())
            wait_until(house.in_sync, "the delta is in")
            sys.stdout.write(f"600 changes: {time.monotonic() - began:.2f} s\n")
            assert house.store.get("resident-00299") is None
            wait_until(lambda: [event.kind for event in house.door.journal.read()] == ["roster.changed"] * 2)


def test_a_removal_reaches_the_gallery_at_once(tmp_path):
    """The delta is pushed; whoever keeps the gallery is told on the spot."""
    site = grown(3)
    with Broker(tmp_path / "broker") as broker, House(tmp_path, broker.port, site) as house:
        house.tell(site.head())
        assert house.changed.wait(PATIENCE)
        house.changed.clear()
        site.remove("resident-00001")
        house.tell(site.delta(3))
        assert house.changed.wait(PATIENCE)
        assert house.store.get("resident-00001") is None


def test_a_question_carries_what_the_property_needs(tmp_path):
    """Where we are and what we want, in the topic of this door."""
    site = grown(1)
    with (
        Broker(tmp_path / "broker") as broker,
        House(tmp_path, broker.port, site) as house,
        Listener(broker.port, SETTINGS.topic("sync", "req"), client_id="watch") as watch,
    ):
        house.tell(site.head())
        wait_until(lambda: watch.messages)
        asked = json.loads(watch.messages[0].payload)
        assert (asked["epoch"], asked["have"], asked["want"]) == (0, 0, "snapshot")
