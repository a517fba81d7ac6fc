"""The hub's composition root: one connection to the broker, and the parts that use it."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from edge.errors import ConfigError, SyncError
from edge.sync.clerk import Clerk
from edge.sync.client import SyncClient
from edge.sync.messages import Availability, parse_object
from edge.sync.settings import DEVICE_ID, ROOT, BrokerSettings, Tls
from edge.sync.site import HUB, Site
from hub.batches import Batch, parse_batch
from hub.commands import Commander
from hub.configuration import ConfigurationServer
from hub.events import EventSink
from hub.roster import RosterLog
from hub.tables import DEVICES, open_tables, put

if TYPE_CHECKING:
    import random
    from pathlib import Path
    from typing import Any

    from sqlalchemy.engine import Engine

    from edge.sync.messages import Message
    from hub.roster import Messages

MOST_WAITING = 50_000
"""Messages of doors that may wait: beyond it they are rejected, and doors send them again."""

LOG = logging.getLogger(__name__)


class Ingest(Clerk):
    """Stores events and availability, and acknowledges what is stored.

    What waits is committed together: a hub takes bursts from hundreds of doors on one disk.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__("hub-events", (f"{ROOT}/+/evt", f"{ROOT}/+/avail"), most_waiting=MOST_WAITING)
        self._engine = engine
        self._sink = EventSink(engine)

    def handle(self, message: Message) -> None:
        """Take one message of a door."""
        self.handle_all([message])

    def handle_all(self, messages: list[Message]) -> None:
        """Take what doors sent: availability at once, events in one commit."""
        batches = [batch for message in messages if (batch := self._read(message)) is not None]
        if not batches:
            return
        for device, ack in self._sink.commit(batches):
            self.send(f"{ROOT}/{device}/evt/ack", json.dumps(ack).encode())
        for batch in batches:
            if (rev := _revision(batch)) is not None:
                _note(self._engine, batch.device, rev=rev, problem=None)

    def _read(self, message: Message) -> Batch | None:
        """Return the events in a message; note availability and rubbish."""
        device, kind = _place(message.topic)
        try:
            if kind == "evt":
                return parse_batch(device, message.payload, message.done)
            _note(self._engine, device, avail=Availability.parse(message.payload).state)
        except SyncError as error:
            LOG.debug("%s: %s", device, error)
            _note(self._engine, device, problem=str(error)[:200])
        return None


class RosterServer(Clerk):
    """Shows every door where the roster is, and answers those who ask for what they lack."""

    def __init__(self, engine: Engine, log: RosterLog) -> None:
        super().__init__("hub-roster", (f"{ROOT}/+/sync/req", f"{ROOT}/+/avail"), 0.2)
        self._engine = engine
        self._log = log
        self._rev = -1

    def handle(self, message: Message) -> None:
        """Answer a question; greet a door that came online with the head."""
        device, kind = _place(message.topic)
        try:
            if kind == "avail":
                if b"online" in message.payload:
                    self._tell(device, self._log.head(device))
                return
            question = parse_object(message.payload)
            self._tell(device, self._log.answer(device, question))
        except SyncError as error:
            LOG.warning("%s: %s", device, error)
            return
        told = {"problem": str(question["problem"])[:200]} if "problem" in question else {}
        _note(self._engine, device, epoch=question["epoch"], rev=question["have"], **told)

    def idle(self) -> None:
        """Push what changed since the last look, to every door we know."""
        rev = self._log.rev()
        if rev == self._rev:
            return
        start, self._rev = self._rev, rev
        for device in _devices(self._engine):
            if 0 <= start < rev:
                self._tell(device, self._log.delta(device, start))
            self._tell(device, self._log.head(device))

    def _tell(self, device: str, messages: Messages) -> None:
        for topic, payload, retain in messages:
            self.send(f"{ROOT}/{device}/{topic}", payload, retain=retain)


class Hub:
    """A running hub. `folder` is the site's, `url` the database, `port` as provisioned.

    Raises `ConfigError` or `StoreError` when it cannot start.
    """

    def __init__(self, folder: Path, url: str, rng: random.Random | None = None) -> None:
        self.engine = open_tables(url)
        signer = Site(folder).signer()
        self.roster = RosterLog(self.engine, signer)
        self._parts = (
            Ingest(self.engine),
            RosterServer(self.engine, self.roster),
            Commander(self.engine, signer),
            ConfigurationServer(self.engine, signer),
        )
        self.client = SyncClient(broker_settings(folder), self._parts, rng=rng)

    def start(self) -> None:
        """Begin serving."""
        for part in self._parts:
            part.start()
        self.client.start()

    def stop(self) -> None:
        """End; doors keep what was not acknowledged."""
        self.client.stop()
        for part in self._parts:
            part.stop()
        self.engine.dispose()


def broker_settings(folder: Path) -> BrokerSettings:
    """Return how the hub of a provisioned site reaches its broker."""
    try:
        place = json.loads((folder / "site.json").read_text())
        host, port = place["host"], int(place["port"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{folder}: not a provisioned site ({error}); run `facegate provision site`"
        ) from error
    mine = folder / HUB
    tls = Tls(mine / "ca.crt", mine / "hub.crt", mine / "hub.key")
    return BrokerSettings(host, HUB, port, tls=tls)


def database_url(folder: Path) -> str:
    """Return the default database: SQLite in the hub's own folder."""
    return f"sqlite:///{(folder / HUB / 'hub.db').absolute()}"


def _revision(batch: Batch) -> int | None:
    """Return the newest roster revision that these stored events tell of."""
    told = [json.loads(row["body"]).get("data") for row in batch.rows if row["kind"] == "roster.changed"]
    revs = [data.get("rev") for data in told if isinstance(data, dict)]
    return max((rev for rev in revs if type(rev) is int), default=None)


def _place(topic: str) -> tuple[str, str]:
    """Return (device, the rest's last word) of a topic."""
    parts = topic.split("/")
    return parts[2], parts[-1]


def _devices(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(sa.select(DEVICES.c.id).where(DEVICES.c.id != HUB)).scalars())


def _note(engine: Engine, device: str, **columns: Any) -> None:
    if not DEVICE_ID.fullmatch(device) or device == HUB:
        return
    row = {"id": device, "seen_at": datetime.now(UTC).isoformat(timespec="seconds"), **columns}
    with engine.begin() as connection:
        put(connection, DEVICES, row)
