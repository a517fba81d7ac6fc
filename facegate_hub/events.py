"""The event sink: each event is stored once, and a door is told how far there is no gap."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.errors import SyncError
from facegate_hub.batches import digest, parse_batch
from facegate_hub.database import insert_missing
from facegate_hub.doubts import note_doubts
from facegate_hub.requests import correct
from facegate_hub.tables import EVENTS, STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlalchemy.engine import Connection, Engine

    from facegate_hub.batches import Batch

    Key = tuple[str, str]
    """(device, stream)"""

STEP = 1000
GENESIS = "0" * 64
"""What the first event of a journal names as the hash before it."""
CHAIN = (EVENTS.c.seq, EVENTS.c.prev, EVENTS.c.hash)
KNOWN_SQLITE = sa.text(
    "SELECT e.device, e.stream, e.seq, e.hash FROM json_each(:asked) AS j JOIN events AS e"
    " ON e.device = json_extract(j.value, '$[0]') AND e.stream = json_extract(j.value, '$[1]')"
    " AND e.seq = json_extract(j.value, '$[2]')"
)
KNOWN_POSTGRESQL = sa.text(
    "SELECT e.device, e.stream, e.seq, e.hash FROM json_array_elements(CAST(:asked AS json)) AS j"
    " JOIN events AS e ON e.device = j.value ->> 0 AND e.stream = j.value ->> 1"
    " AND e.seq = CAST(j.value ->> 2 AS bigint)"
)
"""A thousand keys in one parameter: as tuples after IN, SQLite reads the whole table for them, and
SQLAlchemy takes longer to write the statement than either database to run it."""
STREAMS_SQLITE = sa.text(
    "SELECT s.* FROM json_each(:asked) AS j JOIN streams AS s"
    " ON s.device = json_extract(j.value, '$[0]') AND s.stream = json_extract(j.value, '$[1]')"
)
STREAMS_POSTGRESQL = sa.text(
    "SELECT s.* FROM json_array_elements(CAST(:asked AS json)) AS j"
    " JOIN streams AS s ON s.device = j.value ->> 0 AND s.stream = j.value ->> 1"
    " ORDER BY s.device, s.stream FOR UPDATE OF s"
)
MOST_NEW_STREAMS = 20
"""Journals that a door may begin in a day: one is begun when a door is new, or its card was damaged."""
DAY_SECONDS = 86_400.0
MOST_MET = 10_000
FAR_SECONDS = 86_400.0
"""How far a door's clock may be ahead; beyond it, and without any time, an event is sorted by when it was
stored."""
MOVED = (
    sa.update(STREAMS)
    .where(STREAMS.c.device == sa.bindparam("d"), STREAMS.c.stream == sa.bindparam("s"))
    .values(upto=sa.bindparam("u"), hash=sa.bindparam("h"), top=sa.bindparam("t"), moved_at=sa.bindparam("m"))
)


@dataclass(frozen=True, slots=True)
class CommitResult:
    """What came of a commit: (device, acknowledgement) of each stream, (device, why) of what was refused."""

    acks: list[tuple[str, dict[str, Any]]]
    refused: list[tuple[str, str]]


@dataclass(slots=True)
class StreamPosition:
    """How far a stream is, as in the table `streams`, and what this commit adds to it."""

    device: str
    stream: str
    upto: int
    hash: str | None
    top: int
    pruned: int
    known: dict[int, str] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    doubts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def key(self) -> Key:
        """The journal."""
        return self.device, self.stream

    def doubt(self, seq: int, kind: str, what: str) -> None:
        """Note a sign of tampering or loss."""
        place = {"device": self.device, "stream": self.stream, "seq": seq}
        self.doubts.append({**place, "kind": kind, "what": what})

    def take(self, row: dict[str, Any]) -> None:
        """Keep an event unless it is there already; doubt what does not fit."""
        seq, found = row["seq"], row["hash"]
        if seq <= self.pruned:
            return
        if seq in self.known:
            if self.known[seq] != found:
                self.doubt(seq, "again", f"came again as {found}")
            return
        if digest(row["body"]) != found:
            self.doubt(seq, "hash", "its hash does not fit")
        self.known[seq] = found
        self.rows.append(row)

    def skip_to(self, floor: int) -> None:
        """Go on after what another hub confirmed."""
        if floor > self.upto:
            self.doubt(floor, "floor", f"{self.upto + 1} to {floor} went to another hub")
            self.upto, self.hash = floor, None

    def walk(self, links: Iterable[tuple[int, str, str]]) -> None:
        """Go on to the first gap, looking at each (seq, prev, hash) of the chain on the way."""
        for seq, prev, found in links:
            if seq <= self.upto:
                continue
            if seq != self.upto + 1:
                return
            if self.hash is not None and prev != self.hash:
                self.doubt(seq, "link", f"does not follow {self.upto}")
            self.upto, self.hash = seq, found


class EventSink:
    """Stores what doors send. Any thread; several hubs may share one database.

    The guarantee is in the database: an event is acknowledged only after it was committed, and
    only up to the first gap. What does not fit the hash chain is stored all the same and noted
    as a doubt: refusing it would lose the evidence.
    """

    def __init__(self, engine: Engine, now: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._now = now
        self._met: set[Key] = set()

    def store(self, device: str, payload: bytes, floor: int = 0) -> dict[str, Any]:
        """Commit the events in one message and return the acknowledgement to send.

        `floor` is up to where the door was told, before, that everything has arrived. Raises
        `SyncError` when the message is not one of events, all of one stream.
        """
        stored = self.commit([parse_batch(device, payload, floor)])
        if stored.refused:
            raise SyncError(stored.refused[0][1])
        return stored.acks[0][1]

    def commit(self, batches: list[Batch]) -> CommitResult:
        """Commit several messages at once; return what to acknowledge, and what there was no room for.

        A burst of hundreds of doors costs five statements and one commit. Raises SQLAlchemy's
        errors; then nothing is stored, and nothing may be acknowledged.
        """
        now, met = self._now(), self._met if len(self._met) < MOST_MET else set()
        self._met = set()  # until the commit is done: its rows may be undone
        with self._engine.begin() as connection:
            refused = self._begin_streams(connection, sorted({batch.key for batch in batches} - met), now)
            taken = [batch for batch in batches if batch.key not in refused]
            places = _lock(connection, sorted({batch.key for batch in taken}))
            _take(connection, places, taken)
            for place in places.values():
                _advance(connection, place)
            _write(connection, list(places.values()), now)
        self._met = met | set(places)
        acks = [(place.device, {"stream": place.stream, "upto": place.upto}) for place in places.values()]
        why = f"evt: more than {MOST_NEW_STREAMS} new journals in a day"
        return CommitResult(acks, [(device, why) for device, _ in sorted(refused)])

    def _begin_streams(self, connection: Connection, fresh: list[Key], now: float) -> set[Key]:
        """Note journals that were never heard of; return those beyond what their doors may begin.

        New streams first, then all, both sorted: hubs take their locks in one order and never wait for
        each other in a circle.
        """
        known = {(row.device, row.stream) for row in _streams(connection, fresh)} if fresh else set()
        new = [key for key in fresh if key not in known]
        refused: set[Key] = set()
        for device in sorted({device for device, _ in new}):
            mine = [key for key in new if key[0] == device]
            began = (STREAMS.c.device == device, STREAMS.c.began_at > now - DAY_SECONDS)
            count = connection.execute(sa.select(sa.func.count()).select_from(STREAMS).where(*began)).scalar()
            refused |= set(mine[max(0, MOST_NEW_STREAMS - (count or 0)) :])
        first = {"upto": 0, "hash": GENESIS, "top": 0, "began_at": now}
        rows = [{"device": d, "stream": s, **first} for d, s in new if (d, s) not in refused]
        begun = insert_missing(connection, STREAMS, rows)
        _doubt_beginnings(connection, begun, now)
        return refused


def _doubt_beginnings(connection: Connection, begun: set[Key], now: float) -> None:
    """Note that a journal ended without a word, and another one began: a file may have been deleted.

    `begun` are the (device, stream) that this commit itself began: another hub may have begun the
    same journal a moment ago, and has then looked at what was before it.
    """
    doubts = []
    for device, stream in sorted(begun):
        ours = sorted(one for whose, one in begun if whose == device)
        before = sa.select(STREAMS.c.stream, STREAMS.c.upto).where(
            STREAMS.c.device == device, STREAMS.c.stream.not_in(ours)
        )
        last = connection.execute(before.order_by(sa.desc(STREAMS.c.moved_at).nulls_last()).limit(1)).first()
        if last is not None:
            what = f"a new journal; the one before, {last.stream}, ends at {last.upto} without a word of it"
            doubts.append({"device": device, "stream": stream, "seq": 1, "kind": "new", "what": what})
    if doubts:
        note_doubts(connection, doubts, now)


def _streams(connection: Connection, keys: list[Key]) -> list[Any]:
    """Return these streams' rows, and keep other hubs off them until the commit."""
    query = STREAMS_POSTGRESQL if connection.dialect.name == "postgresql" else STREAMS_SQLITE
    return list(connection.execute(query, {"asked": json.dumps(keys)}))


