"""The log of who may enter: contiguous revisions, and what each door is answered."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.domain import RosterChange, RosterState
from edge.errors import SyncError
from edge.store.roster import roster_digest
from edge.sync.records import parse_record
from edge.sync.roster_messages import (
    DELTA,
    HEAD,
    MOST_CHANGES,
    SNAPSHOT,
    Delta,
    Head,
    Manifest,
    encode_parts,
)
from hub.tables import ROSTER, ROSTER_LOG, put

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Connection, Engine

    from edge.sync.signing import Signer

    Messages = list[tuple[str, bytes, bool]]
    """(what follows the device in the topic, payload, retained)."""

LONGEST_DELTA = 1000
"""Revisions in one message; who is further behind gets a snapshot."""


class RosterLog:
    """Who may enter, and how it came about. Any thread.

    `epoch` must grow when a lost log is begun anew; doors refuse to go back.
    """

    def __init__(self, engine: Engine, signer: Signer, epoch: int = 1) -> None:
        self._engine = engine
        self._signer = signer
        self._epoch = epoch

    def change(self, puts: Iterable[dict[str, Any]] = (), removals: Iterable[str] = ()) -> int:
        """Put records and remove ids, each a revision; return the last one.

        A record that is there already as it is makes no revision. Raises `SyncError` for a bad
        record; then nothing is changed.
        """
        parsed = [parse_record(fields) for fields in puts]
        with self._engine.begin() as connection:
            rev = _last_rev(connection)
            texts = {row.id: row.text for row in connection.execute(sa.select(ROSTER.c.id, ROSTER.c.text))}
            for resident, text in parsed:
                if texts.get(resident.id) != text:
                    rev += 1
                    put(connection, ROSTER, {"id": resident.id, "rev": rev, "text": text})
                    connection.execute(sa.insert(ROSTER_LOG).values(rev=rev, id=resident.id, text=text))
            for identity in removals:
                if identity in texts:
                    rev += 1
                    connection.execute(sa.delete(ROSTER).where(ROSTER.c.id == identity))
                    connection.execute(sa.insert(ROSTER_LOG).values(rev=rev, id=identity, text=None))
        return rev

    def ids(self) -> list[str]:
        """Return everybody who is in the roster, by id."""
        with self._engine.connect() as connection:
            return list(connection.execute(sa.select(ROSTER.c.id).order_by(ROSTER.c.id)).scalars())

    def rev(self) -> int:
        """Return the last revision."""
        with self._engine.connect() as connection:
            return _last_rev(connection)

    def state(self) -> RosterState:
        """Return where the roster is now."""
        with self._engine.connect() as connection:
            return self._state(connection)

    def head(self, device: str) -> Messages:
        """Return the signed, retained head for a door."""
        body = Head(device, self.state()).encode()
        return [("sync/head", self._signer.sign(body, HEAD), True)]

    def answer(self, device: str, question: dict[str, Any]) -> Messages:
        """Return what a door that asked `sync/req` gets: nothing, a delta, or a snapshot."""
        have, epoch = question.get("have"), question.get("epoch")
        if type(have) is not int or type(epoch) is not int or min(have, epoch) < 0:
            raise SyncError("sync/req: needs epoch and have, whole numbers from 0")
        with self._engine.connect() as connection:
            state = self._state(connection)
            behind = state.rev - have
            if question.get("want") == "snapshot" or epoch != self._epoch or not 0 <= behind <= LONGEST_DELTA:
                return self._snapshot(connection, device, state)
            return self._delta(connection, device, have, state) if behind else []

    def delta(self, device: str, start: int) -> Messages:
        """Return the changes after `start`, to be pushed to a door that is there."""
        return self.answer(device, {"have": start, "epoch": self._epoch})

    def _delta(self, connection: Connection, device: str, start: int, state: RosterState) -> Messages:
        query = sa.select(ROSTER_LOG).where(ROSTER_LOG.c.rev > start).order_by(ROSTER_LOG.c.rev)
        changes = tuple(_change(*row) for row in connection.execute(query.limit(MOST_CHANGES)))
        body = Delta(device, start, state, changes).encode()
        return [("sync/delta", self._signer.sign(body, DELTA), False)]

    def _snapshot(self, connection: Connection, device: str, state: RosterState) -> Messages:
        query = sa.select(ROSTER.c.rev, ROSTER.c.id, ROSTER.c.text).order_by(ROSTER.c.id)
        parts = encode_parts([_change(*row) for row in connection.execute(query)])
        digests = tuple(hashlib.sha256(part).hexdigest() for part in parts)
        manifest = self._signer.sign(Manifest(device, state, digests).encode(), SNAPSHOT)
        pieces = [manifest, *parts]
        return [(f"sync/snap/{state.rev}/{number}", piece, False) for number, piece in enumerate(pieces)]

    def _state(self, connection: Connection) -> RosterState:
        query = sa.select(ROSTER.c.id, ROSTER.c.rev, ROSTER.c.text)
        records = [(row.id, row.rev, row.text) for row in connection.execute(query)]
        return RosterState(self._epoch, _last_rev(connection), roster_digest(records), len(records))


def _change(rev: int, identity: str, text: str | None) -> RosterChange:
    if text is None:
        return RosterChange(rev, identity)
    return RosterChange(rev, identity, parse_record(json.loads(text))[0], text)


def _last_rev(connection: Connection) -> int:
    return connection.execute(sa.select(sa.func.max(ROSTER_LOG.c.rev))).scalar() or 0
