"""What can still be read of a damaged database, row by row, in a new file; the rest is counted."""

from __future__ import annotations

import fcntl
import logging
import os
import sqlite3
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from edge.durable import sync_folder
from edge.errors import StoreDamaged, StoreUnavailable
from edge.store.database import (
    SALVAGED,
    damage_of,
    open_database,
    quarantine,
    readable,
    take_salvaged,
    transaction,
)
from edge.store.header import has_tables_of, set_right
from edge.store.memory_copy import copied
from edge.store.mended import Mended, note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from edge.store.database import Schema

LOG = logging.getLogger(__name__)

LOWEST, FARTHEST = -1, 1 << 40
"""No table of ours has a row number beyond."""
MOST_HOLES = 1000
"""In one table; where there are more, no further row is worth the time."""


def mend(
    path: Path,
    schema: Schema,
    functions: Mapping[str, Callable[..., str | bytes]],
    after: Iterable[str] = (),
    *,
    begins_anew: bool = True,
    at: datetime | None = None,
) -> Mended | None:
    """Set a damaged file aside and put its readable rows into a new one; None when it is whole after all.

    `after` are statements that make the new file consistent, `at` names the old one (default: now).
    Raises `StoreDamaged` when nothing can be read of it and it must not begin anew, `StoreUnavailable`
    when the card does not let it be done now; a cut at any moment leaves the damaged file, or the
    complete new one.
    """

    def fill(fresh: sqlite3.Connection) -> tuple[int, int]:
        rows, holes = _copy_all(path, schema, functions, fresh)
        if not rows and not begins_anew:
            raise StoreDamaged(f"{path}: the {schema.name} is damaged; restore or remove it")
        for statement in after:
            fresh.execute(statement)
        return rows, holes

    done = replace_damaged(path, schema, functions, fill, at or datetime.now(UTC))
    if done is not None:
        note(done)
    return done


def replace_damaged(
    path: Path,
    schema: Schema,
    functions: Mapping[str, Callable[..., str | bytes]],
    fill: Callable[[sqlite3.Connection], tuple[int, int]],
    at: datetime,
) -> Mended | None:
    """Set a damaged file aside, and a new one that `fill` has filled in its place; None when it is whole.

    `fill` returns how many rows it took over, and how many places it could not. Raises what it raises,
    and `StoreUnavailable` when the card does not let it be done now.
    """
    with _alone(path.parent):
        damage = damage_of(path, schema, functions)
        if damage is None:
            _forget_salvaged(path)
            return None
        draft = path.with_name(f"{path.name}.salvaging")
        try:
            _remove(draft)
            # Closed before it is renamed: that folds its log into it, so that one file is the whole of it.
            with closing(open_database(draft, schema, functions=functions)) as fresh:
                rows, holes = fill(fresh)
            # Under this name, which only a complete one gets, it takes the damaged one's place at the next
            # opening if the power goes before `take_salvaged` here.
            draft.replace(path.with_name(path.name + SALVAGED))
            sync_folder(path.parent)
            kept = quarantine(path, at)
            take_salvaged(path)
        except (OSError, sqlite3.Error) as error:
            with suppress(OSError):
                _remove(draft)
            said = f"{path}: damaged ({damage}), and cannot be mended now: {error}"
            raise StoreUnavailable(said) from error
    LOG.critical("%s: %s; kept as %s, %d rows saved, %d holes", path, damage, kept.name, rows, holes)
    return Mended(path, damage, kept.name, rows, holes)


def _forget_salvaged(path: Path) -> None:
    """Remove what an earlier look, which was wrong, had salvaged: it would get the file's name one day."""
    try:
        _remove(path.with_name(path.name + SALVAGED))
    except OSError as error:
        raise StoreUnavailable(f"{path}: whole, but {path.name}{SALVAGED} stays: {error}") from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process and thread at a time mend what is in `folder`."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise StoreUnavailable(f"{folder}: nothing can be mended now: {error}") from error
    try:
        # On the folder, which is never replaced, unlike the files in it.
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _copy_all(
    path: Path,
    schema: Schema,
    functions: Mapping[str, Callable[..., str | bytes]],
    fresh: sqlite3.Connection,
) -> tuple[int, int]:
    """Copy every row that can be read; return how many, and how many places could not be read."""
    rows = holes = 0
    try:
        with copied(path) as copy, closing(opened_for_salvage(copy, fresh)) as old:
            old.text_factory = readable
            version = old.execute("PRAGMA user_version").fetchone()[0]
            if version != schema.version and not has_tables_of(old, schema, functions):
                return 0, 1
            for table in _tables(fresh):
                found = ReadableRows(old, table)
                rows += _put(fresh, table, found)
                holes += found.holes
    except sqlite3.DatabaseError as error:
        LOG.error("%s: nothing more can be read: %s", path, error)  # noqa: TRY400 - one clear line
        holes += 1
    return rows, holes


