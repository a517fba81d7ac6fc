"""The roster at the door: records the property signed, applied in one transaction or not at all."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING

from edge.domain import RosterState
from edge.errors import RosterDrift, StoreError
from edge.store.owed_ways import owe
from edge.store.resident_rows import (
    RECORD,
    RESIDENT_COLUMNS,
    checked_resident,
    opened_text,
    resident_row,
    sealed_text,
)
from edge.store.residents import WHOSE
from edge.wire.records import FACES, begun, ways_ended

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence

    from edge.domain import RosterChange
    from edge.store.owed_ways import OwedWays
    from edge.store.residents import ResidentStore

SOURCE = "roster"
LINES = json.JSONEncoder(ensure_ascii=False)


def roster_digest(records: Iterable[tuple[str, int, str]]) -> str:
    """Return the digest of (id, rev, record text): SHA-256 over one line for each, sorted by id."""
    return digest_of_lines(
        (name, rev, hashlib.sha256(text.encode()).hexdigest()) for name, rev, text in records
    )


def digest_of_lines(lines: Iterable[tuple[str, int, str]]) -> str:
    """Return the same digest of (id, rev, SHA-256 of the record's text)."""
    total = hashlib.sha256()
    for line in sorted(lines):
        total.update(LINES.encode(list(line)).encode() + b"\n")
    return total.hexdigest()


class SqliteRoster:
    """The property's part of a resident store. Implements `ports.Roster`; any thread.

    The roster says who may enter; faces are enrolled here and stay when a record changes. A
    record that goes takes its templates with it, erased. Residents enrolled at the door that the
    property has not confirmed are left alone (`pending`).
    """

    def __init__(self, store: ResidentStore) -> None:
        self._store = store

    def state(self) -> RosterState:
        """Return how far the roster is."""
        rows = self._store.query("SELECT epoch, rev, digest, (SELECT count(*) FROM roster) FROM roster_head")
        return RosterState(*rows[0]) if rows else RosterState(digest=roster_digest([]))

    def apply(
        self, changes: Sequence[RosterChange], target: RosterState, owed: Iterable[OwedWays] = ()
    ) -> None:
        """Make these changes in their order and reach `target`, or raise `RosterDrift`.

        `owed` is what of PINs, cards and passes could not be taken back yet.
        """
        with self._store.writing() as (connection, version):
            owe(connection, owed)
            for change in changes:
                self._apply(connection, change, version)
            self._arrive(connection, target)
        self._store.forget_keys(change.id for change in changes if change.resident is None)
        self._store.forget_old_pages()

    def replace(
        self, records: Sequence[RosterChange], target: RosterState, owed: Iterable[OwedWays] = ()
    ) -> None:
        """Have exactly these records: who is not among them is erased, and whose id is another person's.

        `owed` as in `apply`.
        """
        with self._store.writing() as (connection, version):
            owe(connection, owed)
            for identity in sorted(self.gone_with(records, target)):
                _remove(connection, identity, version)
            connection.execute("DELETE FROM roster")
            for record in records:
                self._apply(connection, record, version)
            self._arrive(connection, target)
        # Every key without a resident: when a damaged store began anew, nothing else tells who is gone.
        self._store.forget_keys(self._store.sealer.people())
        self._store.forget_old_pages()

    def gone_with(self, records: Sequence[RosterChange], target: RosterState) -> frozenset[str]:
        """Return whom we know and these records, whole, do not: who is not on them, or whose id begins later.

        An id that came onto the roster after the revision we have of it was taken off in between, and is
        somebody else's. In another epoch revisions say nothing of each other.
        """
        known: dict[str, int] = dict(self._store.query("SELECT id, rev FROM roster"))
        left = known.keys() - {record.id for record in records}
        if self.state().epoch == target.epoch:
            left |= {one.id for one in records if one.id in known and begun(one.text) > known[one.id]}
        return frozenset(left)

    def catch_up(self) -> None:
        """Do nothing: a change of this file is made whole."""

    def confirm(self, at: datetime) -> None:
        """Remember that the property said at `at` that this roster is up to date."""
        with self._store.writing() as (connection, _version):
            connection.execute("UPDATE roster_head SET confirmed_at = ?", (at.isoformat(),))

    def confirmed_at(self) -> datetime | None:
        """Return when the property last confirmed the roster: what a lease is counted from."""
        rows = self._store.query("SELECT confirmed_at FROM roster_head")
        return datetime.fromisoformat(rows[0][0]) if rows and rows[0][0] else None

    def pending(self) -> tuple[str, ...]:
        """Return who was enrolled at this door and is not (yet) in the property's roster."""
        return tuple(sorted(who for who, whose in self._store.query(WHOSE) if whose != SOURCE))

    def certificates(self, after: int = 0) -> dict[str, tuple[str, ...]]:
        """Return the certificates of faces in the records changed after a revision, by resident id.

        A record that cannot be opened has none.
        """
        found: dict[str, tuple[str, ...]] = {}
        for identity, sealed in self._store.query("SELECT id, text FROM roster WHERE rev > ?", after):
            found[identity] = ()
            with suppress(StoreError):
                record = json.loads(opened_text(self._store.sealer, RECORD, identity, sealed))
                found[identity] = tuple(record.get(FACES, ()))
        return found

    def removed(self) -> frozenset[str]:
        """Return whose ids were removed and not given to anybody since."""
        return frozenset(row[0] for row in self._store.query("SELECT resident_id FROM removals"))

    def owe(self, owed: Iterable[OwedWays]) -> None:
        """Note what of people's PINs, cards and passes is still to be taken back."""
        with self._store.writing() as (connection, _version):
            owe(connection, owed)

    def owed_ways(self) -> frozenset[str]:
        """Return whose PINs, cards and passes are still to be taken back."""
        return self._store.owed_ways()

    def ids(self) -> frozenset[str]:
        """Return everybody who is in the roster."""
        return frozenset(row[0] for row in self._store.query("SELECT id FROM roster"))

    def certificates_of(self, resident_id: str) -> tuple[str, ...]:
        """Return the certificates of faces in one record, none when there is none."""
        rows = self._store.query("SELECT text FROM roster WHERE id = ?", resident_id)
        if not rows:
            return ()
        record = json.loads(opened_text(self._store.sealer, RECORD, resident_id, rows[0][0]))
        return tuple(record.get(FACES, ()))

    def ways_ended(self) -> dict[str, int]:
        """Return whose PINs and cards the property has ended, each with the number of its last order."""
        found: dict[str, int] = {}
        for identity, sealed in self._store.query("SELECT id, text FROM roster"):
            with suppress(StoreError):
                if number := ways_ended(opened_text(self._store.sealer, RECORD, identity, sealed)):
                    found[identity] = number
        return found

    def ways_ended_of(self, resident_id: str) -> int | None:
        """Return when somebody's PINs and cards were last ended, 0 for never; None: not in the roster."""
        rows = self._store.query("SELECT text FROM roster WHERE id = ?", resident_id)
        if not rows:
            return None
        return ways_ended(opened_text(self._store.sealer, RECORD, resident_id, rows[0][0]))

    def _apply(self, connection: sqlite3.Connection, change: RosterChange, version: int) -> None:
        if change.resident is None:
            connection.execute("DELETE FROM roster WHERE id = ?", (change.id,))
            _remove(connection, change.id, version)
            return
        checked_resident(change.resident)
        sealer = self._store.sealer
        record = (change.id, change.rev, sealed_text(sealer, RECORD, change.id, change.text))
        connection.execute("INSERT OR REPLACE INTO roster VALUES (?, ?, ?)", record)
        connection.execute("DELETE FROM removals WHERE resident_id = ?", (change.id,))
        connection.execute(
            f"INSERT INTO residents ({RESIDENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
            " ON CONFLICT (id) DO UPDATE SET"
            " name = excluded.name, access_levels = excluded.access_levels, valid_from = excluded.valid_from,"
            " valid_until = excluded.valid_until, extended_unlock = excluded.extended_unlock,"
            " source = excluded.source, version = excluded.version, mark = excluded.mark",
            resident_row(change.resident, sealer, SOURCE, version),
        )

    def _arrive(self, connection: sqlite3.Connection, target: RosterState) -> None:
        """Write the new state, after looking whether it is the one that was announced."""
        count, digest = self._digest(connection)
        if (count, digest) != (target.count, target.digest):
            raise RosterDrift(
                f"roster: {count} records after revision {target.rev}, but not the announced "
                f"{target.count} with digest {target.digest[:12]}; asking for all of it"
            )
        connection.execute(
            "INSERT INTO roster_head (one, epoch, rev, digest) VALUES (1, ?, ?, ?) ON CONFLICT (one) DO"
            " UPDATE SET epoch = excluded.epoch, rev = excluded.rev, digest = excluded.digest",
            (target.epoch, target.rev, target.digest),
        )

    def _digest(self, connection: sqlite3.Connection) -> tuple[int, str]:
        """Return how many records there are, and the digest over them; none when one cannot be opened."""
        rows = connection.execute("SELECT id, rev, text FROM roster").fetchall()
        try:
            records = [
                (identity, rev, opened_text(self._store.sealer, RECORD, identity, sealed))
                for identity, rev, sealed in rows
            ]
        except StoreError:
            return len(rows), ""  # counts as drifted, so the property sends the whole roster again
        return len(rows), roster_digest(records)


def _remove(connection: sqlite3.Connection, identity: str, version: int) -> None:
    if connection.execute("DELETE FROM residents WHERE id = ?", (identity,)).rowcount:
        connection.execute("INSERT OR REPLACE INTO removals VALUES (?, ?)", (identity, version))
