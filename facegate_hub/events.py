"""The event sink: each event is stored once, and a door is told how far there is no gap."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.errors import SyncError
from facegate_hub.batches import AT, digest, parse_batch
from facegate_hub.database import insert_missing
from facegate_hub.doubts import note_doubts
from facegate_hub.forks import WENT_BACK, fork_of, keep_forks
from facegate_hub.inbox import note_alarms
from facegate_hub.requests import correct
from facegate_hub.tables import EVENTS, STREAMS
from facegate_hub.vouching import doubt_origins, hold_to_proofs, sift

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlalchemy.engine import Connection, Engine

    from edge.wire.proof import Origin
    from facegate_hub.batches import Batch
    from facegate_hub.vouching import Sifted

    Key = tuple[str, str]
    """(device, stream)"""
    ChainLink = tuple[int, str, str, int | None]
    """(seq, prev, hash, 1 when the door has proven it)"""

STEP = 1000
GENESIS = "0" * 64
"""What the first event of a journal names as the hash before it."""
CHAIN = (EVENTS.c.seq, EVENTS.c.prev, EVENTS.c.hash, EVENTS.c.proven)
KNOWN_SQLITE = sa.text(
    "SELECT e.device, e.stream, e.seq, e.hash, e.proven FROM json_each(:asked) AS j JOIN events AS e"
    " ON e.device = json_extract(j.value, '$[0]') AND e.stream = json_extract(j.value, '$[1]')"
    " AND e.seq = json_extract(j.value, '$[2]')"
)
KNOWN_POSTGRESQL = sa.text(
    "SELECT e.device, e.stream, e.seq, e.hash, e.proven FROM json_array_elements(CAST(:asked AS json)) AS j"
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
)
LOCKED_POSTGRESQL = sa.text(f"{STREAMS_POSTGRESQL} ORDER BY s.device, s.stream FOR UPDATE OF s")
"""In one order, so that hubs never wait for each other in a circle."""
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
    .values(
        upto=sa.bindparam("u"),
        hash=sa.bindparam("h"),
        top=sa.bindparam("t"),
        moved_at=sa.bindparam("m"),
        proven_from=sa.bindparam("p"),
    )
)
ONE_EVENT = (
    EVENTS.c.device == sa.bindparam("d"),
    EVENTS.c.stream == sa.bindparam("s"),
    EVENTS.c.seq == sa.bindparam("q"),
)


@dataclass(frozen=True, slots=True)
class CommitResult:
    """What came of a commit: (device, acknowledgement) of each stream, (device, why) of what was refused.

    `proven` are the streams whose door proves its events, and wants the acknowledgement proven; `idle` those
    whose acknowledgement tells their door nothing: what came waits behind a gap.
    """

    acks: list[tuple[str, dict[str, Any]]]
    refused: list[tuple[str, str]]
    proven: frozenset[Key]
    idle: frozenset[Key]


@dataclass(slots=True)
class StreamPosition:
    """How far a stream is, as in the table `streams`, and what this commit adds to it."""

    device: str
    stream: str
    upto: int
    hash: str | None
    top: int
    pruned: int
    proven_from: int | None
    pruned_told: str | None = None
    """The latest time that an event told which was deleted here for its age."""
    known: dict[int, tuple[str, bool]] = field(default_factory=dict)
    """Hash of each event that is there, and whether its door has proven it."""
    rows: list[dict[str, Any]] = field(default_factory=list)
    proven_late: list[int] = field(default_factory=list)
    replaced: list[int] = field(default_factory=list)
    forks: list[dict[str, Any]] = field(default_factory=list)
    """What the door proves under numbers that it has proven before (`facegate_hub.forks`)."""
    has_begun: bool = False
    """Whether its door proves its events since this commit."""
    has_news: bool = False
    """Whether there is more to acknowledge, or what was acknowledged came again: its door did not hear it."""
    doubts: list[dict[str, Any]] = field(default_factory=list)

    @property
    def key(self) -> Key:
        """The journal."""
        return self.device, self.stream

    @property
    def has_changed(self) -> bool:
        """Whether there is anything to write of this journal."""
        return bool(self.rows or self.doubts or self.proven_late) or self.has_begun

    def doubt(self, seq: int, kind: str, what: str) -> None:
        """Note a sign of tampering or loss."""
        place = {"device": self.device, "stream": self.stream, "seq": seq}
        self.doubts.append({**place, "kind": kind, "what": what})

    def begin_proofs(self, done: int) -> None:
        """Take from now on only what the door proves: it sends again whatever it was not told is done."""
        if self.proven_from is None:
            # `done` is the number up to which the door was acknowledged and has deleted its events.
            # Everything stored beyond it came without proof and comes again with one. Its hash is not known,
            # so the walk does not check the link of the first event after it.
            self.upto, self.hash = (done, None) if done < self.upto else (self.upto, self.hash)
            self.proven_from, self.has_begun = self.upto, True

    def take(self, row: dict[str, Any], *, is_proven: bool) -> None:
        """Keep an event unless it is there already; doubt what does not fit."""
        seq, found = row["seq"], row["hash"]
        self.has_news = self.has_news or seq <= self.upto
        # It was deleted here for its age: stored again it would count as new, and stay. Unless it is later
        # than all that was: an older copy of the door's folder was put back, which gives its numbers again.
        if seq <= self.pruned:
            if self.pruned_told is not None and (row["at"] or "") > self.pruned_told:
                self._came_again(row, is_other=is_proven)
            return
        was, was_proven = self.known.get(seq, (None, False))
        # Only after `proven_from`: what was acknowledged before the door proved anything is done with.
        is_better = is_proven and not was_proven and seq > (self.proven_from or 0)
        if was is not None and not is_better:
            if was != found:
                self._came_again(row, is_other=is_proven)
            return
        self.known[seq] = (found, is_proven)
        if was == found:
            # The same event, proven at last: the row stays, only its mark changes.
            self.proven_late.append(seq)
            return
        if was is not None:
            self.doubt(seq, "forged", f"what was stored before, {was}, is not what the door proves")
            self.replaced.append(seq)
        if digest(row["body"]) != found:
            self.doubt(seq, "hash", "its hash does not fit")
        self.rows.append({**row, "proven": 1 if is_proven else None})

    def _came_again(self, row: dict[str, Any], *, is_other: bool) -> None:
        """Doubt what came again with another content; keep it where the door proves it."""
        if not is_other:
            self.doubt(row["seq"], "again", f"came again as {row['hash']}")
            return
        if not self.forks:
            self.doubt(row["seq"], "back", WENT_BACK)
        self.forks.append(fork_of(row))

    def skip_to(self, floor: int) -> None:
        """Go on after what another hub confirmed."""
        if floor > self.upto:
            self.doubt(floor, "floor", f"{self.upto + 1} to {floor} went to another hub")
            self.upto, self.hash, self.has_news = floor, None, True

    def walk(self, links: Iterable[ChainLink]) -> None:
        """Go on to the first gap, looking at each link of the chain on the way."""
        for seq, prev, found, is_proven in links:
            if seq <= self.upto:
                continue
            # A gap; or what nobody has proven yet, which counts as one.
            if seq != self.upto + 1 or (self.proven_from is not None and not is_proven):
                return
            if self.hash is not None and prev != self.hash:
                self.doubt(seq, "link", f"does not follow {self.upto}")
            self.upto, self.hash, self.has_news = seq, found, True


class EventSink:
    """Stores what doors send. Any thread; several hubs may share one database.

    The guarantee is in the database: an event is acknowledged only after it was committed, and
    only up to the first gap. What does not fit the hash chain is stored all the same and noted
    as a doubt: refusing it would lose the evidence.

    `origin` tells whose events these are. A door that has proven its events once is held to it: what comes
    without proof in its name is a doubt and is not stored, and what its proof contradicts gives way. One
    that never did is of an older version: each of its journals is a doubt until somebody declares so
    (`Staff.allow_unproven`). What is signed wrongly is never stored.
    """

    def __init__(
        self, engine: Engine, now: Callable[[], float] = time.time, origin: Origin | None = None
    ) -> None:
        self._engine = engine
        self._now = now
        self._origin = origin
        self._met: set[Key] = set()
        self._doubted: set[Key] = set()
        """Journals without proofs of which this hub has said so."""

    def store(self, device: str, payload: bytes, floor: int = 0, proof: str = "") -> dict[str, Any]:
        """Commit the events in one message and return the acknowledgement to send.

        `floor` is up to where the door was told, before, that everything has arrived. Raises
        `SyncError` when the message is not one of events, all of one stream, or not the door's.
        """
        stored = self.commit([parse_batch(device, payload, floor, proof)])
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
        found = sift(batches, self._origin)
        with self._engine.begin() as connection:
            hold_to_proofs(connection, found)
            keys = {batch.key for batch in found.taken}
            refused = self._begin_streams(connection, sorted(keys - met), now)
            places = _lock(connection, sorted(keys - refused))
            _take(connection, places, found)
            for place in places.values():
                _advance(connection, place)
            doubted = doubt_origins(connection, found, self._doubted, now)
            _write(connection, list(places.values()), now)
        self._met, self._doubted = met | set(places), self._doubted | doubted
        why = f"evt: more than {MOST_NEW_STREAMS} new journals in a day"
        told = [(device, why) for device, _ in sorted(refused)]
        return _result(places, told + [(batch.device, f"evt: {flaw}") for batch, flaw in found.forged])

    def _begin_streams(self, connection: Connection, fresh: list[Key], now: float) -> set[Key]:
        """Note journals that were never heard of; return those beyond what their doors may begin.

        Nothing that is there is locked here: hubs lock all their journals at once afterwards, in one order,
        and never wait for each other in a circle.
        """
        known = {(row.device, row.stream) for row in _streams(connection, fresh)} if fresh else set()
        new = [key for key in fresh if key not in known]
        refused: set[Key] = set()
        for device in sorted({device for device, _ in new}):
            mine = [key for key in new if key[0] == device]
            began = (STREAMS.c.device == device, STREAMS.c.began_at.between(now - DAY_SECONDS, now))
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


def _streams(
    connection: Connection, keys: list[Key], postgresql: sa.TextClause = STREAMS_POSTGRESQL
) -> list[Any]:
    """Return these streams' rows, by the given statement on PostgreSQL; SQLite has one writer anyway."""
    query = postgresql if connection.dialect.name == "postgresql" else STREAMS_SQLITE
    return list(connection.execute(query, {"asked": json.dumps(keys)}))


