"""How every SQLite file of the store is opened: durable, versioned, refused when it is not ours."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from edge.durable import sync_folder
from edge.errors import StoreDamaged, StoreError, StoreUnavailable
from edge.store.card import is_damage, is_refusal, needs_writing
from edge.store.header import early_flaw_of, flaw_of, has_tables_of, is_a_bit_from
from edge.store.log_repair import repair_log
from edge.store.memory_copy import memory_copy, without_writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

BUSY_TIMEOUT_MS = 2000
"""How long a writer waits for another process: the longest that a visitor at the door waits for one."""

LOOKS, PAUSE_SECONDS = 3, 0.1
"""A file counts as damaged when so many looks in a row, with pauses, found it so."""

SALVAGED = ".salvaged"
"""What a file's name ends in while it waits to take the place of a damaged one."""

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
    with refusals(path, schema):
        take_salvaged(path)
        _create_private(path)
        repair_log(path)
        if flaw := early_flaw_of(path):
            raise StoreDamaged(f"{path}: the {schema.name} is damaged (its header says {flaw})")
        connection = _connect(f"{path.absolute().as_uri()}?mode=rw")
        try:
            _configure(connection, synchronous)
            _add(connection, functions)
            _migrate(connection, path, schema, functions)
        except BaseException as error:
            connection.close()
            if is_refusal(error) and (flaw := flaw_of(path, schema, functions)):
                raise StoreDamaged(f"{path}: the {schema.name} is damaged ({flaw})") from error
            raise
        return connection


def open_read_only(path: Path, schema: Schema, *, older: bool = False) -> sqlite3.Connection:
    """Return a connection that cannot write, for looking at a file another process owns.

    `older` takes a file of an earlier version as it is. On a card that is read-only or full it is read as it
    lies there. Raises `StoreError` when the file is missing, damaged, foreign or of another version.
    """
    if not path.exists():
        raise StoreError(f"{path}: there is no {schema.name} yet; it appears when the door first runs")
    with refusals(path, schema):
        try:
            return _known(_connect(f"{path.absolute().as_uri()}?mode=ro"), path, schema, older=older)
        except sqlite3.OperationalError as error:
            if not needs_writing(error):
                raise
        connection = without_writing(path)
        connection.text_factory = readable
        return _known(connection, path, schema, older=older)


def open_copy(
    path: Path, schema: Schema, functions: Mapping[str, Callable[..., str | bytes]] = NO_FUNCTIONS
) -> sqlite3.Connection:
    """Return a connection to what is in `path` now, in memory, of the current version; nothing is written.

    For a card that can be read and not written to. Changes are refused. Raises `StoreError`.
    """
    with refusals(path, schema):
        connection = memory_copy(path)
        connection.text_factory = readable
        try:
            _add(connection, functions)
            _migrate(connection, path, schema, functions)
            connection.execute("PRAGMA query_only = ON")
        except BaseException:
            connection.close()
            raise
        return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Run the block as one write: all of it is committed, or none of it happened."""
    # IMMEDIATE takes the write lock now. A transaction that begins by reading and writes later fails with
    # SQLITE_BUSY at once, without the busy timeout, when another process has written in between.
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        # A failed COMMIT (disk full) may already have rolled back by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def snapshot(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Run the block's queries on one state of the file, whatever other connections write meanwhile."""
    connection.execute("BEGIN")
    try:
        yield connection
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def damage_of(
    path: Path, schema: Schema, functions: Mapping[str, Callable[..., str | bytes]] = NO_FUNCTIONS
) -> str | None:
    """Return what is wrong with the bytes of `path`, None when they are a whole database.

    Opened afresh and read to the end, more than once: a bit that was read wrongly is right the next
    time. `functions` as in `open_database`. Raises `StoreError` when the file cannot be read now, which says
    nothing about its content.
    """
    for _ in range(LOOKS):
        found = _look(path, schema, functions)
        if found is None:
            return None
        time.sleep(PAUSE_SECONDS)
    return found


def quarantine(path: Path, at: datetime) -> Path:
    """Give a damaged file and its log another name and return it. Ask `damage_of` first.

    Nothing is deleted: the name gains `.damaged-<UTC time>`. All parts have the new name, durably,
    before one loses the old; a cut or an error in between leaves a file with its whole log. Raises
    OSError.
    """
    kept = path.with_name(f"{path.name}.damaged-{at:%Y%m%dT%H%M%SZ}")
    parts = [part for part in ("", "-wal", "-shm") if path.with_name(path.name + part).exists()]
    made: list[Path] = []
    try:
        for part in parts:
            new = kept.with_name(kept.name + part)
            os.link(path.with_name(path.name + part), new)
            made.append(new)
        sync_folder(path.parent)
    except OSError:
        for new in made:
            with suppress(OSError):
                new.unlink()
        raise
    # The file before its log. A log without a file is deleted by SQLite at the next opening, which does no
    # harm: it has its new name by now. A file without its log would be opened with its last commits missing.
    for part in parts:
        path.with_name(path.name + part).unlink()
    sync_folder(path.parent)
    return kept


