"""The journal as a sender sees it."""

import json
import sqlite3

import pytest

from edge.errors import JournalUnavailable
from edge.store.outbox import SqliteOutbox
from tests.store.drafts import draft, filled, open_journal


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


def test_entries_wait_in_order_until_they_are_done(path):
    """What travels is the entry with its hash."""
    journal, outbox = filled(path, 10), SqliteOutbox(path)
    assert (outbox.stream, outbox.newest(), outbox.done_upto()) == (journal.stream, 10, 0)
    outbox.mark_done(4)
    entries = outbox.pending(outbox.done_upto(), 3)
    assert [seq for seq, _ in entries] == [5, 6, 7]
    assert json.loads(entries[0][1])["hash"] == journal.read(4, 1)[0].hash
    assert journal.verify() == 10
    outbox.close()
    journal.close()


def test_progress_is_kept_never_goes_back_and_is_each_consumers_own(path):
    """A late, lower acknowledgement changes nothing."""
    journal, outbox, other = filled(path, 10), SqliteOutbox(path), SqliteOutbox(path, "archive")
    outbox.mark_done(7)
    outbox.mark_done(3)
    other.mark_done(1)
    outbox.close()
    again = SqliteOutbox(path)
    assert (again.done_upto(), other.done_upto()) == (7, 1)
    for each in (again, other, journal):
        each.close()


def test_an_append_is_seen_at_once(path):
    """Polling is enough; nobody has to tell the sender."""
    journal = open_journal(path)
    outbox = SqliteOutbox(path)
    assert outbox.pending(0, 10) == []
    journal.append(draft(0))
    assert [seq for seq, _ in outbox.pending(0, 10)] == [1]
    outbox.close()
    journal.close()


def test_a_locked_or_missing_journal_is_unavailable(path):
    """The sender tries again later; it never takes the process down."""
    with pytest.raises(JournalUnavailable, match="no journal has been begun"):
        SqliteOutbox(path)
    journal, outbox = filled(path, 1), SqliteOutbox(path)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    assert outbox.newest() == 1
    with pytest.raises(JournalUnavailable, match="locked"):
        outbox.mark_done(1)
    blocker.close()
    outbox.mark_done(1)
    outbox.close()
    journal.close()
