"""The consent ledger: who agreed to what, when, and what came of it. Records are never changed back."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from edge.errors import KeyUnavailable, StoreError, StoreUnavailable
from edge.store.consent_rows import (
    COLUMNS,
    CONSENTS,
    FILE_OF_CONSENTS,
    bound_consent,
    columns_of,
    consent_of,
    migrating,
)
from edge.store.key_source import keyring_of
from edge.store.keyring import Keyring
from edge.store.resident_rows import TEMPLATE_COLUMNS, bound_template, to_text
from edge.store.shared import SharedDatabase

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from edge.domain import Consent
    from edge.store.residents import ResidentStore

LOG = logging.getLogger(__name__)

MOST_READ = 50_000
"""Rows remembered: those of the largest roster, changed once and more."""

CONSENTS_FILE = FILE_OF_CONSENTS
"""Its name inside the data folder."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was destroyed of one person: how many templates, and the fingerprint of the key, if any."""

    templates: int
    key_fingerprint: str | None


@dataclass(frozen=True, slots=True)
class FaceAge:
    """Since when a face has not been used: `since` is the door's running time (seconds) at that moment.

    `enrolled` and `last_grant` are marks of the enrolment and of the last grant that were seen, compared
    and never read: another mark is another use.
    """

    enrolled: str
    last_grant: str
    since: float