def _lock(connection: Connection, keys: list[Key]) -> dict[Key, StreamPosition]:
    """Return how far each stream is, by its key, and keep other hubs off them until the commit."""
    rows = {(row.device, row.stream): row for row in _streams(connection, keys, LOCKED_POSTGRESQL)}
    return {key: _place(connection, rows[key]) for key in keys}


def _result(places: dict[Key, StreamPosition], refused: list[tuple[str, str]]) -> CommitResult:
    acks = [(place.device, {"stream": place.stream, "upto": place.upto}) for place in places.values()]
    proven = frozenset(place.key for place in places.values() if place.proven_from is not None)
    return CommitResult(acks, refused, proven, frozenset(p.key for p in places.values() if not p.has_news))


def _take(connection: Connection, places: dict[Key, StreamPosition], found: Sifted) -> None:
    """Sort out what is new; only numbers up to the highest one stored can be known."""
    proven = [batch for batch in found.proven if batch.key in places]
    batches = proven + [batch for batch in found.unproven if batch.key in places]
    for batch in proven:
        places[batch.key].begin_proofs(batch.floor)
    asked = {
        (*batch.key, row["seq"])
        for batch in batches
        for row in batch.rows
        if row["seq"] <= places[batch.key].top
    }
    for device, stream, seq, hashed, is_proven in _known(connection, sorted(asked)):
        places[device, stream].known[seq] = (hashed, is_proven)
    # Proven messages come first in the list: what they say stands when an unproven one says otherwise.
    for number, batch in enumerate(batches):
        for row in batch.rows:
            places[batch.key].take(row, is_proven=number < len(proven))
    _correct(connection, places)
    for batch in batches:
        # An honest door sends only events after its floor; any other floor is ignored.
        if batch.floor < batch.rows[0]["seq"]:
            places[batch.key].skip_to(batch.floor)


