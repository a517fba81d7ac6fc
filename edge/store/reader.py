"""Reading the journal: by the service, by another process, and to verify it."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeAlias

from edge.errors import JournalTampered, JournalUnavailable, StoreError
from edge.store.card import is_damage
from edge.store.chain import GENESIS, ChainRow, Link, check_chain, to_event
from edge.store.database import Schema, open_read_only, refusals

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from edge.domain import DoorEvent

Rows: TypeAlias = list[tuple[int, str, str, str]]

JOURNAL_FILE = "journal.db"
"""Its name inside the data folder."""

JOURNAL = Schema(
    name="journal",
    application_id=0x46474A31,  # "FGJ1"
    migrations=(
        (
            # AUTOINCREMENT: a number is never given twice, even after the last row was removed.
            """CREATE TABLE events (
                seq INTEGER PRIMARY KEY AUTOINCREMENT,
                id TEXT NOT NULL UNIQUE,
                body TEXT NOT NULL,
                hash TEXT NOT NULL)""",
            """CREATE TABLE origin (
                one INTEGER PRIMARY KEY CHECK (one = 1),
                stream TEXT NOT NULL,
                pruned_upto INTEGER NOT NULL,
                pruned_hash TEXT NOT NULL)""",
            "CREATE TABLE delivery (consumer TEXT PRIMARY KEY, done_upto INTEGER NOT NULL)",
            """CREATE TRIGGER events_are_final BEFORE UPDATE ON events
                BEGIN SELECT raise(ABORT, 'journal entries are never changed'); END""",
            """CREATE TRIGGER events_are_kept BEFORE DELETE ON events
                WHEN old.seq > (SELECT pruned_upto FROM origin)
                BEGIN SELECT raise(ABORT, 'journal entries are only removed by retention'); END""",
        ),
    ),
)


BEFORE_THE_FIRST_START = (
    "it begins when the door is first started (facegate run). Who was enrolled before that, when and by "
    "whom, is no event: facegate consent list and facegate enrol list tell"
)
"""An entry bears the door's name, which only its settings know: earlier commands write none."""


@dataclass(frozen=True, slots=True)
class LastGrant:
    """A grant: `mark` names the entry, `at` is what the wall clock said (UTC)."""

    mark: str
    at: datetime