class ConsentLedger:
    """The consents of one door. Any thread, several processes.

    What a consent says is sealed with the key of the records in the same folder. Of a damaged file
    what can be read goes on: whose consent is lost is not matched. Raises `StoreError` when nothing
    can be read of it, for a backup is worth more then, or the key cannot be had; `is_patient` as in
    `SharedDatabase`.
    """

    def __init__(self, path: Path, *, is_patient: bool = False) -> None:
        self._sealer = keyring_of(path.parent, is_patient=is_patient)
        self._read: dict[tuple[Any, ...], Consent] = {}
        """What rows say that were read before: thousands are asked for whenever one changes."""
        try:
            functions = migrating(self._sealer)
            self._file = SharedDatabase(
                path,
                CONSENTS,
                functions=functions,
                after_mending=(),
                begins_anew=False,
                is_patient=is_patient,
            )
            with suppress(StoreUnavailable):
                self._file.check()
        except BaseException:
            self._sealer.close()
            raise

    @property
    def problem(self) -> str | None:
        """Why nothing can be changed now, None when it can as far as is known."""
        return self._file.problem

    def record(self, consent: Consent) -> None:
        """Store a new consent durably. Raises `StoreError` for an id that is taken."""
        with self._file.writing() as connection:
            # Sealed inside the transaction: the key cannot be changed until the row is committed.
            row = columns_of(consent, self._sealer)
            connection.execute(f"INSERT INTO consents ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", row)  # noqa: S608

    def get(self, consent_id: str) -> Consent | None:
        """Return one consent, or None."""
        found = self._select("WHERE id = ?", consent_id)
        return found[0] if found else None

    def of(self, resident_id: str) -> tuple[Consent, ...]:
        """Return every consent of a resident, oldest first, withdrawn ones too."""
        return self._select("WHERE resident_id = ? ORDER BY given_at, id", resident_id)

    def in_force(self) -> dict[str, Consent]:
        """Return every consent that was not withdrawn, by id."""
        return {consent.id: consent for consent in self._select("WHERE withdrawn_at IS NULL")}

    def mark(self) -> tuple[int, int, int]:
        """Return what changes with every change, by this process or another; costs microseconds."""
        return self._file.mark()

    def withdrawn(self) -> frozenset[str]:
        """Return the residents who have withdrawn and have no consent in force."""
        sql = "SELECT resident_id FROM consents GROUP BY resident_id HAVING sum(withdrawn_at IS NULL) = 0"
        with self._file.using() as connection:
            return frozenset(row[0] for row in connection.execute(sql))

    def withdraw(self, resident_id: str, at: datetime) -> int:
        """Mark every consent of a resident as withdrawn; return how many were in force."""
        sql = (
            "UPDATE consents SET withdrawn_at = ?, mark = NULL WHERE resident_id = ? AND withdrawn_at IS NULL"
        )
        with self._file.writing() as connection:
            connection.execute("DELETE FROM uses WHERE resident_id = ?", (resident_id,))
            connection.execute("DELETE FROM ages WHERE resident_id = ?", (resident_id,))
            return int(connection.execute(sql, (to_text(at), resident_id)).rowcount)

    def end(self, consent_id: str, at: datetime) -> bool:
        """Mark this one consent as withdrawn; False when it was not in force."""
        sql = "UPDATE consents SET withdrawn_at = ?, mark = NULL WHERE id = ? AND withdrawn_at IS NULL"
        with self._file.writing() as connection:
            return bool(connection.execute(sql, (to_text(at), consent_id)).rowcount)

    def supersede(self, newest: Consent, at: datetime) -> tuple[Consent, ...]:
        """End the person's other consents to the same purpose at `at`; return those that were in force.

        A person has one consent for each purpose: the one recorded last. Call it when everything that
        the others covered stands under `newest`.
        """
        older = [
            one
            for one in self.of(newest.resident_id)
            if one.withdrawn_at is None and one.purpose == newest.purpose and one.id != newest.id
        ]
        return tuple(one for one in older if self.end(one.id, at))

    def record_all(self, consents: Iterable[Consent]) -> None:
        """Store consents that were given elsewhere, in one step.

        One that is there stays as it is, and one that has ended does not come back.
        """
        sql = (
            f"INSERT OR IGNORE INTO consents ({COLUMNS}) SELECT ?1, ?2, ?3, ?4, ?5, ?6"  # noqa: S608 - constants
            " WHERE NOT EXISTS (SELECT 1 FROM ended WHERE id = ?1)"
        )
        with self._file.writing() as connection:
            connection.executemany(sql, [columns_of(consent, self._sealer) for consent in consents])

    def end_for_good(self, ids: Iterable[str], at: datetime) -> frozenset[str]:
        """Let these consents never count (again), known here or not; return which are news."""
        rows = [(one, to_text(at)) for one in ids]
        ended = "UPDATE consents SET withdrawn_at = ?, mark = NULL WHERE id = ? AND withdrawn_at IS NULL"
        with self._file.writing() as connection:
            known = _ended(connection)
            connection.executemany("INSERT OR IGNORE INTO ended VALUES (?, ?)", rows)
            connection.executemany(ended, [(when, one) for one, when in rows])
        return frozenset(one for one, _ in rows) - known

    def ended(self) -> frozenset[str]:
        """Return every consent that ended, here or anywhere on the site as far as this door was told."""
        with self._file.using() as connection:
            return _ended(connection)

    def ended_for_good(self) -> frozenset[str]:
        """Return those of them that other doors are told of: consents that named several doors."""
        with self._file.using() as connection:
            return frozenset(row[0] for row in connection.execute("SELECT id FROM ended"))

    def note_uses(self, last_used: Mapping[str, datetime]) -> None:
        """Remember when each face was last let in; an earlier time than is known changes nothing."""
        sql = (
            "INSERT INTO uses VALUES (?, ?)"
            " ON CONFLICT (resident_id) DO UPDATE SET last_used = max(last_used, excluded.last_used)"
        )
        with self._file.writing() as connection:
            connection.executemany(sql, [(who, to_text(at)) for who, at in last_used.items()])

    def last_used(self) -> dict[str, datetime]:
        """Return when each face was last let in, by resident id."""
        with self._file.using() as connection:
            rows = connection.execute("SELECT resident_id, last_used FROM uses").fetchall()
        return {who: datetime.fromisoformat(at) for who, at in rows}

    def ages(self) -> dict[str, FaceAge]:
        """Return since when each face has not been used, by resident id, as it was kept last."""
        with self._file.using() as connection:
            rows = connection.execute("SELECT resident_id, enrolled, last_grant, since FROM ages").fetchall()
        return {who: FaceAge(*columns) for who, *columns in rows}

    def keep_ages(self, ages: Mapping[str, FaceAge]) -> None:
        """Keep these and no others."""
        rows = [(who, age.enrolled, age.last_grant, age.since) for who, age in ages.items()]
        with self._file.writing() as connection:
            connection.execute("DELETE FROM ages")
            connection.executemany("INSERT INTO ages VALUES (?, ?, ?, ?)", rows)

    def renumber(self, was: str, now: str) -> None:
        """Let a resident's consents, ended ones too, be those of another id; an edited one stays behind."""
        sql = f"SELECT {COLUMNS} FROM consents WHERE resident_id = ?"  # noqa: S608 - constants
        with self._file.writing() as connection:
            for row in connection.execute(sql, (was,)).fetchall():
                is_ended = row[3] is not None
                if is_ended or self._sealer.is_ours(bound_consent(row), row[5]):
                    mark = None if is_ended else self._sealer.bind(bound_consent((row[0], now, *row[2:])))
                    update = "UPDATE consents SET resident_id = ?, mark = ? WHERE id = ?"
                    connection.execute(update, (now, mark, row[0]))
            for table in ("uses", "ages"):
                moved = f"UPDATE OR REPLACE {table} SET resident_id = ? WHERE resident_id = ?"  # noqa: S608
                connection.execute(moved, (now, was))

    def complete_receipt(self, resident_id: str, receipt: str) -> None:
        """Store the later receipt, which says that every door has answered, in place of the newest one.

        Receipts of earlier withdrawals stay: each is the proof of its own.
        """
        first = self.receipt_of(resident_id)
        sql = "UPDATE consents SET receipt = ? WHERE resident_id = ? AND receipt = ?"
        with self._file.writing() as connection:
            connection.execute(sql, (receipt, resident_id, first))

    def keep_receipt(self, resident_id: str, receipt: str) -> None:
        """Store the receipt of a withdrawal beside the consents it ended."""
        sql = (
            "UPDATE consents SET receipt = ?"
            " WHERE resident_id = ? AND receipt IS NULL AND withdrawn_at NOT NULL"
        )
        with self._file.writing() as connection:
            connection.execute(sql, (receipt, resident_id))

    def receipt_of(self, resident_id: str) -> str | None:
        """Return the newest receipt of a withdrawal, or None."""
        sql = (
            "SELECT receipt FROM consents WHERE resident_id = ? AND receipt NOT NULL"
            " ORDER BY withdrawn_at DESC LIMIT 1"
        )
        with self._file.using() as connection:
            row = connection.execute(sql, (resident_id,)).fetchone()
        return None if row is None else str(row[0])

    def close(self) -> None:
        """Close the files. Safe to call twice."""
        self._sealer.close()
        self._file.close()

    def _select(self, where: str, *values: object) -> tuple[Consent, ...]:
        with self._file.using() as connection:
            rows = connection.execute(f"SELECT {COLUMNS} FROM consents {where}", values).fetchall()  # noqa: S608 - constants
        if len(self._read) > MOST_READ:
            self._read.clear()
        return tuple(self._readable(rows))

    def _readable(self, rows: Iterable[tuple[Any, ...]]) -> Iterator[Consent]:
        """Give the consents that can be read; one that cannot is none, and costs nobody else's."""
        for row in rows:
            try:
                if (known := self._read.get(row)) is None:
                    known = self._read[row] = consent_of(row, self._sealer)
                yield known
            except KeyUnavailable:
                raise
            except StoreError as error:
                LOG.error("consent %s of %s cannot be read, record it anew: %s", *row[:2], error)  # noqa: TRY400


