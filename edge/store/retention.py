"""Keeping the journal from filling the disk: old entries that have arrived go, the rest stays.

An entry that somebody still waits for is never removed, whatever its age and however full the
disk. The chain stays verifiable: the hash of the last removed entry is kept as its anchor.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from edge.errors import FacegateError
from edge.store.database import open_database, transaction
from edge.store.reader import JOURNAL

if TYPE_CHECKING:
    from pathlib import Path

LOG = logging.getLogger(__name__)

BALLAST_FILE = "ballast"
BALLAST_BYTES = 8 * 1024 * 1024
"""Thrown overboard when the disk is full: SQLite needs room even to delete (to log the deletion);
one step below logs less than 2 MiB."""
STEP = 1000
"""Entries removed in one transaction: the door waits no longer than for one step."""
EMERGENCY_STEPS = 20


class Retention:
    """Removes entries of the journal at `path` that have arrived and are old. One thread at a time.

    Arrived means: confirmed to every consumer that ever opened an outbox; without any consumer,
    age alone decides. `keep_days` is the age in days. The ballast file lies beside the journal.
    """

    def __init__(self, path: Path, keep_days: int = 90, ballast_bytes: int = BALLAST_BYTES) -> None:
        self._path = path
        self._keep = timedelta(days=keep_days)
        self._ballast = path.with_name(BALLAST_FILE)
        self._ballast_bytes = ballast_bytes

    def keep(self, days: int) -> None:
        """Remove at this age from now on."""
        self._keep = timedelta(days=days)

    def prune(self, now: datetime) -> int:
        """Remove what has arrived and is older than the limit; return how many entries.

        Also puts the ballast in its place. Raises `StoreError` when the journal cannot be opened.
        """
        self._take_on_ballast()
        before = now.astimezone(UTC) - self._keep
        removed = 0
        with closing(open_database(self._path, JOURNAL, synchronous="NORMAL")) as connection:
            while count := self._remove_step(connection, before):
                removed += count
        return removed

    def make_room(self) -> bool:
        """Free space on a full disk at any age; say whether it is worth trying again.

        The ballast goes first. For the journal's `relief`. Never raises.
        """
        had_ballast = self._ballast.exists()
        self._ballast.unlink(missing_ok=True)
        removed = 0
        try:
            with closing(open_database(self._path, JOURNAL, synchronous="NORMAL")) as connection:
                for _ in range(EMERGENCY_STEPS):
                    removed += self._remove_step(connection, None)
                connection.execute("PRAGMA incremental_vacuum").fetchall()
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except (sqlite3.Error, FacegateError) as error:
            LOG.error("disk full, and making room failed: %s", error)  # noqa: TRY400 - one line is enough
        LOG.error("disk full: removed %d delivered events and the ballast; free some space", removed)
        return had_ballast or removed > 0

    def _remove_step(self, connection: sqlite3.Connection, before: datetime | None) -> int:
        """Remove up to one step of arrived entries, oldest first, all older than `before`."""
        arrived = "SELECT min(done_upto) FROM delivery"
        sql = f"SELECT seq, hash, body FROM events WHERE seq <= ifnull(({arrived}), seq) ORDER BY seq LIMIT ?"  # noqa: S608
        rows = connection.execute(sql, (STEP,)).fetchall()
        if before is not None:
            rows = _older(rows, before)
        if not rows:
            return 0
        upto, last_hash, _ = rows[-1]
        with transaction(connection):
            connection.execute("UPDATE origin SET pruned_upto = ?, pruned_hash = ?", (upto, last_hash))
            connection.execute("DELETE FROM events WHERE seq <= ?", (upto,))
        return len(rows)

    def _take_on_ballast(self) -> None:
        """Fill the ballast file for real (no holes), unless the disk is short already."""
        if self._ballast.exists() and self._ballast.stat().st_size == self._ballast_bytes:
            return
        space = os.statvfs(self._path.parent)
        if space.f_bavail * space.f_frsize < 3 * self._ballast_bytes:
            return
        try:
            with self._ballast.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._ballast_bytes)
        except OSError as error:
            LOG.warning("no ballast file: %s", error)
            with contextlib.suppress(OSError):
                self._ballast.unlink(missing_ok=True)


def _older(rows: list[tuple[int, str, str]], before: datetime) -> list[tuple[int, str, str]]:
    """Return the leading rows older than `before`: a chain is only ever cut at its beginning."""
    for place, (_, _, body) in enumerate(rows):
        if datetime.fromisoformat(json.loads(body)["ts"]) >= before:
            return rows[:place]
    return rows
