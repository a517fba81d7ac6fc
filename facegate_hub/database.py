"""A database of the property's side, SQLite or PostgreSQL: how it is opened, read and written to."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler

from edge.durable import let_group, like_folder
from facegate_hub.header import set_header_right
from facegate_hub.postgres import make_patient

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy.dialects import postgresql
    from sqlalchemy.engine import Connection, Engine

V = TypeVar("V")

FILE = "facegate file"
"""What a connection remembers: which file it was made to."""
AT_ONCE = 500
"""Values in one statement."""
BUSY_MS = 30_000
"""How long SQLite waits for another process's commit: a disk that hangs longer is an error."""


def open_engine(url: str) -> Engine:
    """Return an engine whose commits are durable and whose transactions are whole.

    `url` is SQLAlchemy's: `sqlite:////var/lib/facegate/hub.db` or `postgresql+psycopg://...`.
    """
    # A connection to a server can break between two statements, one to a file cannot; and on SQLite the check
    # before each use costs as much as most statements.
    engine = sa.create_engine(url, pool_pre_ping=not url.startswith("sqlite"))
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine)
        if engine.url.database:
            make_theirs(Path(engine.url.database))
            _follow_file(engine, Path(engine.url.database))
    elif engine.dialect.name == "postgresql":
        make_patient(engine)
    return engine


def make_theirs(path: Path, mode: int = 0o644) -> None:
    """Make an empty database for root, of the account that the folder belongs to; for others do nothing.

    SQLite would make it root's, and hub, console or signer, each with an account of its own, could write
    nothing to it. The files beside it SQLite itself gives to the database's owner.
    """
    # What is wrong with the folder is told by SQLite.
    with suppress(OSError):
        if os.geteuid() == 0 and str(path) != ":memory:":
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode))
            like_folder(path)


def reading(engine: Engine) -> Connection:
    """Return a connection for looking only, as a context: it sees one moment, and keeps nobody waiting."""
    if engine.dialect.name == "postgresql":
        return engine.connect().execution_options(isolation_level="REPEATABLE READ")
    return engine.connect().execution_options(looking=True)


def one_at_a_time(connection: Connection, table: sa.Table) -> None:
    """Lock a table against other writers until the commit; with SQLite `BEGIN IMMEDIATE` has done so."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"LOCK TABLE {table.name} IN SHARE ROW EXCLUSIVE MODE")


def insert_into(connection: Connection, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """Return an insert that can be told what to do about a key that is there: the dialect's own."""
    if connection.dialect.name != "postgresql":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - it loads its drivers' parts, asyncio too

    return postgresql.insert(table)


def insert_missing(
    connection: Connection, table: sa.Table, rows: list[dict[str, Any]]
) -> set[tuple[Any, ...]]:
    """Insert those rows whose key is not there, leave the others as they are; return the keys inserted.

    Of two hubs that insert the same key at once, one waits for the other's commit and inserts nothing.
    """
    if not rows:
        return set()
    statement = insert_into(connection, table).on_conflict_do_nothing().returning(*table.primary_key)
    return {tuple(row) for row in connection.execute(statement, rows)}


def in_parts(values: Iterable[V]) -> Iterator[list[V]]:
    """Yield values for one statement after another, each once.

    A statement takes a limited number of them (SQLite 32,766 by default, PostgreSQL 65,535). A door can send
    more; a statement that fails for it would be tried again for ever, as if the database were away.
    """
    left = list(dict.fromkeys(values))
    for start in range(0, len(left), AT_ONCE):
        yield left[start : start + AT_ONCE]


def put(connection: Connection, table: sa.Table, row: dict[str, Any]) -> None:
    """Insert a row, or change the given columns of the one with its key."""
    put_all(connection, table, [row])


def put_all(connection: Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    """Do so for many rows with the same columns, in one statement."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    statement = insert_into(connection, table)
    changed = {name: statement.excluded[name] for name in rows[0] if name not in keys}
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), rows)


class HintedCompiler(SQLiteCompiler):
    """Writes what `Select.with_hint` says, such as `INDEXED BY`, behind the table."""

    def get_from_hint_text(self, table: Any, text: str | None) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Return what is written behind a table."""
        return text


def _prepare_sqlite(engine: Engine) -> None:
    """Make SQLite durable, and its transactions exclusive from the start (SQLAlchemy's own recipe)."""
    engine.dialect.statement_compiler = HintedCompiler
    file = engine.url.database

    @sa.event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        if file and file != ":memory:":
            set_header_right(Path(file))
            let_group(Path(file), 0o060)  # before the log is made beside it, which gets the same rights
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")

    @sa.event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        looking = connection.get_execution_options().get("looking", False)
        connection.exec_driver_sql("BEGIN" if looking else "BEGIN IMMEDIATE")


def _follow_file(engine: Engine, path: Path) -> None:
    """Stop using a connection whose database file was replaced or moved away.

    What is written to such a file is lost with its last connection, although doors would have been told that
    their events are stored. Instead a connection to the new file is opened; without one the database fails.
    """
    if str(path) == ":memory:":
        return

    @sa.event.listens_for(engine, "checkout")
    def on_checkout(_connection: Any, record: Any, _proxy: Any) -> None:
        try:
            found = path.stat()
        except OSError as error:
            gone = sqlite3.OperationalError(f"{path} is not there any more")
            raise sa.exc.OperationalError("", None, gone) from error
        mark = (found.st_dev, found.st_ino)
        if record.info.setdefault(FILE, mark) != mark:
            raise sa.exc.DisconnectionError