def opened_for_salvage(copy: Path, fresh: sqlite3.Connection) -> sqlite3.Connection:
    """Return a connection to a copy with a right header; if its list of tables is damaged, with a new file's.

    The list lies in the first page: one wrong bit there hides every row in the others. The new file's is
    taken only if the whole copy is sound with it, so no page is read as one of another table.
    """
    set_right(copy)
    log = copy.with_name(f"{copy.name}-wal")
    if not _is_sound(copy) and not (log.exists() and log.stat().st_size):
        damaged, new = copy.read_bytes(), fresh.serialize()
        size = int.from_bytes(new[16:18], "big")
        # Of the old header stays what tells its size, its free pages and which change it was.
        head = new[:24] + damaged[24:40] + new[40:92] + damaged[92:100]
        copy.write_bytes(head + new[100:size] + damaged[size:])
        if not _is_sound(copy):
            copy.write_bytes(damaged)
    return sqlite3.connect(copy, isolation_level=None)


def _is_sound(copy: Path) -> bool:
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection, suppress(sqlite3.DatabaseError):
        return bool(connection.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok")
    return False


def _tables(fresh: sqlite3.Connection) -> list[str]:
    """Return the tables in the order they were made: what is referred to comes first."""
    sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'sqlite_stat1' ORDER BY rowid"
    return [row[0] for row in fresh.execute(sql)]


def _put(fresh: sqlite3.Connection, table: str, found: ReadableRows) -> int:
    """Store the rows of one table; one that breaks a rule of the schema costs itself alone."""
    columns = len(fresh.execute(f"PRAGMA table_info({table})").fetchall())
    sql = f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * columns)})"  # noqa: S608 - our own names
    count = 0
    with transaction(fresh):
        for row in found:
            try:
                fresh.execute(sql, row)
                count += 1
            except sqlite3.Error as error:
                found.holes += 1
                LOG.warning("%s: a row is not kept: %s", table, error)
    return count


class ReadableRows:
    """The rows of a damaged table that can be read; `holes` counts the places that cannot."""

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self._connection, self._name = connection, name
        self.holes = 0

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        after: int | None = LOWEST
        while after is not None:
            for number, *row in self._rows(after):
                if not isinstance(number, int) or number <= after:
                    break  # a damaged tree may lead in circles
                after = number
                yield tuple(row)
            after = self._place_to_go_on(after)

    def _place_to_go_on(self, after: int) -> int | None:
        """Return after which row number to go on; None at the end."""
        with suppress(sqlite3.DatabaseError):
            found = self._next(after)
            if found is None:
                return None
            if found > after:
                return found - 1
        self.holes += 1
        found = self._beyond(max(after, 0)) if self.holes < MOST_HOLES else None
        return None if found is None or found - 1 <= after else found - 1

    def _rows(self, after: int) -> Iterator[tuple[Any, ...]]:
        """Give rows until there are no more, or one cannot be read."""
        sql = f"SELECT rowid, * FROM {self._name} WHERE rowid >= ? ORDER BY rowid"  # noqa: S608 - our own names
        with suppress(sqlite3.DatabaseError):
            for row in self._connection.execute(sql, (after + 1,)):
                after = row[0]
                yield row
            return
        # The row after is read before a row is given: the last one before a hole has to be asked for alone.
        with suppress(sqlite3.DatabaseError):
            yield from self._connection.execute(f"{sql} LIMIT 1", (after + 1,))

    def _beyond(self, after: int) -> int | None:
        """Return the first row number behind a hole, None when nothing behind it can be read."""
        # Farther and farther until something can be read, then halved between there and the hole.
        bad, good, step = after, None, 1
        while good is None and bad + step < FARTHEST:
            good = self._readable_from(bad + step)
            if good is None:
                bad, step = bad + step, step * 2
        if good is None:
            return None
        low, high = bad, good
        while low + 1 < high:
            middle = (low + high) // 2
            found = self._readable_from(middle)
            if found is None:
                low = middle
            else:
                high = min(middle, found)
                good = found
        return good

    def _readable_from(self, number: int) -> int | None:
        try:
            return self._next(number - 1)
        except sqlite3.DatabaseError:
            return None

    def _next(self, after: int) -> int | None:
        sql = f"SELECT rowid, * FROM {self._name} WHERE rowid >= ? ORDER BY rowid LIMIT 1"  # noqa: S608
        row = self._connection.execute(sql, (after + 1,)).fetchone()
        return None if row is None else int(row[0])


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
