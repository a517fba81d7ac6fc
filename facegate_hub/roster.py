"""The log of who may enter: contiguous revisions, and what each door is answered."""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.domain import RosterChange, RosterState
from edge.errors import ConfigError, SyncError
from edge.store.roster import digest_of_lines
from edge.wire.messages import MAX_INCOMING_BYTES
from edge.wire.records import (
    BEGUN,
    FACES,
    WAYS_ENDED,
    canonical_record,
    parse_record,
    plain_record,
)
from edge.wire.roster import (
    CONFIRMED,
    DELTA,
    HEAD,
    MAX_DELTA_BYTES,
    MAX_PART_BYTES,
    MOST_CHANGES,
    MOST_PARTS,
    SNAPSHOT,
    Confirmation,
    Delta,
    Head,
    Question,
    SnapshotManifest,
    encode_parts,
    is_too_big,
)
from edge.wire.signing import signed_bytes
from edge.words import message, say
from facegate_hub.database import in_parts, one_at_a_time, put_all, reading
from facegate_hub.signer.asking import FacesListed
from facegate_hub.tables import EPOCHS, GIVEN_WAYS, ROSTER, ROSTER_LOG, WAY_ASKED, WAY_ENDED, WAY_WAITING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy.engine import Connection, Engine

    from facegate_hub.signer.asking import ApproveRoster, RosterStates, Signs

    Messages = list[tuple[str, bytes, bool]]
    """(what follows the device in the topic, payload, retained)."""

LONGEST_DELTA = 1000
"""Revisions in one message; who is further behind gets a snapshot."""


class RosterTooLong(SyncError):
    """The broker carries too short messages for the roster of this site."""


@dataclass(frozen=True, slots=True)
class RosterPosition:
    """The roster as it was at one look: its state, and the connection that still sees it so.

    `plain` is its state for doors that read no certificates of faces, `doors` the number of the door list.
    """

    connection: Connection
    state: RosterState
    plain: RosterState
    doors: int = 0

    def state_for(self, *, reads_faces: bool) -> RosterState:
        """Return the state as such a door must find it."""
        return self.state if reads_faces else self.plain


