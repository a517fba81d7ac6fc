"""Doors and a hub in memory, for tests with a real broker."""

import json
import random
from datetime import UTC, datetime

from edge.broker.settings import Ack, BrokerSettings
from edge.domain import EventDraft
from edge.service.property.link import door_notary
from edge.store.journal import SqliteJournal
from edge.store.outbox import SqliteOutbox
from edge.sync.publisher import EventPublisher
from tests.sync.broker import Listener

AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


class Eager(random.Random):
    """Waits a twentieth of a second between attempts, whatever the limit."""

    def uniform(self, a, b):
        return min(b, 0.05)


class Door:
    """A journal and its publisher; everything a service would start, without a camera.

    `notary` None: the certificates in `settings`, if there are any.
    """

    def __init__(
        self, folder, port, ack=Ack.APPLICATION, others=(), device="door-1", notary=None, **settings
    ):
        path = folder / "journal.db"
        self.journal = SqliteJournal(path, device, boot="boot-1", clock_trust=lambda: "synced")
        self.outbox = SqliteOutbox(path)
        self.settings = BrokerSettings("127.0.0.1", device, port, ack=ack, **settings)
        self.publisher = EventPublisher(
            self.outbox,
            self.settings,
            notary or door_notary(self.settings),
            others=others,
            boot="boot-1",
            rng=Eager(),
        )
        self.topic = self.settings.topic("evt")

    def happen(self, count=1, kind="access.granted"):
        for number in range(count):
            self.journal.append(EventDraft(kind, AT, float(number), resident_id="anna", data={"n": number}))

    def __enter__(self):
        self.publisher.start()
        return self

    def __exit__(self, *_):
        self.publisher.stop()
        self.outbox.close()
        self.journal.close()


class MemoryHub:
    """Stores what it gets and acknowledges how far it has no gap, as the property's hub does."""

    def __init__(self, port, device="door-1"):
        self.events = {}
        self.duplicates = 0
        self.device = device
        self.listener = Listener(port, f"facegate/v1/{device}/evt", client_id=f"hub-{random.random()}")
        self.listener.client.on_message = self._on_message
        for message in self.listener.messages:
            self._on_message(self.listener.client, None, message)

    def _on_message(self, client, _userdata, message):
        found = json.loads(message.payload)
        for event in found if isinstance(found, list) else [found]:
            key = (event["stream"], event["seq"])
            self.duplicates += key in self.events
            self.events[key] = event
        client.publish(f"facegate/v1/{self.device}/evt/ack", json.dumps(self.ack(event["stream"])), qos=1)

    def ack(self, stream):
        upto = 0
        while (stream, upto + 1) in self.events:
            upto += 1
        return {"stream": stream, "upto": upto}

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.listener.__exit__(*exception)
