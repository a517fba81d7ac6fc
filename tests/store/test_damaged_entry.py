"""One damaged entry costs itself: the others are sent, the property is told, and `verify` names it."""

import json
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest

from edge.errors import JournalTampered
from edge.store.outbox import SqliteOutbox
from edge.store.reader import JournalReader
from edge.store.retention import Retention
from tests.store.drafts import START, filled


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "journal.db"
    filled(path, 60).close()
    return path


def spoil(path, before, after):
    """Replace bytes in the file itself, as a worn sector does."""
    data = path.read_bytes()
    assert data.count(before) == 1
    path.write_bytes(data.replace(before, after))


def sent(path, step=7):
    """Return everything a sender reads, in steps."""
    entries: list[tuple[int, str]] = []
    with closing(SqliteOutbox(path)) as outbox:
        while page := outbox.pending(entries[-1][0] if entries else 0, step):
            entries += page
    return [json.loads(text) for _, text in entries]


@pytest.mark.parametrize(
    "rubbish", [b'\xff\xfe\x81"n":\xff', b'xxxx"n" 30', b"\x00\x00\x00\x00\x00\x00\x00\x00\x00"]
)
def test_an_entry_that_is_no_event_any_more_is_sent_as_damaged_and_the_others_as_they_are(path, rubbish):
    text = next(t for t in (b'{"n":30', b'"n":30}') if path.read_bytes().count(t) == 1)
    spoil(path, text, rubbish.ljust(len(text), b"?")[: len(text)])
    entries = sent(path)
    assert [entry["seq"] for entry in entries] == list(range(1, 61))
    damaged = [entry for entry in entries if entry["type"] == "journal.damaged"]
    assert [entry["data"] for entry in damaged] == [{"entry": 31}]
    assert damaged[0]["prev"] == entries[29]["hash"]
    assert sent(path, step=1) == entries, "it is the same however it is read"


def test_the_check_names_the_damaged_entry(path):
    text = next(t for t in (b'{"n":30', b'"n":30}') if path.read_bytes().count(t) == 1)
    spoil(path, text, b"\xff" * len(text))
    with closing(JournalReader(path)) as reader:
        with pytest.raises(JournalTampered, match="entry 31"):
            reader.verify()
        assert len(reader.of_kind("access.granted")) == 59


def test_a_damaged_page_costs_the_entries_on_it(path):
    with closing(sqlite3.connect(path)) as connection:
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    data = bytearray(path.read_bytes())
    page = data.find(b'"n":30') // size
    data[page * size : page * size + 8] = b"\xff" * 8
    path.write_bytes(data)
    entries = sent(path)
    assert [entry["seq"] for entry in entries] == list(range(1, 61))
    damaged = [entry["seq"] for entry in entries if entry["type"] == "journal.damaged"]
    assert 31 in damaged
    assert len(damaged) < 20
    with (
        closing(JournalReader(path)) as reader,
        pytest.raises(JournalTampered, match=f"entry {damaged[0]} cannot"),
    ):
        reader.verify()


def test_a_missing_entry_holds_up_nobody(path):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TRIGGER events_are_kept")
        connection.execute("DELETE FROM events WHERE seq IN (5, 60)")
        connection.commit()
    entries = sent(path)
    assert [entry["seq"] for entry in entries if entry["type"] == "journal.damaged"] == [5, 60]


def test_a_damaged_entry_does_not_keep_the_old_ones(path):
    text = next(t for t in (b'{"n":30', b'"n":30}') if path.read_bytes().count(t) == 1)
    spoil(path, text, b"\xff" * len(text))
    assert Retention(path, 1, 4096).prune(START + timedelta(days=1, seconds=40)) == 40
