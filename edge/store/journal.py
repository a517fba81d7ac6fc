"""The append-only record of door events: committed before the relay moves, chained, never changed."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from edge.domain import EventDraft
from edge.errors import JournalUnavailable, StoreDamaged, StoreError
from edge.store.chain import GENESIS, Link, Row, Stamp, forge, to_event
from edge.store.database import open_database, quarantine, transaction
from edge.store.ids import uuid7
from edge.store.reader import JOURNAL, JournalReader, last_given

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.domain import DoorEvent

LOG = logging.getLogger(__name__)


class SqliteJournal:
    """The journal of one door, in one SQLite file. Implements `ports.Journal`; any thread.

    `boot` names this run, `clock_trust` answers `synced`, `restored` or `unknown` at the moment
    of an event, `new_id` makes an id for an instant, `relief` is asked to make room on a full disk
    (see `Retention.make_room`) and says whether to try again. A new file starts a new `stream`, so a
    replaced card can never repeat a number. Several processes may append to one file.

    One commit with its fsync took 4.0 ms p50, 9.6 ms p99 (2,000 events, a busy two-core virtual machine).
    A damaged file is kept under another name (`quarantine`) and a new stream begins, whose first
    event says so. Raises `StoreError` when the file is foreign or newer.
    """

    def __init__(
        self,
        path: Path,
        door_id: str,
        *,
        boot: str,
        clock_trust: Callable[[], str],
        new_id: Callable[[datetime], str] = uuid7,
        relief: Callable[[], bool] = lambda: False,
    ) -> None:
        self._path = path
        self._door_id = door_id
        self._boot = boot
        self._clock_trust = clock_trust
        self._new_id = new_id
        self._relief = relief
        self._lock = threading.Lock()
        try:
            self._open()
        except StoreDamaged as error:
            self._begin_anew(error)

    def append(self, draft: EventDraft) -> DoorEvent:
        """Commit `draft` durably and return it numbered and chained.

        Raises `JournalUnavailable` when it cannot be stored (disk full, file removed, locked by
        another process for two seconds), `EventRefused` when it must not be.
        """
        try:
            return self._commit(draft)
        except sqlite3.Error as error:
            return self._commit_after(error, draft)

    def read(self, after_seq: int = 0, limit: int = 100) -> list[DoorEvent]:
        """Return up to `limit` events with `seq` above `after_seq`, oldest first."""
        return self._reader.read(after_seq, limit)

    def last(self) -> DoorEvent | None:
        """Return the newest event, or None while there is none."""
        return self._reader.last()

    def verify(self) -> int:
        """Return the number of entries, or raise `JournalTampered` naming the first bad one."""
        return self._reader.verify()

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        self._reader.close()
        with self._lock:
            self._connection.close()  # the last one to close folds the log into the file

    def _commit(self, draft: EventDraft) -> DoorEvent:
        with self._lock, transaction(self._connection):
            row = self._forge(draft)
            self._connection.execute(
                "INSERT INTO events (seq, id, body, hash) VALUES (?, ?, ?, ?)",
                (row.seq, row.id, row.body, row.hash),
            )
            # Checked before COMMIT: rows in a file that nobody can find any more are lost.
            self._require_file()
        return to_event(row)

    def _commit_after(self, error: sqlite3.Error, draft: EventDraft) -> DoorEvent:
        """Try once more when something can be done about the failure."""
        try:
            if _is_damaged(error):
                self.close()
                self._begin_anew(error)
                return self._commit(draft)
            if _is_full(error) and self._relief():
                return self._commit(draft)
        except (sqlite3.Error, StoreError, OSError) as again:
            raise self._unavailable(draft, again) from again
        raise self._unavailable(draft, error) from error

    def _open(self) -> None:
        self._connection = open_database(self._path, JOURNAL)
        self._begin_stream()
        self._reader = JournalReader(self._path)
        self.stream = self._reader.stream

    def _begin_anew(self, error: Exception) -> None:
        """Keep the damaged file under another name and go on with a new stream that says so."""
        at = datetime.now(UTC)
        kept = quarantine(self._path, at)
        LOG.error("journal damaged (%s); kept as %s, a new one begins", error, kept.name)
        self._open()
        data = {"kept": kept.name, "error": str(error)[:200]}
        self._commit(EventDraft("journal.quarantined", at, time.monotonic(), data=data))

    def _unavailable(self, draft: EventDraft, error: Exception) -> JournalUnavailable:
        return JournalUnavailable(f"{self._path}: cannot store {draft.kind}: {error}")

    def _begin_stream(self) -> None:
        stream = self._new_id(datetime.now(UTC))
        try:
            self._connection.execute("INSERT OR IGNORE INTO origin VALUES (1, ?, 0, ?)", (stream, GENESIS))
        except sqlite3.Error as error:
            self._connection.close()
            raise JournalUnavailable(f"{self._path}: cannot begin the journal: {error}") from error

    def _forge(self, draft: EventDraft) -> Row:
        stamp = Stamp(self.stream, self._boot, self._clock_trust(), self._door_id)
        return forge(draft, self._new_id(draft.at), stamp, self._end())

    def _end(self) -> Link:
        """Return what the next entry follows: the highest number given, the hash before it."""
        row = self._connection.execute("SELECT hash FROM events ORDER BY seq DESC LIMIT 1").fetchone()
        if row is None:
            row = self._connection.execute("SELECT pruned_hash FROM origin").fetchone()
        return Link(last_given(self._connection), row[0])

    def _require_file(self) -> None:
        if not self._path.exists():
            raise sqlite3.OperationalError("the file was removed; restart facegate to begin a new journal")


def _is_full(error: sqlite3.Error) -> bool:
    """Say whether room on the disk may be what is missing; without it the log cannot grow either."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}


def _is_damaged(error: sqlite3.Error) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
