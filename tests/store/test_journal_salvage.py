"""A damaged journal goes on entry by entry: whatever page is bad, nothing that can be read is lost."""

import json
import sqlite3
from contextlib import closing

import pytest

from edge.errors import JournalTampered
from edge.store.chain import GENESIS
from edge.store.journal_salvage import salvage_journal
from edge.store.outbox import SqliteOutbox
from edge.store.reader import JournalReader
from tests.present import present
from tests.store.drafts import START, draft, filled, open_journal

COUNT = 40
PAGE = 4096


def written(path, delivered=0):
    """Make a journal of `COUNT` entries, all in its one file, and return its stream and hashes by number."""
    journal = filled(path, COUNT)
    if delivered:
        with closing(SqliteOutbox(path)) as outbox:
            outbox.mark_done(delivered)
    stream, hashes = journal.stream, {event.seq: event.hash for event in journal.read(limit=COUNT)}
    journal.close()
    return stream, hashes


def pages_of(path, name):
    """Return the numbers of a table's or index's pages (from 0), the leaves in their order."""
    with closing(sqlite3.connect(path)) as file:
        found = file.execute("SELECT pageno FROM dbstat WHERE name = ? ORDER BY path", (name,)).fetchall()
    return [number - 1 for (number,) in found]


def spoil(path, page):
    with path.open("r+b") as file:
        file.seek(page * PAGE)
        file.write(b"\xa5" * PAGE)


def entries(path):
    with closing(JournalReader(path)) as reader:
        return {event.seq: event.hash for event in reader.read(limit=10 * COUNT)}


def test_a_whole_journal_is_left_alone(tmp_path):
    written(tmp_path / "journal.db")
    assert salvage_journal(tmp_path / "journal.db", START) is None


def test_each_bad_page_costs_at_most_what_lies_on_it(tmp_path):
    whole = tmp_path / "whole.db"
    stream, hashes = written(whole, delivered=10)
    content = whole.read_bytes()
    root, *leaves = pages_of(whole, "events")
    assert len(leaves) > 3
    lost_of: dict[int, set[str] | None] = {}
    for page in range(1, len(content) // PAGE):
        path = tmp_path / str(page) / "journal.db"
        path.parent.mkdir()
        path.write_bytes(content)
        spoil(path, page)
        done = salvage_journal(path, START)
        if done is None:  # a free page, or one that lists what belongs to whom
            continue
        assert path.with_name(done.kept).read_bytes() != path.read_bytes(), "the old file is kept"
        with closing(open_journal(path, seed=7)) as journal:
            assert journal.append(draft(99)).seq in {COUNT + 1, 1}
            is_same = journal.stream == stream
        found = entries(path)
        if not is_same:
            lost_of[page] = None
            assert list(found) == [1]
            continue
        lost_of[page] = hashes.keys() - found.keys()
        assert all(found[seq] == hashes[seq] for seq in hashes.keys() & found.keys())
        assert (done.rows, done.holes) == (COUNT - len(present(lost_of[page])), len(present(lost_of[page])))
    begun_anew = [page for page, lost in lost_of.items() if lost is None]
    assert set(begun_anew) == {*pages_of(whole, "origin"), *pages_of(whole, "sqlite_sequence")}
    assert lost_of.pop(root) == hashes.keys(), "it knows where each of them lies"
    assert {page for page, lost in lost_of.items() if lost} == set(leaves)
    assert sum(len(lost) for lost in lost_of.values() if lost) == COUNT, "each entry lies on one page"


def test_what_is_lost_is_told_in_its_place_and_named_by_verify(tmp_path):
    path = tmp_path / "journal.db"
    stream, hashes = written(path, delivered=3)
    spoil(path, pages_of(path, "events")[3])
    done = salvage_journal(path, START)
    lost = sorted(hashes.keys() - entries(path).keys())
    assert done is not None
    assert done.holes == len(lost) > 0
    with closing(JournalReader(path)) as reader, pytest.raises(JournalTampered, match=f"entry {lost[0]} is"):
        reader.verify()
    with closing(SqliteOutbox(path)) as outbox:
        assert (outbox.stream, outbox.done_upto()) == (stream, 3)
        sent = {seq: json.loads(text) for seq, text in outbox.pending(3, 2 * COUNT)}
    assert list(sent) == list(range(4, COUNT + 1))
    assert [seq for seq, event in sent.items() if event["type"] == "journal.damaged"] == lost
    assert sent[lost[0]]["prev"] == hashes[lost[0] - 1] != GENESIS


def test_a_door_at_work_goes_on_with_the_same_stream(tmp_path):
    """The entry that met the damage has the next number; the one before it says what was lost."""
    path = tmp_path / "journal.db"
    stream, hashes = written(path)
    spoil(path, pages_of(path, "events")[-1])
    with closing(open_journal(path, seed=7)) as journal:
        event = journal.append(draft(99))
        assert (journal.stream, event.seq) == (stream, COUNT + 2)
        told = journal.read(COUNT)[0]
    assert told.kind == "journal.quarantined"
    lost = hashes.keys() - entries(path).keys()
    assert (told.data["rows"], told.data["holes"]) == (COUNT - len(lost), len(lost))
    assert 0 < len(lost) < COUNT
