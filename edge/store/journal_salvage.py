"""A damaged journal goes on in a new file, entry by entry: what cannot be read is all that it costs.

Stream and numbers stay. A number that is missing then travels as `journal.damaged`, in its place, and
`facegate events verify` names it. Only where nobody can tell any more which stream it was, or which number
it gave last, a new stream begins: a number must never be given twice.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from edge.store.database import NO_FUNCTIONS, readable, transaction
from edge.store.header import has_tables_of
from edge.store.memory_copy import copied
from edge.store.reader import JOURNAL
from edge.store.salvage import ReadableRows, opened_for_salvage, replace_damaged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from edge.store.mended import Mended

LOG = logging.getLogger(__name__)


def salvage_journal(path: Path, at: datetime) -> Mended | None:
    """Put the entries of a damaged journal that can be read into a new one; None when it is whole after all.

    `rows` of the answer are those entries, `holes` those that are lost. Raises `StoreUnavailable` when it
    cannot be done now.
    """
    return replace_damaged(path, JOURNAL, NO_FUNCTIONS, lambda fresh: _fill(path, fresh), at)


def _fill(path: Path, fresh: sqlite3.Connection) -> tuple[int, int]:
    try:
        with copied(path) as copy, closing(opened_for_salvage(copy, fresh)) as old:
            old.text_factory = readable
            place = _place(old)
            if place is not None:
                return _take(old, fresh, place)
    except sqlite3.DatabaseError as error:
        LOG.error("%s: nothing of it can be read: %s", path, error)  # noqa: TRY400 - one clear line
    return 0, 1


def _place(old: sqlite3.Connection) -> tuple[str, int, str, int] | None:
    """Return stream, number and hash of the last entry that was removed, and the last number given."""
    version = old.execute("PRAGMA user_version").fetchone()[0]
    if version != JOURNAL.version and not has_tables_of(old, JOURNAL, NO_FUNCTIONS):
        return None
    origin = next(iter(ReadableRows(old, "origin")), None)
    given = [row[1] for row in ReadableRows(old, "sqlite_sequence") if row[0] == "events"]
    if origin is None or not given:
        return None
    _one, stream, upto, removed = origin
    is_told = isinstance(stream, str) and isinstance(removed, str) and isinstance(upto, int)
    return (stream, upto, removed, given[0]) if is_told and isinstance(given[0], int) else None


def _take(
    old: sqlite3.Connection, fresh: sqlite3.Connection, place: tuple[str, int, str, int]
) -> tuple[int, int]:
    """Copy what can be read; return how many entries that was, and how many are lost."""
    stream, upto, removed, given = place
    count = 0
    with transaction(fresh):
        fresh.execute("INSERT INTO origin VALUES (1, ?, ?, ?)", (stream, upto, removed))
        for row in _entries(old, upto, given):
            try:
                fresh.execute("INSERT INTO events (seq, id, body, hash) VALUES (?, ?, ?, ?)", row)
                count += 1
            except sqlite3.IntegrityError as error:
                LOG.warning("entry %d is not kept: %s", row[0], error)
        for consumer, done in ReadableRows(old, "delivery"):
            if isinstance(consumer, str) and isinstance(done, int) and done <= given:
                fresh.execute("INSERT OR REPLACE INTO delivery VALUES (?, ?)", (consumer, done))
        fresh.execute("DELETE FROM sqlite_sequence")
        fresh.execute("INSERT INTO sqlite_sequence VALUES ('events', ?)", (given,))
    return count, given - upto - count


def _entries(old: sqlite3.Connection, upto: int, given: int) -> Iterator[tuple[Any, ...]]:
    """Give the entries between these numbers that are entries at all; what was edited is theirs to doubt."""
    for seq, *texts in ReadableRows(old, "events"):
        if isinstance(seq, int) and upto < seq <= given and all(isinstance(one, str) for one in texts):
            yield (seq, *texts)
