"""The event sink: each event is stored once, and a door is told how far there is no gap."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.errors import SyncError
from edge.sync.envelope import STORABLES
from edge.sync.shapes import require
from hub.tables import DOUBTS, EVENTS, STREAMS, insert_new, put

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

STEP = 1000


@dataclass(frozen=True, slots=True)
class Batch:
    """The events of one message, ready to be stored; `floor` as in `EventSink.store`."""

    device: str
    stream: str
    rows: list[dict[str, Any]]
    floor: int


class EventSink:
    """Stores what doors send. Any thread; several hubs may share one PostgreSQL.

    The guarantee is in the database: an event is acknowledged only after it was committed, and
    only up to the first gap. What does not fit the hash chain is stored all the same and noted
    as a doubt: refusing it would lose the evidence.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def store(self, device: str, payload: bytes, floor: int = 0) -> dict[str, Any]:
        """Commit the events in one message and return the acknowledgement to send.

        `floor` is up to where the door was told, before, that everything has arrived. Raises
        `SyncError` when the message is not one of events, all of one stream.
        """
        return self.commit([parse_batch(device, payload, floor)])[0][1]

    def commit(self, batches: list[Batch]) -> list[tuple[str, dict[str, Any]]]:
        """Commit several messages at once; return (device, acknowledgement) for each stream in them.

        One commit for a burst of doors costs little more than one for a single event.
        """
        streams: dict[tuple[str, str], list[Batch]] = {}
        for batch in batches:
            streams.setdefault((batch.device, batch.stream), []).append(batch)
        with self._engine.begin() as connection:
            # Sorted: two hubs on one database must take their locks in one order.
            uptos = [(key, self._store(connection, *key, streams[key])) for key in sorted(streams)]
        return [(device, {"stream": stream, "upto": upto}) for (device, stream), upto in uptos]

    def _store(self, connection: Connection, device: str, stream: str, batches: list[Batch]) -> int:
        upto, last_hash = self._lock(connection, device, stream)
        self._insert(connection, device, stream, [row for batch in batches for row in batch.rows])
        floor = max(batch.floor for batch in batches)
        if floor > upto:
            _doubt(connection, device, stream, floor, f"{upto + 1} to {floor} went to another hub")
            upto, last_hash = floor, None
        return self._advance(connection, device, stream, upto, last_hash)

    def _lock(self, connection: Connection, device: str, stream: str) -> tuple[int, str | None]:
        """Return how far the stream is, and keep other hubs off it until the commit."""
        mine = (STREAMS.c.device == device, STREAMS.c.stream == stream)
        query = sa.select(STREAMS.c.upto, STREAMS.c.hash).where(*mine).with_for_update()
        row = connection.execute(query).first()
        if row is None:
            insert_new(connection, STREAMS, {"device": device, "stream": stream, "upto": 0, "hash": "0" * 64})
            row = connection.execute(query).one()
        return int(row[0]), row[1]

    def _insert(self, connection: Connection, device: str, stream: str, rows: list[dict[str, Any]]) -> None:
        """Insert what is new in one statement; note what does not fit."""
        known = self._known(connection, device, stream, [row["seq"] for row in rows])
        new = []
        for row in rows:
            if row["seq"] in known:
                if known[row["seq"]] != row["hash"]:
                    _doubt(connection, device, stream, row["seq"], f"came again as {row['hash']}")
                continue
            if _digest(row["body"]) != row["hash"]:
                _doubt(connection, device, stream, row["seq"], "its hash does not fit")
            known[row["seq"]] = row["hash"]
            new.append(row)
        if new:
            connection.execute(sa.insert(EVENTS), new)

    def _known(self, connection: Connection, device: str, stream: str, seqs: list[int]) -> dict[int, str]:
        """Return the hash of each of these entries that is stored already."""
        mine = (EVENTS.c.device == device, EVENTS.c.stream == stream)
        found: dict[int, str] = {}
        for start in range(0, len(seqs), STEP):
            chosen = EVENTS.c.seq.in_(seqs[start : start + STEP])
            query = sa.select(EVENTS.c.seq, EVENTS.c.hash).where(*mine, chosen)
            found.update({row.seq: row.hash for row in connection.execute(query)})
        return found

    def _advance(
        self, connection: Connection, device: str, stream: str, upto: int, last_hash: str | None
    ) -> int:
        """Walk to the first gap, looking at each link of the chain on the way."""
        columns = (EVENTS.c.seq, EVENTS.c.prev, EVENTS.c.hash)
        mine = (EVENTS.c.device == device, EVENTS.c.stream == stream)
        while True:
            query = sa.select(*columns).where(*mine, EVENTS.c.seq > upto).order_by(EVENTS.c.seq).limit(STEP)
            before = upto
            for seq, prev, found_hash in connection.execute(query):
                if seq != upto + 1:
                    break
                if last_hash is not None and prev != last_hash:
                    _doubt(connection, device, stream, seq, f"does not follow {upto}")
                upto, last_hash = seq, found_hash
            if upto - before < STEP:
                break
        put(connection, STREAMS, {"device": device, "stream": stream, "upto": upto, "hash": last_hash})
        return upto


def parse_batch(device: str, payload: bytes, floor: int = 0) -> Batch:
    """Return what is in one message, or raise `SyncError`."""
    rows = [_row(device, event) for event in _events(payload)]
    if len({row["stream"] for row in rows}) != 1:
        raise SyncError("evt: the events of one message must be of one stream")
    return Batch(device, rows[0]["stream"], rows, floor)


def _events(payload: bytes) -> list[dict[str, Any]]:
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise SyncError(f"evt: not JSON: {error}"[:200]) from error
    events: list[dict[str, Any]] = found if isinstance(found, list) else [found]
    require(STORABLES, events, "evt")
    return events


def _row(device: str, event: dict[str, Any]) -> dict[str, Any]:
    fields = dict(event)
    found_hash, body = fields.pop("hash"), _canonical(fields)
    try:
        body.encode()
    except UnicodeEncodeError as error:  # half a character: no database takes it
        raise SyncError(f"evt: {fields['seq']}: {error}"[:200]) from error
    return {
        "device": device,
        "stream": fields["stream"],
        "seq": fields["seq"],
        "at": _short(fields.get("ts"), 40),
        "kind": fields["type"],
        "resident": _short(fields.get("resident"), 128),
        "reason": _short(fields.get("reason"), 64),
        "prev": fields["prev"],
        "hash": found_hash,
        "body": body,
    }


def _canonical(fields: dict[str, Any]) -> str:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()


def _short(value: Any, longest: int) -> str | None:
    """Return the beginning of a text, None of what no column takes: PostgreSQL has no NUL."""
    return value[:longest] if isinstance(value, str) and value.isprintable() else None


def _doubt(connection: Connection, device: str, stream: str, seq: int, what: str) -> None:
    connection.execute(sa.insert(DOUBTS).values(device=device, stream=stream, seq=seq, what=what))
