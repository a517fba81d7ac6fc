"""Events of what was changed in a file, kept in it by the same commit until the journal has them.

Whoever loses power between the change and its entry finds the event here at the next start and tells it then.
Each is dated once, before it is told for the first time: by kind and time it is found again in the journal,
so that it is told once, wherever the power goes.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from edge.errors import StoreUnavailable
from edge.events import Kind
from edge.store.database import open_read_only

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge.store.database import Schema
    from edge.store.shared import SharedDatabase

LOG = logging.getLogger(__name__)

TABLE = """CREATE TABLE untold (
    number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, resident_id TEXT, data TEXT NOT NULL)"""
DATED = "ALTER TABLE untold ADD COLUMN at TEXT"
APART = timedelta(microseconds=1)
"""Between two of them that are dated at once."""


@dataclass(frozen=True, slots=True)
class UntoldEvent:
    """What an event will say; `number` is its place in the file, `at` (UTC) None before it is dated."""

    kind: Kind
    resident_id: str | None
    data: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0
    at: datetime | None = None


def keep_untold(connection: sqlite3.Connection, event: UntoldEvent) -> None:
    """Keep an event with the change that it is about, before the commit of both."""
    row = (str(event.kind), event.resident_id, json.dumps(event.data))
    connection.execute("INSERT INTO untold (kind, resident_id, data) VALUES (?, ?, ?)", row)


class KeepsUntold:
    """What a store whose file has the table `untold` answers about it. Any thread. Raises `StoreError`."""

    _file: SharedDatabase

    def untold(self) -> list[UntoldEvent]:
        """Return what no journal is known to have, in the order in which it happened.

        What cannot be read (a later version's, or damaged) stays where it is, and keeps nothing else back.
        """
        with self._file.using() as connection:
            rows = connection.execute(
                "SELECT number, kind, resident_id, data, at FROM untold ORDER BY number"
            ).fetchall()
        return [event for row in rows if (event := _read(*row)) is not None]

    def date_untold(self, now: datetime) -> datetime:
        """Give each of those that has none its time, from `now` (UTC) on; return a time after all of them."""
        with self._file.writing() as connection:
            undated = connection.execute("SELECT number FROM untold WHERE at IS NULL ORDER BY number")
            dated = [
                ((now + place * APART).isoformat(), number)
                for place, (number,) in enumerate(undated.fetchall())
            ]
            connection.executemany("UPDATE untold SET at = ? WHERE number = ?", dated)
        return now + len(dated) * APART

    def told(self, event: UntoldEvent) -> None:
        """Forget one that the journal has on disk."""
        with self._file.writing() as connection:
            connection.execute("DELETE FROM untold WHERE number = ?", (event.number,))


def _read(number: int, kind: str, who: str | None, data: str, at: str | None) -> UntoldEvent | None:
    try:
        told, moment = json.loads(data), datetime.fromisoformat(at) if at else None
        event = UntoldEvent(Kind(kind), who, told, number, moment)
        is_whole = isinstance(told, dict) and (moment is None or moment.tzinfo is not None)
    except (ValueError, TypeError):
        is_whole = False
    if is_whole:
        return event
    LOG.error("an event that was kept to be told cannot be read: %.40s of %.40s at %.40s", kind, who, at)
    return None


def holds_untold(path: Path, schema: Schema) -> bool:
    """Return whether a file keeps any, without opening it for changes. Raises `StoreError`."""
    if not path.exists():
        return False
    try:
        with closing(open_read_only(path, schema, older=True)) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'untold'").fetchone():
                return False  # an earlier version's
            return connection.execute("SELECT 1 FROM untold LIMIT 1").fetchone() is not None
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{path}: {error}") from error