class RosterLog:
    """Who may enter, and how it came about. Any thread.

    A log that was lost, or came back older from a backup, must be begun anew: doors refuse to go back.
    Only what goes to doors needs a `signer`; the desk has none. `approve_faces` is asked before faces are
    listed (None: nobody is).
    """

    def __init__(
        self,
        engine: Engine,
        signer: Signs | None,
        now: Callable[[], float] = time.time,
        approve_faces: Callable[[FacesListed], None] | None = None,
    ) -> None:
        self._engine = engine
        self._signer = signer
        self._now = now
        self._approve_faces = approve_faces
        self._state_then: tuple[RosterState, RosterState] | None = None
        self._plain: dict[str, str] = {}
        """SHA-256 of records without faces, by the SHA-256 of the whole record: the dear half of a look."""
        self._parts: dict[bool, tuple[tuple[int, int, int], list[bytes], tuple[str, ...]]] = {}
        self._changes: dict[bool, tuple[tuple[int, int, int, int], tuple[RosterChange, ...] | None]] = {}
        """Those from one revision to another; None: too many bytes for one message. Both by whether the
        door reads certificates of faces, and of an epoch: the next one has others at the same numbers."""
        self.doors_number: Callable[[], int] = lambda: 0
        self.most_bytes: Callable[[], int] = lambda: MAX_INCOMING_BYTES
        """The longest payload that the broker carries now."""

    def change(
        self,
        puts: Iterable[dict[str, Any]] = (),
        removals: Iterable[str] = (),
        approve: ApproveRoster | None = None,
        seen: Mapping[str, Mapping[str, Any] | None] = MappingProxyType({}),
    ) -> int:
        """Put records and remove ids, each a revision; return the last one.

        A record that is there already as it is makes no revision. `seen` are the records that the change
        was made from (None: there was none); where one is another by now nothing is changed, for what
        somebody else has taken from them would come back. `approve` is asked with the states
        before and after, before anything is stored. Raises `SyncError` for a bad record and what
        `approve` raises; then nothing is changed.
        """
        given = list(puts)
        for fields in given:
            parse_record(fields)
        removals = list(dict.fromkeys(removals))
        with self._engine.begin() as connection:
            one_at_a_time(connection, ROSTER_LOG)
            # Read anew and not from `_state_then`: the signer compares what is really there with what it
            # approved, and would notice a row that somebody changed behind our back.
            before = None if approve is None else self._whole(connection)[0]
            texts = _texts(connection, [*(fields["id"] for fields in given), *removals, *seen])
            _require_as_seen(texts, seen)
            puts = [_with_kept(fields, texts) for fields in given]
            rev = self._write(connection, puts, removals, texts)
            _end_waiting(connection, removals)
            if approve is not None:
                approve(before, self._whole(connection))
        return rev

    def list_faces(self, wanted: Mapping[str, Sequence[str]]) -> int:
        """Have these certificates, and no others, in the records of these people; return the last revision.

        Who is not in the roster stays out of it.
        """
        with self._engine.begin() as connection:
            one_at_a_time(connection, ROSTER_LOG)
            lines = self._lines(connection) if self._approve_faces is not None else []
            before, texts = _last_rev(connection), _texts(connection, sorted(wanted))
            puts = []
            for identity, text in texts.items():
                fields = json.loads(text)
                fields.pop(FACES, None)
                puts.append(fields | ({FACES: list(wanted[identity])} if wanted[identity] else {}))
            rev = self._write(connection, puts, [], texts)
            if self._approve_faces is not None and rev > before:
                self._approve_faces(_faces_listed(connection, before, lines, texts))
        return rev

    def _write(
        self,
        connection: Connection,
        puts: list[dict[str, Any]],
        removals: list[str],
        texts: Mapping[str, str],
    ) -> int:
        """Make a revision of every change to what there is (`texts`); return the last one.

        An id that comes onto the roster is told since when: a door that gets all records at once, and not
        the removal before them, sees by it that the id is somebody else's now.
        """
        rev = _last_rev(connection)
        changed: dict[str, str] = {}
        for fields in puts:
            name = fields["id"]
            since = {} if name in texts else {BEGUN: rev + len(changed) + 1}
            _, text = parse_record(fields | since)
            if texts.get(name) != text:
                changed[name] = text
        rows: list[dict[str, Any]] = [
            {"rev": rev + n, "id": name, "text": text} for n, (name, text) in enumerate(changed.items(), 1)
        ]
        gone = [name for name in removals if name in texts or name in changed]
        last = rev + len(rows)
        put_all(connection, ROSTER, rows)
        if gone:
            connection.execute(sa.delete(ROSTER).where(ROSTER.c.id == sa.bindparam("gone")), _each(gone))
        rows += [{"rev": last + n, "id": name, "text": None} for n, name in enumerate(gone, 1)]
        if rows:
            connection.execute(sa.insert(ROSTER_LOG), rows)
        if changed:
            _require_room(connection)
        return rev + len(rows)

    def begin_anew(self, approve: ApproveRoster | None = None) -> int:
        """Begin an epoch of its own and return it: doors take the roster as it is.

        It is the time of this hub, so that it is above whatever a lost database had begun. Nothing
        that doors tell of theirs counts: what one of them makes up must not shut out the others.
        """
        with self._engine.begin() as connection:
            # As for a change: what is approved here and there must be what is there in the end.
            one_at_a_time(connection, ROSTER_LOG)
            one_at_a_time(connection, EPOCHS)
            epoch = max(_epoch(connection) + 1, int(self._now()))
            connection.execute(sa.insert(EPOCHS).values(epoch=epoch))
            if approve is not None:
                approve(None, self._whole(connection))
        return epoch

    def missing(self, ids: Iterable[str]) -> list[str]:
        """Return which of these are not in the roster, sorted."""
        wanted = set(ids)
        with reading(self._engine) as connection:
            return sorted(wanted - set(_texts(connection, sorted(wanted))))

    def ids(self) -> list[str]:
        """Return everybody who is in the roster, by id."""
        with reading(self._engine) as connection:
            return list(connection.execute(sa.select(ROSTER.c.id).order_by(ROSTER.c.id)).scalars())

    def rev(self) -> int:
        """Return the last revision."""
        with reading(self._engine) as connection:
            return _last_rev(connection)

    def state(self) -> RosterState:
        """Return where the roster is now."""
        return self.states()[0]

    def states(self) -> RosterStates:
        """Return where it is, as doors know it that read certificates of faces, and as others do."""
        with reading(self._engine) as connection:
            return self._states(connection)

    @contextmanager
    def moment(self) -> Iterator[RosterPosition]:
        """Give the roster as it is now, for as many doors as are served from it."""
        with reading(self._engine) as connection:
            yield RosterPosition(connection, *self._states(connection), self.doors_number())

    def head(self, moment: RosterPosition, device: str, *, reads_faces: bool = False) -> Messages:
        """Return the signed, retained head for a door."""
        body = Head(device, moment.state_for(reads_faces=reads_faces)).encode()
        return [("sync/head", self._sign(body, HEAD), True)]

    def answer(self, moment: RosterPosition, device: str, question: Question) -> Messages:
        """Return what a door gets on `sync/req`: its nonce back, and a delta or a snapshot or nothing."""
        confirmed = self._confirmed(moment, device, question) if question.nonce else []
        reads = FACES in question.reads
        behind = moment.state.rev - question.have
        is_lost = question.epoch != moment.state.epoch or not 0 <= behind <= LONGEST_DELTA
        if question.want == "snapshot" or is_lost:
            return [*confirmed, *self._snapshot(moment, device, reads)]
        return [*confirmed, *(self._delta(moment, device, question.have, reads) if behind else [])]

    def delta(
        self, moment: RosterPosition, device: str, start: int, *, reads_faces: bool = False
    ) -> Messages:
        """Return the changes after `start`, to be pushed to a door that is there."""
        reads = (FACES,) if reads_faces else ()
        return self.answer(moment, device, Question(moment.state.epoch, start, reads=reads))

    def _sign(self, body: bytes, purpose: str) -> bytes:
        if self._signer is None:
            raise ConfigError("the roster is signed by the hub that runs, not here")
        return self._signer.sign(body, purpose)

    def _confirmed(self, moment: RosterPosition, device: str, question: Question) -> Messages:
        reads = FACES in question.reads
        state, doors = moment.state_for(reads_faces=reads), moment.doors if reads else None
        body = Confirmation(device, state, question.nonce or "", doors).encode()
        return [("sync/confirmed", self._sign(body, CONFIRMED), False)]

    # Hundreds of doors ask for the same content at once: it is read once, and signed for each door.

    def _delta(self, moment: RosterPosition, device: str, start: int, reads: bool) -> Messages:  # noqa: FBT001
        state = moment.state_for(reads_faces=reads)
        known, most = self._changes.get(reads), self.most_bytes()
        place = (state.epoch, start, state.rev, most)
        if known is None or known[0] != place:
            query = sa.select(ROSTER_LOG).where(ROSTER_LOG.c.rev > start).order_by(ROSTER_LOG.c.rev)
            rows = moment.connection.execute(query.limit(MOST_CHANGES))
            changes = tuple(_change(*row, reads_faces=reads) for row in rows)
            size = len(Delta(device, start, state, changes).encode())
            fits = size <= MAX_DELTA_BYTES and signed_bytes(size) <= most
            known = self._changes[reads] = (place, changes if fits else None)
        if known[1] is None:
            return self._snapshot(moment, device, reads)
        body = Delta(device, start, state, known[1]).encode()
        return [("sync/delta", self._sign(body, DELTA), False)]

    def _snapshot(self, moment: RosterPosition, device: str, reads: bool) -> Messages:  # noqa: FBT001
        state = moment.state_for(reads_faces=reads)
        known, most = self._parts.get(reads), self.most_bytes()
        place = (state.epoch, state.rev, most)
        if known is None or known[0] != place:
            query = sa.select(ROSTER.c.rev, ROSTER.c.id, ROSTER.c.text).order_by(ROSTER.c.id)
            rows = moment.connection.execute(query)
            records = [_change(*row, reads_faces=reads) for row in rows]
            parts = encode_parts(records, min(most, MAX_PART_BYTES))
            digests = tuple(hashlib.sha256(part).hexdigest() for part in parts)
            known = self._parts[reads] = (place, parts, digests)
        _, parts, digests = known
        manifest = self._sign(SnapshotManifest(device, state, digests).encode(), SNAPSHOT)
        pieces = [manifest, *parts]
        longest = max(map(len, pieces))
        if longest > most or len(parts) > MOST_PARTS:
            raise RosterTooLong(say("door_problem.roster_too_long", most=most, people=state.count))
        return [(f"sync/snap/{state.rev}/{number}", piece, False) for number, piece in enumerate(pieces)]

    def _states(self, connection: Connection) -> tuple[RosterState, RosterState]:
        """Return where the roster is, as doors know it that read certificates of faces, and as others do."""
        rev, epoch, known = _last_rev(connection), _epoch(connection), self._state_then
        if known is None or (known[0].rev, known[0].epoch) != (rev, epoch):
            known = self._state_then = self._whole(connection)
        return known

    def _whole(self, connection: Connection) -> RosterStates:
        """Return the states of what is really there."""
        return _states_of(_epoch(connection), _last_rev(connection), self._lines(connection))

    def _lines(self, connection: Connection) -> list[tuple[str, int, str, str]]:
        """Return (id, revision, SHA-256 of the record, SHA-256 of it without faces) of everybody."""
        found, plain, known = [], {}, self._plain
        for identity, rev, text in connection.execute(sa.select(ROSTER.c.id, ROSTER.c.rev, ROSTER.c.text)):
            whole = _sha256(text)
            plain[whole] = known.get(whole) or _sha256(plain_record(text))
            found.append((identity, rev, whole, plain[whole]))
        self._plain = plain
        return found