def _lock(connection: Connection, keys: list[Key]) -> dict[Key, StreamPosition]:
    """Return how far each stream is, by its key."""
    rows = {(row.device, row.stream): row for row in _streams(connection, keys)}
    return {key: _place(connection, rows[key]) for key in keys}


def _take(connection: Connection, places: dict[Key, StreamPosition], batches: list[Batch]) -> None:
    """Sort out what is new; only numbers up to the highest one stored can be known."""
    asked = {
        (*batch.key, row["seq"])
        for batch in batches
        for row in batch.rows
        if row["seq"] <= places[batch.key].top
    }
    for device, stream, seq, found in _known(connection, sorted(asked)):
        places[device, stream].known[seq] = found
    for batch in batches:
        for row in batch.rows:
            places[batch.key].take(row)
    for batch in batches:
        # What a door was told before lies before what it sends: anything else is made up.
        if batch.floor < batch.rows[0]["seq"]:
            places[batch.key].skip_to(batch.floor)


def _known(connection: Connection, asked: list[tuple[str, str, int]]) -> Iterator[tuple[str, str, int, str]]:
    """Yield (device, stream, seq, hash) of those entries that are stored already."""
    if asked:
        query = KNOWN_POSTGRESQL if connection.dialect.name == "postgresql" else KNOWN_SQLITE
        for row in connection.execute(query, {"asked": json.dumps(asked)}):
            yield row.device, row.stream, row.seq, row.hash