def take_salvaged(path: Path) -> None:
    """Give a file that was salvaged completely its name, where the damaged one has lost it already."""
    salvaged = path.with_name(path.name + SALVAGED)
    if path.exists() or not salvaged.exists():
        return
    for part in ("-wal", "-shm"):  # of the damaged file, which keeps them under its new name
        path.with_name(path.name + part).unlink(missing_ok=True)
    salvaged.replace(path)
    sync_folder(path.parent)


def _look(path: Path, schema: Schema, functions: Mapping[str, Callable[..., str | bytes]]) -> str | None:
    try:
        with refusals(path, schema), closing(_connect(f"{path.absolute().as_uri()}?mode=rw")) as connection:
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except StoreDamaged as error:
        return str(error.__cause__ or error)
    except StoreUnavailable as error:
        with refusals(path, schema):
            flaw = flaw_of(path, schema, functions) if is_refusal(error.__cause__) else None
        if flaw is None:
            raise
        return flaw
    if found != "ok":
        return str(found)
    with refusals(path, schema):
        return flaw_of(path, schema, functions)


def _connect(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_TIMEOUT_MS / 1000
    )
    connection.text_factory = readable
    return connection


def readable(text: bytes) -> str:
    """Return stored text; of a damaged one what can be read, so that it costs its own row and no other."""
    return text.decode("utf-8", "replace")


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
        sync_folder(path.parent)


def _configure(connection: sqlite3.Connection, synchronous: str) -> None:
    # Has an effect on a new file only. Pages of removed rows can then be given back to a full disk.
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    # What every connection has to be told anew: keep references whole, overwrite what is removed (names and
    # templates), and let no schema that somebody else wrote call functions.
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA trusted_schema = OFF")


def _add(connection: sqlite3.Connection, functions: Mapping[str, Callable[..., str | bytes]]) -> None:
    for name, function in functions.items():
        connection.create_function(name, -1, function)


def _migrate(
    connection: sqlite3.Connection,
    path: Path,
    schema: Schema,
    functions: Mapping[str, Callable[..., str | bytes]],
) -> None:
    begun = _checked_version(connection, path, schema)
    missing = [statements for statements in schema.migrations[begun:] if statements != COMPACT]
    is_doubtful = bool(begun and missing) and is_a_bit_from(begun, schema.version)
    # Before the first step, which would commit a wrong version number; the next step would then fail on
    # tables that exist already.
    if is_doubtful and has_tables_of(connection, schema, functions):
        raise StoreDamaged(f"{path}: the {schema.name} is damaged (version {begun} for {schema.version})")
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
        # VACUUM writes the whole file through the log; the checkpoint then empties the log, where the former
        # pages would stay readable.
        connection.execute(*COMPACT)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    connection.execute(f"PRAGMA user_version = {version + 1}")


def _known(connection: sqlite3.Connection, path: Path, schema: Schema, *, older: bool) -> sqlite3.Connection:
    """Return the connection if the file is what it should be, and else close it."""
    try:
        is_current = _checked_version(connection, path, schema) == schema.version
    except BaseException:
        connection.close()
        raise
    if is_current or older:
        return connection
    connection.close()
    raise StoreError(f"{path}: an older {schema.name}; start the door once to upgrade it")


def _checked_version(connection: sqlite3.Connection, path: Path, schema: Schema) -> int:
    (found,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    # A file that was just created has none of the three: it is ours to fill.
    if found != schema.application_id and (found or version or tables):
        raise StoreError(f"{path}: this is not a facegate {schema.name}; move it away or name another file")
    if not 0 <= version <= schema.version:
        raise StoreError(
            f"{path}: {schema.name} version {version}, this program knows up to {schema.version}; "
            "install the newer facegate again"
        )
    return int(version)


@contextmanager
def refusals(path: Path, schema: Schema) -> Iterator[None]:
    """Turn what SQLite and the file system say at opening into one `StoreError`."""
    try:
        yield
    except sqlite3.Error as error:
        if is_damage(error):
            raise StoreDamaged(
                f"{path}: the {schema.name} is damaged ({error}); restore or remove it"
            ) from error
        raise StoreUnavailable(f"{path}: cannot open the {schema.name}: {error}") from error
    except OSError as error:
        raise StoreUnavailable(f"{path}: cannot open the {schema.name}: {error.strerror}") from error
