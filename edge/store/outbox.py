"""The journal seen by a sender: which entries have not arrived yet.

Progress lives beside the append-only entries, in the same file, and is written without fsync:
losing it in a power cut only means that some entries are sent again.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edge.errors import JournalUnavailable
from edge.store.chain import Row
from edge.store.database import open_database, transaction
from edge.store.reader import JOURNAL, last_given

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class SqliteOutbox:
    """One consumer's view of the journal at `path`. Implements `ports.Outbox`; any thread.

    Has a connection of its own, so that a sender never holds up the door. Several consumers
    keep separate progress. The journal must exist (`SqliteJournal` makes it). Methods raise
    `JournalUnavailable` when the file cannot be read or written just now.
    """

    def __init__(self, path: Path, consumer: str = "mqtt") -> None:
        self._path = path
        self._consumer = consumer
        self._lock = threading.Lock()
        self._inode = 0
        self._stream = ""
        self._connection: sqlite3.Connection | None = None
        with self._using():
            pass

    @property
    def stream(self) -> str:
        """The journal's stream; another one after a damaged file was replaced."""
        with self._using():
            return self._stream

    def newest(self) -> int:
        """Return the highest committed `seq`, 0 for none."""
        with self._using() as connection:
            return last_given(connection)

    def done_upto(self) -> int:
        """Return the `seq` up to which everything has arrived."""
        sql = "SELECT done_upto FROM delivery WHERE consumer = ?"
        with self._using() as connection:
            row = connection.execute(sql, (self._consumer,)).fetchone()
        return int(row[0]) if row else 0

    def pending(self, after_seq: int, limit: int) -> list[tuple[int, str]]:
        """Return up to `limit` entries above `after_seq`, as they travel."""
        sql = "SELECT seq, id, body, hash FROM events WHERE seq > ? ORDER BY seq LIMIT ?"
        with self._using() as connection:
            rows = connection.execute(sql, (after_seq, limit)).fetchall()
        return [(columns[0], Row(*columns).envelope) for columns in rows]

    def mark_done(self, upto: int) -> None:
        """Remember progress; a lower number than before changes nothing."""
        sql = (
            "INSERT INTO delivery VALUES (?, ?)"
            " ON CONFLICT (consumer) DO UPDATE SET done_upto = max(done_upto, excluded.done_upto)"
        )
        with self._using() as connection, transaction(connection):
            connection.execute(sql, (self._consumer, upto))

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection, self._inode = None, 0

    @contextmanager
    def _using(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._lock:
                yield self._current()
        except (sqlite3.Error, OSError) as error:
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
        # From now on nothing is removed from the journal that this consumer has not got.
        connection.execute("INSERT OR IGNORE INTO delivery VALUES (?, 0)", (self._consumer,))
        self._stream = found[0]
        self._connection, self._inode = connection, self._path.stat().st_ino
        return connection
