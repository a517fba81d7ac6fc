"""The consent ledger: who agreed to what, when, and what came of it. Records are never changed back."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from edge.domain import Consent
from edge.errors import StoreError
from edge.store.database import Schema, open_database, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from edge.store.residents import ResidentStore

CONSENTS_FILE = "consents.db"
"""Its name inside the data folder."""

CONSENTS = Schema(
    name="consent ledger",
    application_id=0x46474C31,  # "FGL1"
    migrations=(
        (
            """CREATE TABLE consents (
                id TEXT PRIMARY KEY,
                resident_id TEXT NOT NULL,
                given_at TEXT NOT NULL,
                notice TEXT NOT NULL,
                language TEXT NOT NULL,
                purpose TEXT NOT NULL,
                recorded_by TEXT NOT NULL,
                is_minor INTEGER NOT NULL,
                guardian TEXT,
                withdrawn_at TEXT,
                receipt TEXT)""",
            "CREATE INDEX consents_by_resident ON consents (resident_id)",
        ),
        # When a face was last let in: journal entries go sooner than the year a face may be unused.
        ("CREATE TABLE uses (resident_id TEXT PRIMARY KEY, last_used TEXT NOT NULL)",),
    ),
)

COLUMNS = (
    "id, resident_id, given_at, notice, language, purpose, recorded_by, is_minor, guardian, withdrawn_at"
)


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was destroyed of one person: how many templates, and the fingerprint of the key, if any."""

    templates: int
    key_fingerprint: str | None


class ConsentLedger:
    """The consents of one door. Any thread, several processes. Raises `StoreError` when damaged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection = open_database(path, CONSENTS)

    def record(self, consent: Consent) -> None:
        """Store a new consent durably. Raises `StoreError` for an id that is taken."""
        row = (
            consent.id,
            consent.resident_id,
            _to_text(consent.given_at),
            consent.notice,
            consent.language,
            consent.purpose,
            consent.recorded_by,
            int(consent.is_minor),
            consent.guardian,
        )
        with self._using() as connection, transaction(connection):
            connection.execute("INSERT INTO consents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)", row)

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

    def mark(self) -> tuple[int, int]:
        """Return what changes with every change, by this process or another; costs microseconds."""
        with self._using() as connection:
            (others,) = connection.execute("PRAGMA data_version").fetchone()
            return int(others), connection.total_changes

    def withdraw(self, resident_id: str, at: datetime) -> int:
        """Mark every consent of a resident as withdrawn; return how many were in force."""
        sql = "UPDATE consents SET withdrawn_at = ? WHERE resident_id = ? AND withdrawn_at IS NULL"
        with self._using() as connection, transaction(connection):
            connection.execute("DELETE FROM uses WHERE resident_id = ?", (resident_id,))
            return int(connection.execute(sql, (_to_text(at), resident_id)).rowcount)

    def note_uses(self, last_used: Mapping[str, datetime]) -> None:
        """Remember when each face was last let in; an earlier time than is known changes nothing."""
        sql = (
            "INSERT INTO uses VALUES (?, ?)"
            " ON CONFLICT (resident_id) DO UPDATE SET last_used = max(last_used, excluded.last_used)"
        )
        with self._using() as connection, transaction(connection):
            connection.executemany(sql, [(who, _to_text(at)) for who, at in last_used.items()])

    def last_used(self) -> dict[str, datetime]:
        """Return when each face was last let in, by resident id."""
        with self._using() as connection:
            rows = connection.execute("SELECT resident_id, last_used FROM uses").fetchall()
        return {who: datetime.fromisoformat(at) for who, at in rows}

    def keep_receipt(self, resident_id: str, receipt: str) -> None:
        """Store the receipt of a withdrawal beside the consents it ended."""
        sql = (
            "UPDATE consents SET receipt = ?"
            " WHERE resident_id = ? AND receipt IS NULL AND withdrawn_at NOT NULL"
        )
        with self._using() as connection, transaction(connection):
            connection.execute(sql, (receipt, resident_id))

    def receipt_of(self, resident_id: str) -> str | None:
        """Return the newest receipt of a withdrawal, or None."""
        sql = (
            "SELECT receipt FROM consents WHERE resident_id = ? AND receipt NOT NULL"
            " ORDER BY withdrawn_at DESC LIMIT 1"
        )
        with self._using() as connection:
            row = connection.execute(sql, (resident_id,)).fetchone()
        return None if row is None else str(row[0])

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        with self._lock:
            self._connection.close()

    def _select(self, where: str, *values: object) -> tuple[Consent, ...]:
        with self._using() as connection:
            rows = connection.execute(f"SELECT {COLUMNS} FROM consents {where}", values).fetchall()  # noqa: S608 - constants
        return tuple(_consent(row) for row in rows)

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._lock:
                yield self._connection
        except sqlite3.Error as error:
            raise StoreError(f"{self._path}: cannot use the consent ledger: {error}") from error


def bind_consent(store: ResidentStore, consent: Consent) -> int:
    """Put a resident's templates under this consent and return how many; a running door follows."""
    sql = "UPDATE templates SET consent_id = ? WHERE resident_id = ?"
    with store.writing() as (connection, version):
        bound = connection.execute(sql, (consent.id, consent.resident_id)).rowcount
        connection.execute("UPDATE residents SET version = ? WHERE id = ?", (version, consent.resident_id))
    return int(bound)


def erase_face(store: ResidentStore, resident_id: str) -> Erasure:
    """Erase every template of a resident and destroy the key; PIN and card go on working.

    Rows first, key last: a power cut in between leaves a key without templates, never the reverse.
    """
    with store.writing() as (connection, version):
        gone = connection.execute("DELETE FROM templates WHERE resident_id = ?", (resident_id,)).rowcount
        connection.execute("UPDATE residents SET version = ? WHERE id = ?", (version, resident_id))
    store.forget_old_pages()
    return Erasure(gone, store.sealer.forget(resident_id))


def _consent(row: tuple[Any, ...]) -> Consent:
    identity, resident_id, given_at, notice, language, purpose, by, is_minor, guardian, withdrawn_at = row
    return Consent(
        identity,
        resident_id,
        datetime.fromisoformat(given_at),
        notice,
        language,
        purpose,
        by,
        is_minor=bool(is_minor),
        guardian=guardian,
        withdrawn_at=None if withdrawn_at is None else datetime.fromisoformat(withdrawn_at),
    )


def _to_text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()