def _correct(connection: Connection, places: dict[Key, StreamPosition]) -> None:
    """Take out what a proof contradicts, and note what is proven only now."""
    late, gone = (
        [
            {"d": place.device, "s": place.stream, "q": seq}
            for place in places.values()
            for seq in (place.replaced if is_gone else place.proven_late)
        ]
        for is_gone in (False, True)
    )
    if late:
        connection.execute(sa.update(EVENTS).where(*ONE_EVENT).values(proven=1), late)
    if gone:
        connection.execute(sa.delete(EVENTS).where(*ONE_EVENT), gone)


def _known(
    connection: Connection, asked: list[tuple[str, str, int]]
) -> Iterator[tuple[str, str, int, str, bool]]:
    """Yield (device, stream, seq, hash, whether it is proven) of those entries that are stored already."""
    if asked:
        query = KNOWN_POSTGRESQL if connection.dialect.name == "postgresql" else KNOWN_SQLITE
        for row in connection.execute(query, {"asked": json.dumps(asked)}):
            yield row.device, row.stream, row.seq, row.hash, bool(row.proven)


def _advance(connection: Connection, place: StreamPosition) -> None:
    """Walk to the first gap: through what came now, and through what waited behind a gap."""
    place.rows.sort(key=lambda row: row["seq"])
    came = [(row["seq"], row["prev"], row["hash"], row["proven"]) for row in place.rows]
    last = place.top
    if came:
        place.top = max(last, came[-1][0])
    place.walk(came)
    # Events stored earlier beyond a gap may now connect: read on, a thousand links at a time.
    while place.upto < last:
        before = place.upto
        place.walk(_links(connection, place, came))
        if place.upto == before:
            return


