"""Opens the community's database: SQLite in a folder of its own by default, PostgreSQL for big sites."""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from edge.durable import let_group, like_folder, make_folder
from edge.errors import StoreError
from edge.store.sealer import AesGcmSealer, file_key
from facegate_hub.community.book import Book
from facegate_hub.database import open_engine
from facegate_hub.postgres import ANSWER_SECONDS, take_time

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Engine

    from edge.ports import Clock

FOLDER = "community"
"""In the site's folder: database and key; the residents' page reads nothing else there."""
DATABASE_FILE, KEY_FILE = "community.db", "community.key"
MAKING_TABLES = 0x66616366
"""Key of PostgreSQL's advisory lock; any number that no other program on this database uses."""
MIGRATIONS = Path(__file__).with_name("migrations")

KEPT_FOR_EVER = tuple(
    f"CREATE TRIGGER IF NOT EXISTS ledger_{verb} BEFORE {verb} ON ledger "
    "BEGIN SELECT RAISE(ABORT, 'entries of the book are never changed or deleted'); END"
    for verb in ("UPDATE", "DELETE")
)
MAKE_KEEPER = (
    "CREATE OR REPLACE FUNCTION ledger_is_kept() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'entries of the book are never changed or deleted'; END $$"
)
MAKE_TRIGGER = (
    "CREATE OR REPLACE TRIGGER ledger_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger "
    "FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_kept()"
)
KEPT_FOR_EVER_POSTGRES = (MAKE_KEEPER, MAKE_TRIGGER)


def database_url(site: Path) -> str:
    """Return the default database of a site: SQLite in `community`."""
    return f"sqlite:///{(site / FOLDER / DATABASE_FILE).absolute()}"


def open_book(site: Path, url: str | None, clock: Clock) -> Book:
    """Return the book of a site, its tables made or brought up to date. Raises `StoreError`.

    The key that seals texts is made in `community` (mode 0600) when there is none; keep a copy elsewhere.
    """
    folder = site / FOLDER
    make_folder(folder)
    key = file_key(folder / KEY_FILE)
    like_folder(folder / KEY_FILE)
    let_group(folder / KEY_FILE, 0o040)
    secret = hmac.digest(key, b"what is not sealed", "sha256")
    return Book(open_community(url or database_url(site)), AesGcmSealer(key), clock, secret)


def open_community(url: str) -> Engine:
    """Return an engine with all tables in place. Raises `StoreError` when that cannot be."""
    try:
        engine = open_engine(url)
        if engine.dialect.name == "sqlite":
            sa.event.listen(engine, "connect", _be_careful)
        with engine.begin() as connection:
            _migrate(connection)
    except (sa.exc.SQLAlchemyError, ImportError) as error:
        raise StoreError(f"community database: {str(error).splitlines()[0]}") from error
    return engine


def clear_away(book: Book) -> None:
    """Remove the bytes of deleted rows from SQLite's files, including the write-ahead log."""
    if book.engine.dialect.name != "sqlite":
        return
    with book.engine.connect().execution_options(isolation_level="AUTOCOMMIT", looking=True) as connection:
        raw = connection.connection.driver_connection
        assert raw is not None  # noqa: S101 - a connection that is open has one
        # SQLite refuses `VACUUM` within a transaction, and SQLAlchemy has begun one with the connection.
        connection.rollback()
        raw.execute("VACUUM")
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _migrate(connection: Connection) -> None:
    """Make or change tables; one process at a time, however many start at once."""
    is_postgres = connection.dialect.name == "postgresql"
    if is_postgres:
        # A migration may move years of rows, which takes longer than the usual limit for an answer.
        take_time(connection, None)
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MAKING_TABLES)))
    config = Config()
    # Alembic reads its options with configparser, to which a single % means a placeholder.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    # At every start, not only with the first version: a database restored from a dump may lack its triggers.
    for statement in KEPT_FOR_EVER_POSTGRES if is_postgres else KEPT_FOR_EVER:
        connection.exec_driver_sql(statement)
    if is_postgres:
        take_time(connection, ANSWER_SECONDS)


def _be_careful(connection: object, _record: object) -> None:
    """Have SQLite overwrite deleted rows, and trust no function in a view or trigger of the file.

    The residents' page can write this file: whoever takes the page over could put a trigger into it.
    """
    connection.execute("PRAGMA secure_delete = ON")  # type: ignore[attr-defined]
    connection.execute("PRAGMA trusted_schema = OFF")  # type: ignore[attr-defined]
