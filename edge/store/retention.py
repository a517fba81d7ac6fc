"""Keeping the journal from filling the disk: old entries that have arrived go, the rest stays.

An entry that somebody still waits for is never removed, whatever its age and however full the
disk. The chain stays verifiable: the hash of the last removed entry is kept as its anchor.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from edge.errors import FacegateError
from edge.store.database import open_database, transaction
from edge.store.reader import JOURNAL, field_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOG = logging.getLogger(__name__)

BALLAST_FILE = "ballast"
BALLAST_BYTES = 8 * 1024 * 1024
"""Thrown overboard when the disk is full: SQLite needs room even to delete (to log the deletion);
one step below logs less than 2 MiB."""
STEP = 1000
"""Entries removed in one transaction: the door waits no longer than for one step."""
LEAST_A_DAY = 1000
"""Entries that one pruning may always remove."""
ENOUGH_PAGES = 64
"""With so many free pages in the file the next event fits; removing more entries would not help it."""


@dataclass(frozen=True, slots=True)
class FreedSpace:
    """What was given up for room on the disk: the ballast, and how many entries up to which number."""

    ballast: bool
    removed: int
    upto: int

    def told(self) -> dict[str, Any]:
        """Return it as data of an event."""
        return {"ballast": self.ballast, "removed": self.removed, "upto": self.upto}


class Retention:
    """Removes entries of the journal at `path` that have arrived and are old. One thread at a time.

    Arrived means: confirmed to every consumer that ever opened an outbox; without any consumer,
    age alone decides. `keep_days` is the age in days. The ballast file lies beside the journal.
    `certain` is asked on a full disk, None while no time is certain: no age is past then.
    """

    def __init__(
        self,
        path: Path,
        keep_days: int = 90,
        ballast_bytes: int = BALLAST_BYTES,
        certain: Callable[[], datetime | None] = lambda: datetime.now(UTC),
    ) -> None:
        self._path = path
        self._certain = certain
        self._keep = timedelta(days=keep_days)
        self._ballast = path.with_name(BALLAST_FILE)
        self._ballast_bytes = ballast_bytes

    def keep(self, days: int) -> None:
        """Remove at this age from now on."""
        self._keep = timedelta(days=days)

    def prune(self, certain: datetime | None) -> int:
        """Remove what has arrived and is older than the limit; return how many entries.

        `certain` is a time that has certainly passed (UTC); without one nothing is old. At most a tenth of
        the journal goes at a time, and at least a thousand entries. Also puts the ballast in its place.
        Raises `StoreError` when the journal cannot be opened.
        """
        self._take_on_ballast()
        if certain is None:
            return 0
        with closing(open_database(self._path, JOURNAL, synchronous="NORMAL")) as connection:
            upto = min(self._last_old(connection, certain), _end_of_share(connection))
            removed = 0
            while count := self._remove_step(connection, upto)[0]:
                removed += count
        return removed

    def make_room(self) -> FreedSpace | None:
        """Give something up on a full disk and return what; None when there is nothing, or it failed.

        The ballast first, and in the room it leaves one step of entries: those that have arrived,
        at any age; without any consumer only those past their age. Their place in the file is for
        the next events. For the journal's `relief`. Never raises.
        """
        ballast, removed, upto = self._drop_ballast(), 0, 0
        try:
            with closing(open_database(self._path, JOURNAL, synchronous="NORMAL")) as connection:
                # Kept as long as it is, but used again from its beginning.
                connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
                if connection.execute("PRAGMA freelist_count").fetchone()[0] < ENOUGH_PAGES:
                    removed, upto = self._remove_step(connection, self._last_to_give(connection))
                    connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        except (sqlite3.Error, FacegateError, OSError) as error:
            LOG.error("disk full, and no entry could be removed: %s", error)  # noqa: TRY400 - one line is enough
        if not ballast and not removed:
            return None
        LOG.error("disk full: gave up %s; free some space", _given_up(ballast, removed))
        return FreedSpace(ballast, removed, upto)

    def _drop_ballast(self) -> bool:
        try:
            self._ballast.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            LOG.error("disk full, and the ballast cannot be removed: %s", error)  # noqa: TRY400
            return False
        return True

    def _last_to_give(self, connection: sqlite3.Connection) -> int | None:
        """Return the last entry that may go when room is short; None: arrival decides."""
        if connection.execute("SELECT 1 FROM delivery").fetchone():
            return None
        certain = self._certain()
        return 0 if certain is None else self._last_old(connection, certain)

    def _last_old(self, connection: sqlite3.Connection, certain: datetime) -> int:
        """Return the number of the last entry that is old, 0 for none: a chain is cut at its beginning only.

        The entry's own clock has to be trusted, and not ahead of what is certain: what was written under
        an unknown time goes with the trusted entry after it.
        """
        at = field_of("$.ts")
        trusted = f"{field_of('$.clock')} <> 'unknown' AND {at}"
        young = f"SELECT min(seq) FROM events WHERE {trusted} >= ? AND {at} <= ?"  # noqa: S608 - constants
        now = certain.astimezone(UTC)
        before = (now - self._keep).isoformat()
        (first_young,) = connection.execute(young, (before, now.isoformat())).fetchone()
        old = f"SELECT max(seq) FROM events WHERE {trusted} < ? AND seq < ifnull(?, seq + 1)"  # noqa: S608
        (last_old,) = connection.execute(old, (before, first_young)).fetchone()
        return int(last_old or 0)

    def _remove_step(self, connection: sqlite3.Connection, upto: int | None) -> tuple[int, int]:
        """Remove up to one step of arrived entries, oldest first, none numbered above `upto`.

        Returns how many, and the number of the last one.
        """
        arrived = "SELECT min(done_upto) FROM delivery"
        sql = (
            f"SELECT seq, hash FROM events WHERE seq <= ifnull(({arrived}), seq) AND seq <= ifnull(?, seq)"  # noqa: S608
            " ORDER BY seq LIMIT ?"
        )
        rows = connection.execute(sql, (upto, STEP)).fetchall()
        if not rows:
            return 0, 0
        last, last_hash = rows[-1]
        with transaction(connection):
            connection.execute("UPDATE origin SET pruned_upto = ?, pruned_hash = ?", (last, last_hash))
            connection.execute("DELETE FROM events WHERE seq <= ?", (last,))
        return len(rows), int(last)

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


def _end_of_share(connection: sqlite3.Connection) -> int:
    """Return the number of the last entry that may go on one day, 0 in an empty journal."""
    first, count = connection.execute("SELECT ifnull(min(seq), 1), count(*) FROM events").fetchone()
    return int(first) - 1 + max(int(count) // 10, LEAST_A_DAY)


def _given_up(ballast: bool, removed: int) -> str:  # noqa: FBT001 - one line of words
    parts = ["the ballast"] * ballast + [f"{removed} entries that had arrived or were past their age"] * bool(
        removed
    )
    return " and ".join(parts)