def _links(connection: Connection, place: StreamPosition, came: list[ChainLink]) -> list[ChainLink]:
    """Return the next links after `upto`: of those stored before, and of those that came now."""
    later = EVENTS.c.seq > place.upto
    query = sa.select(*CHAIN).where(*_of(place), later).order_by(EVENTS.c.seq).limit(STEP)
    stored = [(row.seq, row.prev, row.hash, row.proven) for row in connection.execute(query)]
    return sorted(stored + [link for link in came if link[0] > place.upto], key=itemgetter(0))


def _write(connection: Connection, places: list[StreamPosition], now: float) -> None:
    """Write all that is new, one statement for each table."""
    if doubts := [doubt for place in places for doubt in place.doubts]:
        note_doubts(connection, doubts, now)
    rows = [row for place in places for row in place.rows]
    forks = [row for place in places for row in place.forks]
    latest = datetime.fromtimestamp(now + FAR_SECONDS, UTC).strftime(AT)
    for row in rows + forks:
        if row["at"] is None or row["at"] > latest:
            row["at"] = datetime.fromtimestamp(now, UTC).strftime(AT)
    if rows:
        connection.execute(sa.insert(EVENTS), [{**row, "stored_at": now} for row in rows])
    if came := rows + keep_forks(connection, forks, now):
        correct(connection, came)
        note_alarms(connection, came, now)
    moved = [
        {
            "d": place.device,
            "s": place.stream,
            "u": place.upto,
            "h": place.hash,
            "t": place.top,
            "m": now,
            "p": place.proven_from,
        }
        for place in places
        if place.has_changed
    ]
    if moved:
        connection.execute(MOVED, moved)


def _place(connection: Connection, row: Any) -> StreamPosition:
    place = StreamPosition(
        *(row.device, row.stream, row.upto, row.hash, row.top or 0),
        *(row.pruned or 0, row.proven_from, row.pruned_told),
    )
    if row.top is None:  # left by an older version
        highest = sa.select(sa.func.max(EVENTS.c.seq)).where(*_of(place))
        place.top = connection.execute(highest).scalar() or 0
    return place


def _of(place: StreamPosition) -> tuple[sa.ColumnElement[bool], ...]:
    return EVENTS.c.device == place.device, EVENTS.c.stream == place.stream
