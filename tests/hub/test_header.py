"""One wrong bit in the header of one of the property's files: set right before it is opened, nothing lost."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from edge.store.header import HEAD_BYTES
from facegate_hub.database import open_engine
from facegate_hub.header import right_head, set_header_right
from facegate_hub.tables import DOORS, open_tables

if TYPE_CHECKING:
    from pathlib import Path

DOOR_COUNT = 400
KEPT_BY_SQLITE = {*range(24, 32), *range(40, 44), *range(48, 52), *range(92, 100)}
"""Counters and sizes: a wrong one is asked of the file, or does no harm."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Return the bytes of a hub's database that was closed."""
    path = tmp_path_factory.mktemp("hub") / "hub.db"
    engine = open_tables(f"sqlite:///{path}")
    with engine.begin() as connection:
        rows = [{"id": f"door-{n}", "name": "x" * 60, "place": ""} for n in range(DOOR_COUNT)]
        connection.execute(sa.insert(DOORS), rows)
    engine.dispose()
    return path.read_bytes()


def turned(data: bytes, byte: int, bit: int) -> bytes:
    """Return the bytes with one bit turned."""
    changed = bytearray(data)
    changed[byte] ^= 1 << bit
    return bytes(changed)


def is_whole(path: Path) -> bool:
    """Return whether everything is there, and can be added to."""
    engine = open_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(sa.insert(DOORS).values(id="new", name="", place=""))
        count = connection.execute(sa.select(sa.func.count()).select_from(DOORS)).scalar()
        found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    engine.dispose()
    return (count, found) == (DOOR_COUNT + 1, "ok")


def test_every_bit_of_a_header_that_says_something_is_set_right(whole):
    head = whole[:HEAD_BYTES]
    for byte in sorted(set(range(HEAD_BYTES)) - KEPT_BY_SQLITE):
        for bit in range(8):
            assert right_head(turned(head, byte, bit), len(whole)) == head, (byte, bit)


@pytest.mark.parametrize(
    ("byte", "bit"),
    [
        (0, 1),
        (16, 4),
        (18, 0),
        (19, 3),
        (20, 2),
        (30, 0),
        (31, 1),
        (31, 2),
        (36, 1),
        (47, 3),
        (55, 2),
        (59, 1),
        (67, 0),
    ],
)
def test_a_file_with_a_wrong_bit_has_all_that_it_had(whole, tmp_path, byte, bit):
    path = tmp_path / "hub.db"
    path.write_bytes(turned(whole, byte, bit))
    assert is_whole(path)


def test_what_is_no_single_bit_and_what_is_right_stay_as_they_are(whole, tmp_path):
    path = tmp_path / "hub.db"
    for content in (whole, b"\0" * len(whole), b"this is something else" * 400, b"", b"short"):
        path.write_bytes(content)
        set_header_right(path)
        assert path.read_bytes() == content
        path.unlink()


def test_a_new_file_without_a_table_is_right(tmp_path):
    path = tmp_path / "hub.db"
    with closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA journal_mode = WAL")
    content = path.read_bytes()
    set_header_right(path)
    assert path.read_bytes() == content


def names(engine):
    with engine.connect() as connection:
        return set(connection.execute(sa.select(DOORS.c.id)).scalars())


def test_a_file_put_in_place_of_the_one_in_use_is_the_one_that_is_used(whole, tmp_path):
    """A backup is put back while the hub runs, with a bit wrong: nothing goes to the file that is gone."""
    path = tmp_path / "hub.db"
    engine = open_tables(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(sa.insert(DOORS).values(id="before", name="", place=""))
    for ending in ("-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)
    backup = tmp_path / "backup.db"
    backup.write_bytes(turned(whole, 0, 0))
    backup.replace(path)
    assert len(names(engine)) == DOOR_COUNT
    with engine.begin() as connection:
        connection.execute(sa.insert(DOORS).values(id="after", name="", place=""))
    engine.dispose()
    assert is_kept(path, "after")


def is_kept(path, name):
    with closing(sqlite3.connect(path)) as database:
        return database.execute("SELECT 1 FROM doors WHERE id = ?", (name,)).fetchone() is not None


def test_where_the_file_is_gone_the_database_fails_and_none_is_begun(tmp_path):
    path, away = tmp_path / "hub.db", tmp_path / "away.db"
    engine = open_tables(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(sa.insert(DOORS).values(id="before", name="", place=""))
    path.rename(away)
    with pytest.raises(sa.exc.OperationalError, match="not there any more"):
        names(engine)
    assert not path.exists()
    away.rename(path)
    assert names(engine) == {"before"}
    engine.dispose()
