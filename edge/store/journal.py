"""The append-only record of door events: committed before the relay moves, chained, never changed."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from edge.domain import EventDraft
from edge.errors import JournalUnavailable, StoreDamaged, StoreError, StoreUnavailable
from edge.events import Kind
from edge.store.card import is_damage, is_full, leaves_usable
from edge.store.chain import GENESIS, ChainRow, Link, Stamp, forge, to_event
from edge.store.database import NO_FUNCTIONS, open_database, transaction
from edge.store.ids import uuid7
from edge.store.journal_salvage import salvage_journal
from edge.store.reader import JOURNAL, JournalReader, last_given
from edge.store.salvage import replace_damaged

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.domain import DoorEvent
    from edge.store.mended import Mended
    from edge.store.retention import FreedSpace

LOG = logging.getLogger(__name__)


class SqliteJournal:
    """The journal of one door, in one SQLite file. Implements `ports.Journal`; any thread.

    `boot` names this run, `clock_trust` answers `synced`, `restored` or `unknown` at the moment
    of an event, `new_id` makes an id for an instant, `relief` is asked to make room on a full disk, step
    by step (see `Retention.make_room`): what it gave up, None when nothing is left to give. A new file
    starts a new `stream`, so a replaced card can never repeat a number. Several processes may append
    to one file.

    One commit with its fsync took 4.0 ms p50, 9.6 ms p99 (2,000 events, a busy two-core virtual machine).
    After a failure the file is opened afresh by the next `append`. A damaged file is kept under another
    name once a fresh look says so; its entries that can be read go on in a new one, and the next event says
    so (`edge.store.journal_salvage`). Raises `StoreError` when the file is foreign, newer or cannot be
    opened now.
    """

    def __init__(
        self,
        path: Path,
        door_id: str,
        *,
        boot: str,
        clock_trust: Callable[[], str],
        new_id: Callable[[datetime], str] = uuid7,
        relief: Callable[[], FreedSpace | None] = lambda: None,
    ) -> None:
        self._path = path
        self._door_id = door_id
        self._boot = boot
        self._clock_trust = clock_trust
        self._new_id = new_id
        self._relief = relief
        self._lock = threading.Lock()
        self._is_open = False
        self._owed: list[EventDraft] = []
        self._doubtful: tuple[EventDraft, ChainRow] | None = None
        self._open_whole()

    def append(self, draft: EventDraft) -> DoorEvent:
        """Commit `draft` durably and return it numbered and chained.

        Raises `JournalUnavailable` when it cannot be stored now (disk full or failing, file removed,
        locked by another process for two seconds). A draft that
        is given again after a failure is stored once, also when the disk had taken it after all.
        """
        with self._lock:
            try:
                return self._append_again_after_a_fault(draft)
            except (sqlite3.Error, StoreError, OSError) as error:
                if not leaves_usable(error):
                    self._drop()
                raise JournalUnavailable(f"{self._path}: cannot store {draft.kind}: {error}") from error

    def disown(self, event: DoorEvent) -> None:
        """Have the next event say that `event` was stored too late and counted as not stored at the door."""
        with self._lock:
            self._owe(Kind.JOURNAL_LATE, {"entry": event.seq, "kind": event.kind})

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
        with self._lock:
            self._close()

    def _append_again_after_a_fault(self, draft: EventDraft) -> DoorEvent:
        """Store `draft`; after a first I/O error in a file opened afresh, as most of them pass at once."""
        try:
            return self._append(draft)
        except sqlite3.Error as error:
            if leaves_usable(error):
                raise
        self._drop()
        return self._append(draft)

    def _append(self, draft: EventDraft) -> DoorEvent:
        if not self._is_open:
            self._open_whole()
        # First what an earlier failure left open: the same draft must not be stored twice.
        event = self._settled(draft) or self._commit_somehow(draft)
        # The journal's own events come after it: a visitor waits for this entry, not for those.
        self._pay()
        return event

    def _commit_somehow(self, draft: EventDraft) -> DoorEvent:
        """Commit, once more after each thing that was done about a failure. Raises what is left."""
        while True:
            try:
                return self._commit(draft)
            except sqlite3.Error as error:
                # Room cures no damage: then the file is replaced.
                if is_damage(error):
                    break
                # Each turn gives something up, so this ends when nothing is left to give.
                if not is_full(error, self._path.parent) or (relief := self._relief()) is None:
                    raise
                self._owe(Kind.JOURNAL_RELIEVED, relief.told())
        self._mend()
        return self._commit(draft)

    def _commit(self, draft: EventDraft) -> DoorEvent:
        with transaction(self._connection):
            row = self._forge(draft)
            # From here on a failure does not tell whether the disk took the row: `_settled` looks later.
            self._doubtful = draft, row
            self._connection.execute(
                "INSERT INTO events (seq, id, body, hash) VALUES (?, ?, ?, ?)",
                (row.seq, row.id, row.body, row.hash),
            )
            # Checked before COMMIT. SQLite would go on writing to a file that was deleted, and its rows would
            # be lost with the last descriptor.
            self._require_file()
        self._doubtful = None
        return to_event(row)

    def _settled(self, draft: EventDraft) -> DoorEvent | None:
        """Return the event of a draft whose commit failed and that the disk had taken all the same.

        After a failed fsync the kernel may still write the pages later. A draft other than the one that
        failed means that its owner gave that one up: if it was stored after all, an event says so.
        """
        if self._doubtful is None:
            return None
        (doubtful, row), found = self._doubtful, None
        found = self._connection.execute("SELECT 1 FROM events WHERE id = ?", (row.id,)).fetchone()
        self._doubtful = None
        if found is None:
            return None
        if doubtful == draft:
            return to_event(row)
        self._owe(Kind.JOURNAL_LATE, {"entry": row.seq, "kind": doubtful.kind})
        return None

    def _open_whole(self) -> None:
        try:
            self._open_somehow()
        except (StoreDamaged, sqlite3.DatabaseError) as error:
            if not isinstance(error, StoreDamaged) and not is_damage(error):
                raise
            self._mend()

    def _open_somehow(self) -> None:
        """Open the file, once more after each thing that was given up on a full disk. Raises what is left."""
        while True:
            try:
                return self._open()
            except (StoreUnavailable, sqlite3.Error) as error:
                cause = error.__cause__ if isinstance(error, StoreUnavailable) else error
                if not isinstance(cause, Exception) or not is_full(cause, self._path.parent):
                    raise
                if (relief := self._relief()) is None:
                    raise
                self._owe(Kind.JOURNAL_RELIEVED, relief.told())

    def _mend(self) -> None:
        """Open the file afresh; when a fresh look finds it damaged, go on with its readable entries."""
        self._drop()
        done = self._salvaged()
        if done is not None:
            told = {"kept": done.kept, "error": done.why[:200], "rows": done.rows, "holes": done.holes}
            self._owe(Kind.JOURNAL_QUARANTINED, told)
        self._open()
        self._pay()  # a new stream says first of all why it is new

    def _salvaged(self) -> Mended | None:
        """Put what can be read into a new file; where there is no room for that, begin an empty one."""
        at = datetime.now(UTC)
        try:
            return salvage_journal(self._path, at)
        except StoreUnavailable as error:
            if not isinstance(error.__cause__, Exception) or not is_full(error.__cause__, self._path.parent):
                raise
            return replace_damaged(self._path, JOURNAL, NO_FUNCTIONS, lambda _: (0, 1), at)

    def _open(self) -> None:
        connection = open_database(self._path, JOURNAL)
        try:
            # A file that has an origin keeps it (OR IGNORE): its stream and its numbers go on.
            stream = self._new_id(datetime.now(UTC))
            connection.execute("INSERT OR IGNORE INTO origin VALUES (1, ?, 0, ?)", (stream, GENESIS))
            self._reader = JournalReader(self._path)
        except BaseException:
            connection.close()
            raise
        self._connection, self._is_open = connection, True
        self.stream = self._reader.stream

    def _drop(self) -> None:
        """Let go of a connection that failed; what it remembers of the file may be wrong."""
        with suppress(sqlite3.Error):
            self._close()

    def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._reader.close()
            self._connection.close()  # the last one to close folds the log into the file

    def _owe(self, kind: Kind, data: dict[str, Any]) -> None:
        self._owed.append(EventDraft(kind, datetime.now(UTC), time.monotonic(), data=data))

    def _pay(self) -> None:
        """Store what the journal has to say about itself, or keep it until the next event."""
        with suppress(sqlite3.Error):
            while self._owed:
                self._commit(self._owed[0])
                # Taken off only once it is stored: a failure in between says it again.
                self._owed.pop(0)

    def _forge(self, draft: EventDraft) -> ChainRow:
        stamp = Stamp(self.stream, self._boot, self._clock_trust(), self._door_id)
        return forge(draft, self._new_id(draft.at), stamp, self._end())

    def _end(self) -> Link:
        """Return what the next entry follows: the highest number given, the hash before it."""
        row = self._connection.execute("SELECT hash FROM events ORDER BY seq DESC LIMIT 1").fetchone()
        if row is None:
            row = self._connection.execute("SELECT pruned_hash FROM origin").fetchone()
        # Not the number of the newest row: retention may have removed later ones, and a number is never given
        # twice. SQLite keeps the highest one in `sqlite_sequence`.
        return Link(last_given(self._connection), row[0])

    def _require_file(self) -> None:
        if not self._path.exists():
            raise FileNotFoundError("the file was removed; the next event begins a new journal")
