"""How every SQLite file of the store is opened: durable, versioned, refused when it is not ours."""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from edge.errors import StoreDamaged, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

BUSY_TIMEOUT_MS = 2000
"""How long a writer waits for another process; a visitor at the door waits no longer than that."""

COMPACT = ("VACUUM",)
"""A migration of its own: cut short by a kill it is simply done again, like every other."""

NO_FUNCTIONS: Mapping[str, Callable[..., str | bytes]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Schema:
    """What a file of one kind looks like.

    `application_id` is stored in the file header and tells our files from others. Migration n
    (a tuple of statements) brings a file from version n to n + 1, in one transaction; `COMPACT` is
    one that rewrites the file, so that nothing of its former content is left in it.
    """

    name: str
    application_id: int
    migrations: tuple[tuple[str, ...], ...]

    @property
    def version(self) -> int:
        """The version this program reads and writes."""
        return len(self.migrations)


def open_database(
    path: Path,
    schema: Schema,
    synchronous: str = "FULL",
    functions: Mapping[str, Callable[..., str | bytes]] = NO_FUNCTIONS,
) -> sqlite3.Connection:
    """Return a connection to `path`, created or migrated to the current version.

    `functions` are what migrations may call: name -> function of column values.

    WAL with `synchronous=FULL` survives a power cut at any moment once a commit returned; a
    caller passes `NORMAL` only where losing the last commits is harmless. Transactions are
    explicit (see `transaction`); the connection may be handed between threads under a lock.
    Raises `StoreDamaged` when the file is damaged, `StoreError` when it is foreign, or written by
    a newer facegate.
    """
    with _refusals(path, schema):
        _create_private(path)
        connection = _connect(f"{path.absolute().as_uri()}?mode=rw")
        try:
            _configure(connection, synchronous)
            for name, function in functions.items():
                connection.create_function(name, -1, function)
            _migrate(connection, path, schema)
        except BaseException:
            connection.close()
            raise
        return connection


def open_read_only(path: Path, schema: Schema, *, older: bool = False) -> sqlite3.Connection:
    """Return a connection that cannot write, for looking at a file another process owns.

    `older` takes a file of an earlier version as it is. Raises `StoreError` when the file is
    missing, damaged, foreign or of another version.
    """
    if not path.exists():
        raise StoreError(f"{path}: there is no {schema.name} yet; it appears when the door first runs")
    with _refusals(path, schema):
        connection = _connect(f"{path.absolute().as_uri()}?mode=ro")
        try:
            _require_known(connection, path, schema, older=older)
        except BaseException:
            connection.close()
            raise
        return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Run the block as one write: all of it is committed, or none of it happened."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        # A failed COMMIT (disk full) may already have rolled back by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def quarantine(path: Path, at: datetime) -> Path:
    """Move a damaged file and its log out of the way and return where it went.

    Nothing is deleted: the name gains `.damaged-<UTC time>`, so that it can be examined.
    """
    kept = path.with_name(f"{path.name}.damaged-{at:%Y%m%dT%H%M%SZ}")
    for suffix in ("-wal", "-shm", ""):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(kept.with_name(kept.name + suffix))
    return kept


def _connect(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT_MS / 1000
    )


def _create_private(path: Path) -> None:
    """Create the file readable by its owner alone; SQLite gives its log the same mode.

    A file that is there is not touched: closing any descriptor of it would drop the locks of every
    connection of this process (POSIX), and another process would then delete a log that is in use.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _configure(connection: sqlite3.Connection, synchronous: str) -> None:
    # Only a new file takes this: space of removed rows can be given back on a full disk.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA trusted_schema = OFF")


def _migrate(connection: sqlite3.Connection, path: Path, schema: Schema) -> None:
    begun = _checked_version(connection, path, schema)
    for version, statements in enumerate(schema.migrations[begun:], start=begun):
        if statements == COMPACT:
            _compact(connection, version, is_new=not begun)
        else:
            _step(connection, path, schema, version)


def _step(connection: sqlite3.Connection, path: Path, schema: Schema, version: int) -> None:
    """Bring the file from `version` to the next, all or nothing."""
    with transaction(connection):
        # Asked again under the lock: another process may have just done it.
        if _checked_version(connection, path, schema) != version:
            return
        for statement in schema.migrations[version]:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {schema.application_id}")
        connection.execute(f"PRAGMA user_version = {version + 1}")


def _compact(connection: sqlite3.Connection, version: int, *, is_new: bool) -> None:
    """Write the file anew without its free space, then note that it was done."""
    if not is_new:
        connection.execute(*COMPACT)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    connection.execute(f"PRAGMA user_version = {version + 1}")


def _require_known(connection: sqlite3.Connection, path: Path, schema: Schema, *, older: bool) -> None:
    if _checked_version(connection, path, schema) != schema.version and not older:
        raise StoreError(f"{path}: an older {schema.name}; start the door once to upgrade it")


def _checked_version(connection: sqlite3.Connection, path: Path, schema: Schema) -> int:
    (found,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if found != schema.application_id and (found or version or tables):
        raise StoreError(f"{path}: this is not a facegate {schema.name}; move it away or name another file")
    if version > schema.version:
        raise StoreError(
            f"{path}: {schema.name} version {version}, this program knows up to {schema.version}; "
            "install the newer facegate again"
        )
    return int(version)


@contextmanager
def _refusals(path: Path, schema: Schema) -> Iterator[None]:
    """Turn what SQLite and the file system say at opening into one `StoreError`."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StoreError(f"{path}: cannot open the {schema.name}: {error}") from error
    except sqlite3.DatabaseError as error:
        raise StoreDamaged(f"{path}: the {schema.name} is damaged ({error}); restore or remove it") from error
    except OSError as error:
        raise StoreError(f"{path}: cannot open the {schema.name}: {error.strerror}") from error
