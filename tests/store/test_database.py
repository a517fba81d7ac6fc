"""Opening SQLite files: durable settings, migrations, and files that are not ours."""

import sqlite3
import stat
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from edge.errors import StoreError
from edge.store.database import Schema, open_database, open_read_only, quarantine, transaction

ONE = Schema("notebook", 0x46474E31, (("CREATE TABLE notes (text TEXT NOT NULL)",),))
TWO = replace(ONE, migrations=(*ONE.migrations, ("ALTER TABLE notes ADD COLUMN colour TEXT",)))
BROKEN = replace(ONE, migrations=(*ONE.migrations, ("ALTER TABLE notes ADD COLUMN a TEXT", "NONSENSE")))


def pragma(connection, name):
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def test_a_new_file_is_durable_and_private(tmp_path):
    """WAL, FULL, foreign keys and secure_delete are on, and only the owner can read the file."""
    connection = open_database(tmp_path / "deep" / "n.db", ONE)
    assert pragma(connection, "journal_mode") == "wal"
    assert pragma(connection, "synchronous") == 2
    assert pragma(connection, "foreign_keys") == 1
    assert pragma(connection, "secure_delete") == 1
    connection.execute("INSERT INTO notes VALUES ('a')")
    for name in ("n.db", "n.db-wal"):
        assert stat.S_IMODE((tmp_path / "deep" / name).stat().st_mode) == 0o600
    connection.close()


def test_an_older_file_is_migrated_and_keeps_its_rows(tmp_path):
    """Opening with a newer schema adds what is new."""
    first = open_database(tmp_path / "n.db", ONE)
    first.execute("INSERT INTO notes VALUES ('kept')")
    first.close()
    second = open_database(tmp_path / "n.db", TWO)
    assert second.execute("SELECT text, colour FROM notes").fetchall() == [("kept", None)]
    assert pragma(second, "user_version") == 2
    second.close()


def test_a_failed_migration_changes_nothing(tmp_path):
    """A migration is one transaction: the file stays at its old version."""
    open_database(tmp_path / "n.db", ONE).close()
    with pytest.raises(StoreError, match="cannot open the notebook"):
        open_database(tmp_path / "n.db", BROKEN)
    connection = open_database(tmp_path / "n.db", ONE)
    assert pragma(connection, "user_version") == 1
    assert [row[1] for row in connection.execute("PRAGMA table_info(notes)")] == ["text"]
    connection.close()


def test_a_newer_file_is_refused(tmp_path):
    """A downgrade never writes into a file it does not understand."""
    open_database(tmp_path / "n.db", TWO).close()
    with pytest.raises(StoreError, match="version 2, this program knows up to 1"):
        open_database(tmp_path / "n.db", ONE)


def test_a_foreign_database_is_refused_and_untouched(tmp_path):
    """Some other program's tables are not migrated into ours."""
    foreign = sqlite3.connect(tmp_path / "n.db")
    foreign.execute("CREATE TABLE theirs (x)")
    foreign.commit()
    foreign.close()
    with pytest.raises(StoreError, match="not a facegate notebook"):
        open_database(tmp_path / "n.db", ONE)


@pytest.mark.parametrize(
    "content", [b"hello, this is not a database at all" * 40, b"SQLite format 3\0" + b"\xff" * 4080]
)
def test_a_damaged_file_is_refused(tmp_path, content):
    """Garbage is named as damage, with the way out."""
    (tmp_path / "n.db").write_bytes(content)
    with pytest.raises(StoreError, match=r"n\.db: (the notebook is damaged|cannot open)"):
        open_database(tmp_path / "n.db", ONE)


def test_a_folder_in_the_way_is_one_clear_error(tmp_path):
    """The operating system's refusal becomes ours."""
    (tmp_path / "n.db").mkdir()
    with pytest.raises(StoreError, match="cannot open the notebook: Is a directory"):
        open_database(tmp_path / "n.db", ONE)


def test_reading_needs_an_existing_file_and_cannot_write(tmp_path):
    """A read-only look creates nothing and changes nothing."""
    with pytest.raises(StoreError, match="there is no notebook yet"):
        open_read_only(tmp_path / "n.db", ONE)
    assert list(tmp_path.iterdir()) == []
    owner = open_database(tmp_path / "n.db", ONE)
    reader = open_read_only(tmp_path / "n.db", ONE)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("INSERT INTO notes VALUES ('x')")
    reader.close()
    owner.close()


def write_half(connection):
    with transaction(connection):
        connection.execute("INSERT INTO notes VALUES ('half')")
        _ = 1 / 0


def test_a_transaction_is_all_or_nothing(tmp_path):
    """An exception inside leaves the file as it was."""
    connection = open_database(tmp_path / "n.db", ONE)
    with pytest.raises(ZeroDivisionError):
        write_half(connection)
    assert connection.execute("SELECT count(*) FROM notes").fetchone() == (0,)
    connection.close()


def test_quarantine_keeps_the_damaged_file_under_another_name(tmp_path):
    """Nothing is thrown away, and a new file can be made in its place."""
    (tmp_path / "n.db").write_bytes(b"damaged" * 100)
    (tmp_path / "n.db-wal").write_bytes(b"log")
    kept = quarantine(tmp_path / "n.db", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert kept.name == "n.db.damaged-20260102T030405Z"
    assert kept.read_bytes().startswith(b"damaged")
    assert kept.with_name(kept.name + "-wal").read_bytes() == b"log"
    open_database(tmp_path / "n.db", ONE).close()
