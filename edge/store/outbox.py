"""The journal seen by a sender: which entries have not arrived yet.

Progress lives beside the append-only entries, in the same file, and is written without fsync:
losing it in a power cut only means that some entries are sent again.
"""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING, TypeVar

from edge.aside import Aside
from edge.errors import JournalUnavailable, StoreDamaged, StoreUnavailable
from edge.store.card import is_damage
from edge.store.chain import GENESIS, ChainRow, Link
from edge.store.damaged_entry import is_sendable, stand_in
from edge.store.database import open_database, transaction
from edge.store.reader import JOURNAL, last_given

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

T = TypeVar("T")

DEADLINE_SECONDS = 2.0
"""A slow card takes a second for what is sent at once. One that hangs must hold up neither the start nor
commands, which travel beside the events."""


class SqliteOutbox:
    """One consumer's view of the journal at `path`. Implements `ports.Outbox`; any thread.

    Has a connection of its own, so that a sender never holds up the door. Several consumers
    keep separate progress. The journal must exist (`SqliteJournal` makes it). Methods raise
    `JournalUnavailable` when the file cannot be read or written just now, also where the card hangs; so does
    making one, unless it `is_patient`.
    """

    def __init__(self, path: Path, consumer: str = "mqtt", *, is_patient: bool = False) -> None:
        self._path = path
        self._consumer = consumer
        self._aside = Aside("outbox", DEADLINE_SECONDS)
        self._lock = threading.Lock()
        self._inode = 0
        self._stream = ""
        self._connection: sqlite3.Connection | None = None
        try:
            self._ask(lambda _connection: None)
        except JournalUnavailable:
            if not is_patient:
                raise

    @property
    def stream(self) -> str:
        """The journal's stream; another one after a damaged file was replaced."""
        return self._ask(lambda _connection: self._stream)

    def newest(self) -> int:
        """Return the highest committed `seq`, 0 for none."""
        return self._ask(last_given)

    def done_upto(self) -> int:
        """Return the `seq` up to which everything has arrived."""
        sql = "SELECT done_upto FROM delivery WHERE consumer = ?"
        row = self._ask(lambda connection: connection.execute(sql, (self._consumer,)).fetchone())
        return int(row[0]) if row else 0

    def pending(self, after_seq: int, limit: int) -> list[tuple[int, str]]:
        """Return up to `limit` entries above `after_seq`, as they travel, without a gap.

        One that cannot be read any more is there as `journal.damaged`.
        """
        return self._ask(lambda connection: self._pending(connection, after_seq, limit))

    def _pending(self, connection: sqlite3.Connection, after_seq: int, limit: int) -> list[tuple[int, str]]:
        pruned, pruned_hash = connection.execute("SELECT pruned_upto, pruned_hash FROM origin").fetchone()
        before = Link(pruned, pruned_hash)
        if after_seq > pruned:
            before = Link(after_seq, self._hash_of(connection, after_seq))
        upto = min(before.seq + limit, last_given(connection))
        found = _readable_rows(connection, before.seq, upto)
        return [(row.seq, row.envelope) for row in self._without_gap(found, before, upto)]

    def _without_gap(self, found: dict[int, ChainRow], before: Link, upto: int) -> Iterator[ChainRow]:
        for seq in range(before.seq + 1, upto + 1):
            row = found.get(seq)
            if row is not None and is_sendable(row, self._stream):
                before = Link(seq, row.hash)
                yield row
            else:
                yield stand_in(self._stream, before)
                before = Link(seq)

    def _hash_of(self, connection: sqlite3.Connection, seq: int) -> str:
        row = _readable_rows(connection, seq - 1, seq).get(seq)
        return row.hash if row is not None and is_sendable(row, self._stream) else GENESIS

    def mark_done(self, upto: int) -> None:
        """Remember progress; a lower number than before changes nothing."""
        sql = (
            "INSERT INTO delivery VALUES (?, ?)"
            " ON CONFLICT (consumer) DO UPDATE SET done_upto = max(done_upto, excluded.done_upto)"
        )

        def mark(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                connection.execute(sql, (self._consumer, upto))

        self._ask(mark)

    def close(self) -> None:
        """Close the file; the next use opens it again. One that a hanging card still reads stays open."""
        if self._lock.acquire(timeout=DEADLINE_SECONDS):
            try:
                self._close()
            finally:
                self._lock.release()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection, self._inode = None, 0

    def _ask(self, call: Callable[[sqlite3.Connection], T]) -> T:
        """Return what `call` makes of the journal."""

        def look() -> T:
            with self._lock:
                return call(self._current())

        try:
            return self._aside.ask(look)
        except (sqlite3.Error, OSError, StoreUnavailable, StoreDamaged) as error:  # `TooSlow` is an OSError
            raise JournalUnavailable(f"{self._path}: the outbox failed: {error}") from error

    def _current(self) -> sqlite3.Connection:
        """Return a connection to the file that has the name now: a damaged one was moved away."""
        if self._connection is not None and self._path.stat().st_ino == self._inode:
            return self._connection
        self._close()
        connection = open_database(self._path, JOURNAL, synchronous="NORMAL")
        found = connection.execute("SELECT stream FROM origin").fetchone()
        if found is None:
            connection.close()
            raise JournalUnavailable(
                f"{self._path}: no journal has been begun here; open SqliteJournal first"
            )
        # From now on retention keeps every entry that this consumer has not confirmed.
        connection.execute("INSERT OR IGNORE INTO delivery VALUES (?, 0)", (self._consumer,))
        self._stream = found[0]
        self._connection, self._inode = connection, self._path.stat().st_ino
        return connection


def _readable_rows(connection: sqlite3.Connection, after_seq: int, upto: int) -> dict[int, ChainRow]:
    """Return the entries above `after_seq` up to `upto` by number, but those on damaged pages."""
    sql = "SELECT seq, id, body, hash FROM events WHERE seq > ? AND seq <= ? ORDER BY seq"
    try:
        return {columns[0]: ChainRow(*columns) for columns in connection.execute(sql, (after_seq, upto))}
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        if upto == after_seq + 1:
            return {}
    # Damage makes a whole range fail. It is halved until only the unreadable entries are left out.
    middle = (after_seq + upto) // 2
    return _readable_rows(connection, after_seq, middle) | _readable_rows(connection, middle, upto)
