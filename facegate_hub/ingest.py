"""Takes events from the broker into the database, and tells doors what is stored."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from edge.broker.clerk import QUIET_SECONDS
from edge.errors import SyncError
from edge.events import Kind
from edge.wire.messages import EventAck
from edge.wire.names import ROOT, device_of
from edge.wire.proof import ACK_PURPOSE, Notary, ack_body
from facegate_hub.batches import parse_batch
from facegate_hub.clerk import DATABASE_FAILS, PAUSE_SECONDS, HubClerk, said
from facegate_hub.devices import Hearsay, note, problem
from facegate_hub.events import EventSink

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Engine

    from edge.wire.messages import Message
    from facegate_hub.batches import Batch

LOG = logging.getLogger(__name__)

NOBODY = Notary()


@dataclass(frozen=True, slots=True)
class IngestStatus:
    """What was done since the start; `problem` is what the database has against us, None: nothing."""

    messages: int = 0
    events: int = 0
    commits: int = 0
    refused: int = 0
    failures: int = 0
    problem: str | None = None


class Ingest(HubClerk):
    """Stores events and acknowledges what is stored. Has a thread of its own; `status` from any.

    What waits is committed together: a hub takes bursts from hundreds of doors on one disk. With
    `share` several hubs divide the doors' messages among them (`$share` of MQTT 5). While the
    database fails nothing is acknowledged, and doors send again. `notary` tells whose events these are, and
    proves our word to doors that prove theirs.
    """

    def __init__(
        self,
        engine: Engine,
        share: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        notary: Notary = NOBODY,
        now: Callable[[], float] = time.time,
    ) -> None:
        topic = f"{ROOT}/+/evt"
        super().__init__(engine, "hub-events", (f"$share/{share}/{topic}" if share else topic,))
        self._hearsay = Hearsay(engine, now)
        self._notary = notary
        self._sink = EventSink(engine, now, notary.origin)
        self._sleep = sleep
        self._status = IngestStatus()
        self._failures_quiet_until = 0.0

    def status(self) -> IngestStatus:
        """Return what was done so far."""
        return self._status

    def handle(self, message: Message) -> None:
        """Take one message of a door."""
        self.handle_all([message])

    def handle_all(self, messages: list[Message]) -> None:
        """Store what doors sent in one commit, and acknowledge what is stored then."""
        self._count(messages=len(messages))
        notes: dict[str, dict[str, Any]] = {}
        batches = [batch for message in messages if (batch := self._read(message, notes)) is not None]
        try:
            if batches:
                self._commit(batches, notes)
            # After the events and in commits of its own: what the page tells of doors keeps no event from
            # being stored.
            note(self._engine, notes)
            self._hearsay.heard({batch.device for batch in batches})
        except DATABASE_FAILS as error:
            self._failed(error)
        else:
            self._status = replace(self._status, problem=None)

    def _commit(self, batches: list[Batch], notes: dict[str, dict[str, Any]]) -> None:
        try:
            self._store(batches, notes)
        except DATABASE_FAILS:
            raise
        except Exception:
            # Something that nobody foresaw got through; whoever sent it must not hold up the others.
            LOG.exception("events could not be stored together; each message is tried alone")
            for batch in batches:
                self._store_alone(batch, notes)

    def _store_alone(self, batch: Batch, notes: dict[str, dict[str, Any]]) -> None:
        try:
            self._store([batch], notes)
        except DATABASE_FAILS:
            raise
        except Exception as error:  # noqa: BLE001 - this door's, and noted as such
            self._count(refused=1)
            notes.setdefault(batch.device, {}).update(problem(f"evt: cannot be stored: {said(error)}"))

    def _store(self, batches: list[Batch], notes: dict[str, dict[str, Any]]) -> None:
        stored = self._sink.commit(batches)
        for device, ack in stored.acks:
            told = EventAck(ack["stream"], ack["upto"])
            if (device, told.stream) in stored.idle:
                continue
            if (device, told.stream) in stored.proven:
                body = ack_body(device, told.stream, told.upto)
                told = replace(told, proof=self._notary.prove(body, ACK_PURPOSE) or None)
            self.send(f"{ROOT}/{device}/evt/ack", told.encode())
        for device, why in stored.refused:
            self._count(refused=1)
            notes.setdefault(device, {}).update(problem(why))
        self._count(commits=1, events=sum(len(batch.rows) for batch in batches))

    def _read(self, message: Message, notes: dict[str, dict[str, Any]]) -> Batch | None:
        """Return the events in a message, and note what they say of the roster; None of rubbish.

        Neither of what the broker kept: no door leaves an event there.
        """
        device = device_of(message.topic)
        if message.retained:
            return None
        try:
            batch = parse_batch(device, message.payload, message.done, message.proof)
        except SyncError as error:
            LOG.debug("%s: %s", device, error)
            self._count(refused=1)
            notes.setdefault(device, {}).update(problem(str(error)))
            return None
        if (rev := _revision(batch)) is not None:
            # What it asked with may be of an epoch it has left by this very change; it tells none here.
            notes.setdefault(device, {}).update(rev=rev, epoch=None, problem=None, problem_at=None)
        return batch

    def _failed(self, error: Exception) -> None:
        """Say it once a minute, and leave the database a moment."""
        self._count(failures=1)
        self._status = replace(self._status, problem=said(error))
        if (now := time.monotonic()) >= self._failures_quiet_until:
            self._failures_quiet_until = now + QUIET_SECONDS
            LOG.error("the hub's database fails: %s; nothing is acknowledged until it works", said(error))
        self._sleep(PAUSE_SECONDS)

    def _count(self, **more: int) -> None:
        old = self._status
        self._status = replace(old, **{name: getattr(old, name) + by for name, by in more.items()})


def _revision(batch: Batch) -> int | None:
    """Return the newest roster revision that these events tell of."""
    told = [json.loads(row["body"]).get("data") for row in batch.rows if row["kind"] == Kind.ROSTER_CHANGED]
    revs = [data.get("rev") for data in told if isinstance(data, dict)]
    return max((rev for rev in revs if type(rev) is int), default=None)