def _states_of(epoch: int, rev: int, lines: list[tuple[str, int, str, str]]) -> RosterStates:
    whole = digest_of_lines((name, at, digest) for name, at, digest, _ in lines)
    plain = digest_of_lines((name, at, digest) for name, at, _, digest in lines)
    return RosterState(epoch, rev, whole, len(lines)), RosterState(epoch, rev, plain, len(lines))


def _faces_listed(
    connection: Connection, rev: int, lines: list[tuple[str, int, str, str]], texts: Mapping[str, str]
) -> FacesListed:
    """Return what proves that the revisions after `rev` list faces and do nothing else."""
    query = sa.select(ROSTER_LOG.c.id, ROSTER_LOG.c.text).where(ROSTER_LOG.c.rev > rev)
    changed = [
        (row.id, texts[row.id], row.text) for row in connection.execute(query.order_by(ROSTER_LOG.c.rev))
    ]
    return FacesListed(_states_of(_epoch(connection), rev, lines)[0], lines, changed)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _texts(connection: Connection, ids: list[str]) -> dict[str, str]:
    """Return the records of these people, by id."""
    found: dict[str, str] = {}
    for some in in_parts(ids):
        query = sa.select(ROSTER.c.id, ROSTER.c.text).where(ROSTER.c.id.in_(some))
        found |= {row.id: row.text for row in connection.execute(query)}
    return found