def _advance(connection: Connection, place: StreamPosition) -> None:
    """Walk to the first gap: through what came now, and through what waited behind a gap."""
    place.rows.sort(key=lambda row: row["seq"])
    came = [(row["seq"], row["prev"], row["hash"]) for row in place.rows]
    last = place.top
    if came:
        place.top = max(last, came[-1][0])
    place.walk(came)
    while place.upto < last:
        before = place.upto
        place.walk(_links(connection, place, came))
        if place.upto == before:
            return


def _links(
    connection: Connection, place: StreamPosition, came: list[tuple[int, str, str]]
) -> list[tuple[int, str, str]]:
    """Return the next links after `upto`: of those stored before, and of those that came now."""
    later = EVENTS.c.seq > place.upto
    query = sa.select(*CHAIN).where(*_of(place), later).order_by(EVENTS.c.seq).limit(STEP)
    stored = [(row.seq, row.prev, row.hash) for row in connection.execute(query)]
    return sorted(stored + [link for link in came if link[0] > place.upto])


def _write(connection: Connection, places: list[StreamPosition], now: float) -> None:
    """Write all that is new, one statement for each table."""
    if doubts := [doubt for place in places for doubt in place.doubts]:
        note_doubts(connection, doubts, now)
    if rows := [row for place in places for row in place.rows]:
        latest = datetime.fromtimestamp(now + FAR_SECONDS, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        for row in rows:
            if row["at"] is None or row["at"] > latest:
                row["at"] = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        connection.execute(sa.insert(EVENTS), [{**row, "stored_at": now} for row in rows])
        correct(connection, rows)
    moved = [
        {"d": place.device, "s": place.stream, "u": place.upto, "h": place.hash, "t": place.top, "m": now}
        for place in places
        if place.rows or place.doubts
    ]
    if moved:
        connection.execute(MOVED, moved)


def _place(connection: Connection, row: Any) -> StreamPosition:
    place = StreamPosition(row.device, row.stream, row.upto, row.hash, row.top or 0, row.pruned or 0)
    if row.top is None:  # left by an older version
        highest = sa.select(sa.func.max(EVENTS.c.seq)).where(*_of(place))
        place.top = connection.execute(highest).scalar() or 0
    return place


def _of(place: StreamPosition) -> tuple[sa.ColumnElement[bool], ...]:
    return EVENTS.c.device == place.device, EVENTS.c.stream == place.stream
