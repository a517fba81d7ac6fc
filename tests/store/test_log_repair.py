"""One wrong bit in the log of a file that was not closed: nothing that was committed is taken back."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from edge.store.database import Schema, open_database, transaction
from edge.store.log_repair import HEADER_BYTES, repaired_log
from edge.store.mended import news

if TYPE_CHECKING:
    from pathlib import Path

NOTES = Schema("notebook", 0x46474E31, (("CREATE TABLE notes (text TEXT)",),))
FRAME = 4096 + 24
COMMITS = 20


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    """Return a folder as a power cut leaves it: everything committed is in the log."""
    folder, live = tmp_path_factory.mktemp("left"), tmp_path_factory.mktemp("live")
    with closing(open_database(live / "notes.db", NOTES)) as file:
        file.execute("PRAGMA wal_autocheckpoint = 0")
        for n in range(COMMITS):
            with transaction(file):
                file.execute("INSERT INTO notes VALUES (?)", (f"{n} " + os.urandom(200).hex(),))
        for name in ("notes.db", "notes.db-wal"):
            shutil.copy(live / name, folder / name)
    return folder


def turned(data: bytes, bit: int) -> bytes:
    """Return the bytes with one bit turned."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def after_a_cut(left: Path, folder: Path, log: bytes) -> Path:
    """Return the file of a folder in which the power was cut, with this log."""
    folder.mkdir(exist_ok=True)
    shutil.copy(left / "notes.db", folder / "notes.db")
    (folder / "notes.db-wal").write_bytes(log)
    return folder / "notes.db"


def rows(path: Path) -> int:
    """Return how many commits a start finds."""
    with closing(open_database(path, NOTES)) as file:
        return int(file.execute("SELECT count(*) FROM notes").fetchone()[0])


def test_every_bit_of_the_header_is_set_right(left):
    log = (left / "notes.db-wal").read_bytes()
    for bit in range(HEADER_BYTES * 8):
        assert repaired_log(turned(log, bit))[:2] == (log, [f"bit {bit} of the header was wrong"])


@pytest.mark.parametrize(
    "place", [5, 60, 32 * 8 + 3, 40 * 8, 50 * 8 + 1, (HEADER_BYTES + 3 * FRAME + 2000) * 8]
)
def test_nothing_that_was_committed_is_taken_back(left, tmp_path, place):
    log = (left / "notes.db-wal").read_bytes()
    list(news())
    assert rows(after_a_cut(left, tmp_path / "a", turned(log, place))) == COMMITS
    (told,) = [one for one in news() if one.file.parent == tmp_path / "a"]
    assert (told.file.name, told.rows, told.holes) == ("notes.db-wal", 1, 0)


def test_most_bits_of_a_frame_are_found_and_the_others_are_told(left):
    log = (left / "notes.db-wal").read_bytes()
    frame = log[: HEADER_BYTES + 3 * FRAME]
    found = [
        repaired_log(turned(frame, (HEADER_BYTES + FRAME + byte) * 8 + 5)) for byte in range(0, FRAME, 37)
    ]
    assert all(told and (right == frame) is not is_lost for right, told, is_lost in found)
    assert sum(right == frame for right, _, _ in found) > len(found) / 2


def test_what_a_power_cut_tore_stays_torn(left):
    log = (left / "notes.db-wal").read_bytes()
    cut = HEADER_BYTES + 5 * FRAME
    for torn in (log[:-100], log[:cut] + bytes(FRAME) + log[cut + FRAME :], log[:20], b""):
        assert repaired_log(torn) == (torn, [], False)


def test_a_log_that_somebody_uses_is_not_touched(left, tmp_path):
    path = after_a_cut(left, tmp_path / "used", (left / "notes.db-wal").read_bytes())
    script = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM notes').fetchone();"
        "print('open', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        log = path.with_name("notes.db-wal")
        wrong = turned(log.read_bytes(), 5)
        log.write_bytes(wrong)
        with closing(open_database(path, NOTES)):
            assert log.read_bytes()[:HEADER_BYTES] == wrong[:HEADER_BYTES]
        assert other.stdin is not None
        other.stdin.close()


def test_sqlite_itself_takes_it_all_back(left, tmp_path):
    """The reason for all of this: should SQLite ever do it itself, this can go."""
    log = (left / "notes.db-wal").read_bytes()
    path = after_a_cut(left, tmp_path / "plain", turned(log, 5))
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