class JournalReader:
    """A journal, looked at. Any thread; never blocks the process that writes it.

    Raises `StoreError` when there is no readable journal at `path`.
    """

    def __init__(self, path: Path) -> None:
        if path.parent.is_dir() and not path.exists():
            raise StoreError(f"{path}: there is no journal yet; {BEFORE_THE_FIRST_START}")
        self._path = path
        self._lock = threading.Lock()
        self._connection = open_read_only(path, JOURNAL)
        try:
            with refusals(path, JOURNAL):
                self.stream = self._origin(self._connection)[0]
        except BaseException:
            self._connection.close()
            raise

    def read(self, after_seq: int = 0, limit: int = 100) -> list[DoorEvent]:
        """Return up to `limit` events with `seq` above `after_seq`, oldest first.

        Raises `JournalUnavailable` when the file cannot be read, `JournalTampered` when an
        entry is no longer an event.
        """
        return [to_event(row) for row in self.rows(after_seq, limit)]

    def rows(self, after_seq: int, limit: int) -> list[ChainRow]:
        """Return the same entries as they are stored."""
        sql = "SELECT seq, id, body, hash FROM events WHERE seq > ? ORDER BY seq LIMIT ?"
        with self._lock, self._unavailable():
            found: Rows = self._connection.execute(sql, (after_seq, limit)).fetchall()
        return [ChainRow(*columns) for columns in found]

    def of_kind(self, kind: str, limit: int = 100) -> list[DoorEvent]:
        """Return the newest `limit` events of `kind`, oldest first. Reads the whole journal."""
        sql = (
            f"SELECT seq, id, body, hash FROM events WHERE {field_of('$.type')} = ?"  # noqa: S608 - constants
            " ORDER BY seq DESC LIMIT ?"
        )
        with self._lock, self._unavailable():
            found: Rows = self._connection.execute(sql, (kind, limit)).fetchall()
        return [to_event(ChainRow(*columns)) for columns in reversed(found)]

    def refused_at(self, methods: Collection[str], among: int) -> list[DoorEvent]:
        """Return who was refused by one of these methods in the newest `among` entries, oldest first."""
        sql = (
            f"SELECT seq, id, body, hash FROM events WHERE {field_of('$.type')} = 'access.denied'"  # noqa: S608 - constants
            f" AND {field_of('$.data.method')} IN (SELECT value FROM json_each(?))"
            " AND seq > (SELECT max(seq) FROM events) - ? ORDER BY seq"
        )
        with self._lock, self._unavailable():
            found: Rows = self._connection.execute(sql, (json.dumps(list(methods)), among)).fetchall()
        return [to_event(ChainRow(*columns)) for columns in found]

    def last_grants(self, methods: Collection[str]) -> dict[str, LastGrant]:
        """Return the newest grant of each resident by one of `methods`. Reads the whole journal.

        Newest by number, not by the clock. SQLite does the work, without holding up other threads.
        """
        sql = (
            f"SELECT {field_of('$.resident')} AS who, max(seq), {field_of('$.ts')} FROM events"  # noqa: S608 - constants
            f" WHERE {field_of('$.type')} = 'access.granted' AND who IS NOT NULL"
            f" AND {field_of('$.data.method')} IN (SELECT value FROM json_each(?)) GROUP BY who"
        )
        with self._lock, self._unavailable():
            found = self._connection.execute(sql, (json.dumps(list(methods)),)).fetchall()
        return {who: LastGrant(f"{self.stream}:{seq}", datetime.fromisoformat(at)) for who, seq, at in found}

    def last(self) -> DoorEvent | None:
        """Return the newest event, or None while there is none."""
        with self._lock, self._unavailable():
            (seq,) = self._connection.execute("SELECT max(seq) FROM events").fetchone()
        return None if seq is None else self.read(seq - 1, 1)[0]

    def verify(self) -> int:
        """Return how many entries there are after checking each one against the chain.

        Raises `JournalTampered` naming the first bad entry. A removed tail is seen only when it
        was removed carelessly (the file still remembers the last number it gave); the side that
        received the events knows for certain.
        """
        with closing(open_read_only(self._path, JOURNAL)) as connection, self._unavailable():
            connection.execute("BEGIN")  # one snapshot, whatever is appended or pruned meanwhile
            stream, upto, pruned_hash = self._origin(connection)
            link = check_chain(_all_rows(connection, upto), stream, Link(upto, pruned_hash))
            if (given := last_given(connection)) > link.seq:
                raise JournalTampered(f"entry {link.seq + 1} is missing: the journal once ended with {given}")
            return link.seq - upto

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._connection.close()

    def _origin(self, connection: sqlite3.Connection) -> tuple[str, int, str]:
        row = connection.execute("SELECT stream, pruned_upto, pruned_hash FROM origin").fetchone()
        if row is None:
            raise StoreError(f"{self._path}: the journal has no origin; it was tampered with or cut short")
        return row[0], int(row[1]), row[2] or GENESIS

    @contextmanager
    def _unavailable(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise JournalUnavailable(f"{self._path}: cannot read the journal: {error}") from error


def field_of(path: str) -> str:
    """Return SQL for a field of an entry; of one that is damaged it is NULL, which costs no other entry."""
    return f"CASE WHEN json_valid(body) THEN json_extract(body, '{path}') END"


def _all_rows(connection: sqlite3.Connection, upto: int) -> Iterator[ChainRow]:
    """Give every entry; the first on a damaged page raises `JournalTampered` with its number."""
    seq = upto
    try:
        for columns in connection.execute("SELECT seq, id, body, hash FROM events ORDER BY seq"):
            yield ChainRow(*columns)
            seq = columns[0]
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        raise JournalTampered(f"entry {seq + 1} cannot be read: the file is damaged there") from error


def last_given(connection: sqlite3.Connection) -> int:
    """Return the highest `seq` this journal ever gave, 0 for none."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return int(row[0]) if row else 0