def _ended(connection: sqlite3.Connection) -> frozenset[str]:
    sql = "SELECT id FROM ended UNION SELECT id FROM consents WHERE withdrawn_at NOT NULL"
    return frozenset(row[0] for row in connection.execute(sql))


def bind_consent(store: ResidentStore, consent: Consent) -> int:
    """Put a resident's templates under this consent and return how many; a running door follows."""
    rows = f"SELECT {TEMPLATE_COLUMNS}, id FROM templates WHERE resident_id = ?"  # noqa: S608
    with store.writing() as (connection, version):
        bound = 0
        for *row, number in connection.execute(rows, (consent.resident_id,)).fetchall():
            if store.sealer.is_ours(bound_template(tuple(row)), row[-1]):
                row[3], sql = consent.id, "UPDATE templates SET consent_id = ?, mark = ? WHERE id = ?"
                mark = store.sealer.bind(bound_template(tuple(row)))
                bound += connection.execute(sql, (consent.id, mark, number)).rowcount
        connection.execute("UPDATE residents SET version = ? WHERE id = ?", (version, consent.resident_id))
    return bound


def erase_faces_under(store: ResidentStore, consents: Iterable[str]) -> dict[str, int]:
    """Erase the templates under these consents, and the key of who then has none; return whose, how many."""
    gone: dict[str, int] = {}
    sql = "DELETE FROM templates WHERE consent_id = ? RETURNING resident_id"
    with store.writing() as (connection, version):
        for consent in consents:
            for (who,) in connection.execute(sql, (consent,)).fetchall():
                gone[who] = gone.get(who, 0) + 1
        for who in gone:
            connection.execute("UPDATE residents SET version = ? WHERE id = ?", (version, who))
    store.forget_old_pages()
    with store.faceless(gone) as faceless:
        if faceless:
            store.sealer.forget_all(faceless)
    return gone


def people_with_faces(store: ResidentStore) -> frozenset[str]:
    """Return the residents of whom there is a template, or a key that opens one."""
    rows = store.query("SELECT DISTINCT resident_id FROM templates")
    keys = store.sealer.people() if isinstance(store.sealer, Keyring) else ()
    return frozenset(row[0] for row in rows) | frozenset(keys)


def erase_face(store: ResidentStore, resident_id: str, as_of: int | None = None) -> Erasure:
    """Erase every template of a resident and destroy the key; PIN and card go on working.

    With `as_of`, a version of the store, nothing is erased of somebody who was changed since.
    Rows first, key last: a power cut in between leaves a key without templates, never the reverse.
    The key stays where the person has been enrolled again in between: it opens their new face.
    """
    with store.writing() as (connection, version):
        was = connection.execute("SELECT version FROM residents WHERE id = ?", (resident_id,)).fetchone()
        if as_of is not None and (was is None or was[0] > as_of):
            return Erasure(0, None)
        gone = connection.execute("DELETE FROM templates WHERE resident_id = ?", (resident_id,)).rowcount
        connection.execute("UPDATE residents SET version = ? WHERE id = ?", (version, resident_id))
    store.forget_old_pages()
    with store.faceless([resident_id]) as faceless:
        return Erasure(gone, store.sealer.forget(resident_id) if faceless else None)
