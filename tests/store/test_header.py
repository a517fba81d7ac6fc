"""One wrong bit in what a file says of itself: found before a change, and mended with every row."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge.errors import StoreDamaged, StoreError, StoreUnavailable
from edge.store.account_rows import ACCOUNTS
from edge.store.consent_rows import CONSENTS
from edge.store.database import COMPACT, Schema, open_database, transaction
from edge.store.face_book import FACES
from edge.store.header import ALIKE, HEAD_BYTES, flaw_of
from edge.store.journal_salvage import salvage_journal
from edge.store.keyring import KEYS
from edge.store.ledger import LEDGER
from edge.store.memory_copy import first_bytes
from edge.store.mended import news
from edge.store.reader import JOURNAL
from edge.store.resident_rows import RESIDENTS
from edge.store.shared import SharedDatabase
from edge.store.way_rows import CREDENTIALS

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTES = Schema(
    "notebook",
    0x46474E31,
    (("CREATE TABLE notes (n INTEGER PRIMARY KEY, text TEXT)",), ("CREATE TABLE more (id TEXT)",), COMPACT),
)
OURS = (ACCOUNTS, CONSENTS, CREDENTIALS, FACES, JOURNAL, KEYS, LEDGER, RESIDENTS)
FUNCTIONS = {
    name: lambda *_: ""
    for name in ("sealed_name", "sealed_record", "sealed_consent", "card_mark", "sealed_card")
}
PLACES = [*(byte for at, value, _ in ALIKE for byte in range(at, at + len(value))), *range(28, 32)]
VERSION, IDENTITY = range(60, 64), range(68, 72)
ROWS = 300


def whole(path: Path, schema: Schema = NOTES) -> bytes:
    """Return the bytes of a closed file of this kind; notes have rows on several pages."""
    with closing(open_database(path, schema, functions=FUNCTIONS)) as file:
        if schema is NOTES:
            with transaction(file):
                file.executemany("INSERT INTO notes (text) VALUES (?)", [("x" * 100,)] * ROWS)
    return path.read_bytes()


def turned(data: bytes, byte: int, bit: int) -> bytes:
    """Return the bytes with one bit turned."""
    changed = bytearray(data)
    changed[byte] ^= 1 << bit
    return bytes(changed)


def each(data: bytes, places: Iterator[int]) -> Iterator[tuple[int, int, bytes]]:
    """Give the bytes with each bit of these places turned."""
    for byte in places:
        for bit in range(8):
            yield byte, bit, turned(data, byte, bit)


def opened(path: Path, schema: Schema) -> str:
    """Return what came of opening a file for writing to it."""
    try:
        with closing(open_database(path, schema, functions=FUNCTIONS)) as file, transaction(file):
            file.execute("CREATE TABLE probe (x)")
    except StoreDamaged:
        return "damaged"
    except (StoreError, sqlite3.Error) as error:
        return repr(error)
    return "well"


@pytest.mark.parametrize("schema", OURS, ids=lambda one: one.name)
def test_every_wrong_bit_of_a_header_is_damage_or_does_no_harm(tmp_path, schema):
    data = whole(tmp_path / "whole.db", schema)
    one_more = int.from_bytes(data[60:64], "big") + 1
    found = {}
    for byte, bit, wrong in each(data, iter([*PLACES, *VERSION, *IDENTITY])):
        if int.from_bytes(wrong[60:64], "big") == one_more:
            continue  # may be a version to come
        path = tmp_path / f"{byte}-{bit}.db"
        path.write_bytes(wrong)
        found[byte, bit] = opened(path, schema)
        for part in tmp_path.glob(f"{byte}-{bit}.db*"):
            part.unlink()
    assert {place: what for place, what in found.items() if what not in {"damaged", "well"}} == {}
    assert sum(what == "damaged" for what in found.values()) > len(found) / 2


def test_a_copy_that_was_never_opened_is_right(tmp_path):
    whole(tmp_path / "notes.db")
    with closing(sqlite3.connect(tmp_path / "notes.db")) as file:
        file.execute("VACUUM INTO ?", (str(tmp_path / "copy.db"),))
    assert opened(tmp_path / "copy.db", NOTES) == "well"


@pytest.mark.parametrize(
    ("byte", "bit"),
    [
        (0, 2),
        (18, 0),
        (19, 4),
        (20, 3),
        (28, 2),
        (31, 1),
        (47, 3),
        (59, 1),
        (60, 2),
        (60, 7),
        (63, 2),
        (71, 0),
    ],
)
def test_a_file_with_a_wrong_bit_in_its_header_keeps_every_row_and_is_told(tmp_path, byte, bit):
    path = tmp_path / "notes.db"
    path.write_bytes(turned(whole(tmp_path / "whole.db"), byte, bit))
    list(news())
    with closing(SharedDatabase(path, NOTES, after_mending=())) as file:
        file.check()
        with file.writing() as connection:
            connection.execute("INSERT INTO more VALUES ('new')")
        with file.using() as connection:
            assert connection.execute("SELECT count(*) FROM notes").fetchone() == (ROWS,)
    assert [(one.file.name, one.rows, one.holes) for one in news() if one.file == path] == [
        (path.name, ROWS, 0)
    ]


def test_nothing_is_cut_off_a_file_whose_header_says_that_it_is_shorter(tmp_path):
    path = tmp_path / "notes.db"
    data = whole(path)
    pages = int.from_bytes(data[28:32], "big")
    path.write_bytes(data[:28] + (pages - 2).to_bytes(4, "big") + data[32:])
    with pytest.raises(StoreDamaged):
        open_database(path, NOTES)
    assert len(path.read_bytes()) == len(data)


def test_a_journal_with_a_wrong_bit_in_its_header_goes_on_with_its_numbers(tmp_path):
    path = tmp_path / "journal.db"
    with closing(open_database(path, JOURNAL)) as file, transaction(file):
        file.execute("INSERT INTO origin VALUES (1, 'stream', 0, 'none')")
        file.executemany(
            "INSERT INTO events (id, body, hash) VALUES (?, '{}', 'x')", [(str(n),) for n in range(9)]
        )
    data = path.read_bytes()
    for byte in (18, 31, 47, 62, 70):
        path.write_bytes(turned(data, byte, 1 if byte == 31 else 3))
        done = salvage_journal(path, at_noon())
        assert done is not None
        assert (done.rows, done.holes) == (9, 0)
        with closing(open_database(path, JOURNAL)) as file:
            assert file.execute("SELECT stream FROM origin").fetchone() == ("stream",)
        for part in tmp_path.glob("*.damaged-*"):
            part.unlink()


def at_noon():
    """Return a time that names what is set aside."""
    from datetime import UTC, datetime  # noqa: PLC0415 - only here

    return datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_a_file_of_another_kind_or_of_a_version_to_come_stays_refused(tmp_path):
    ledger = tmp_path / "ledger.db"
    whole(ledger, LEDGER)  # its application id is a bit away from that of credentials
    with pytest.raises(StoreError, match="not a facegate credential store"):
        open_database(ledger, CREDENTIALS, functions=FUNCTIONS)
    assert flaw_of(ledger, CREDENTIALS, FUNCTIONS) is None
    newer = tmp_path / "newer.db"
    to_come = Schema(
        "notebook", NOTES.application_id, (*NOTES.migrations, ("CREATE TABLE yet (id TEXT)",)) * 1
    )
    whole(newer, to_come)
    with pytest.raises(StoreError, match="install the newer facegate again") as refused:
        open_database(newer, NOTES)
    assert not isinstance(refused.value, StoreDamaged | StoreUnavailable)


def test_files_that_are_gone_keep_no_descriptor(tmp_path):
    """A door that runs for months, and a run of ten thousand tests, open files that are replaced."""
    path = tmp_path / "one.db"
    for _ in range(50):
        path.write_bytes(bytes(HEAD_BYTES))
        assert first_bytes(path, 4) == bytes(4)
        path.unlink()

    held = []
    for one in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the folder's own
            held.append(str(one.readlink()))
    assert sum(str(path) in one for one in held) <= 1