def _require_as_seen(texts: Mapping[str, str], seen: Mapping[str, Mapping[str, Any] | None]) -> None:
    """Raise `SyncError` where somebody's record is not the one that a change was made from."""
    for identity, record in seen.items():
        text = texts.get(identity)
        was = None if record is None else plain_record(canonical_record(dict(record)))
        # What the hub itself writes is kept whatever the change says (`_with_kept`).
        if (None if text is None else plain_record(text)) != was:
            raise SyncError(message("error.person_changed"))


def _end_waiting(connection: Connection, people: list[str]) -> None:
    """End the PINs and cards that wait for people who go: who gets their number gets nothing of theirs."""
    for some in in_parts(people):
        theirs = GIVEN_WAYS.c.person.in_(some)
        waits = (theirs, GIVEN_WAYS.c.status.in_([WAY_ASKED, WAY_WAITING]))
        connection.execute(sa.update(GIVEN_WAYS).where(*waits).values(status=WAY_ENDED, sealed=None))


def _with_kept(fields: dict[str, Any], texts: Mapping[str, str]) -> dict[str, Any]:
    """Return a record with the certificates that it has: a list of people says nothing of faces.

    Nor of PINs and cards: the number of the order that ended them never falls.
    """
    text = texts.get(fields["id"])
    old = {} if text is None else json.loads(text)
    kept = {FACES: old.get(FACES), BEGUN: old.get(BEGUN)}
    kept[WAYS_ENDED] = max(old.get(WAYS_ENDED, 0), fields.get(WAYS_ENDED, 0)) or None
    plain = {name: value for name, value in fields.items() if name not in kept}
    return plain | {name: value for name, value in kept.items() if value is not None}


def _each(ids: list[str]) -> list[dict[str, str]]:
    return [{"gone": name} for name in ids]


def _require_room(connection: Connection) -> None:
    """Refuse a roster that doors would refuse: they would follow no further change either."""
    size = (
        # Bytes and not letters, on both: a Chinese name is three bytes a letter.
        sa.func.octet_length(ROSTER.c.text)
        if connection.dialect.name == "postgresql"
        else sa.func.length(sa.cast(ROSTER.c.text, sa.LargeBinary))
    )
    count, total = connection.execute(sa.select(sa.func.count(), sa.func.sum(size))).one()
    if problem := is_too_big(count, int(total or 0)):
        raise SyncError(message("property.roster_full", problem=problem))


def _change(rev: int, identity: str, text: str | None, *, reads_faces: bool) -> RosterChange:
    if text is None:
        return RosterChange(rev, identity)
    text = text if reads_faces else plain_record(text)
    return RosterChange(rev, identity, parse_record(json.loads(text))[0], text)


def _last_rev(connection: Connection) -> int:
    return connection.execute(sa.select(sa.func.max(ROSTER_LOG.c.rev))).scalar() or 0


def _epoch(connection: Connection) -> int:
    return connection.execute(sa.select(sa.func.max(EPOCHS.c.epoch))).scalar() or 1
