"""The journal: durable, numbered, chained, append-only, and verified."""

import hashlib
import json
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import uuid
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge.domain import EventDraft
from edge.errors import JournalTampered, JournalUnavailable, StoreError, StoreUnavailable
from edge.events import Kind
from edge.store.chain import GENESIS, digest
from edge.store.ids import uuid7
from edge.store.outbox import SqliteOutbox
from edge.store.payload import canonical
from edge.store.reader import JournalReader
from edge.wire.envelope import EVENT
from edge.wire.shapes import require
from tests.present import present
from tests.store.drafts import START, draft, filled, open_journal
from tests.store.torn_log import EVENTS, run
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


def tamper(path, *statements):
    """Change the file behind the journal's back, as somebody with root could."""
    connection = sqlite3.connect(path)
    connection.execute("DROP TRIGGER events_are_final")
    connection.execute("DROP TRIGGER events_are_kept")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_events_come_back_as_they_were_written(path):
    """Every field of a draft survives, with number, ids and clock added."""
    with open_journal_closing(path) as journal:
        event = journal.append(draft(7, similarity=0.71, who={"näme": "安娜"}))
        assert journal.read() == [event]
        assert journal.last() == event
    assert (event.seq, event.kind, event.at, event.mono_ns) == (
        1,
        "access.granted",
        draft(7).at,
        107_000_000_000,
    )
    assert (event.boot, event.clock, event.door_id) == ("boot-1", "synced", "door-1")
    assert event.data == {"n": 7, "similarity": 0.71, "who": {"näme": "安娜"}}
    assert uuid.UUID(event.id).version == 7


class open_journal_closing:  # noqa: N801 - reads as the function it wraps
    def __init__(self, path, **options):
        self.journal = open_journal(path, **options)

    def __enter__(self):
        return self.journal

    def __exit__(self, *_):
        self.journal.close()


def test_the_chain_can_be_checked_by_anybody(path):
    """The hash is SHA-256 over the entry without `hash`, keys sorted, compact, UTF-8."""
    filled(path, 3).close()
    reader = JournalReader(path)
    before = GENESIS
    for row in reader.rows(0, 10):
        entry = json.loads(row.envelope)
        claimed = entry.pop("hash")
        assert entry["prev"] == before
        assert hashlib.sha256(canonical(entry).encode()).hexdigest() == claimed
        before = claimed
    reader.close()


def test_numbers_go_on_after_a_restart(path):
    """A second run continues the same stream."""
    first = filled(path, 2)
    first.close()
    with open_journal_closing(path, seed=9) as second:
        event = second.append(draft(2))
        assert (event.seq, event.stream) == (3, first.stream)
        assert second.verify() == 3


def test_a_new_file_is_a_new_stream(tmp_path):
    """A replaced card cannot collide with numbers already sent."""
    with (
        open_journal_closing(tmp_path / "a.db") as one,
        open_journal_closing(tmp_path / "b.db", seed=2) as two,
    ):
        assert one.stream != two.stream


def test_reading_starts_after_a_number_and_stops_at_the_limit(path):
    """Pages follow each other without gap or overlap."""
    journal = filled(path, 25)
    seen, page = [], journal.read(0, 10)
    while page:
        seen += [event.seq for event in page]
        page = journal.read(seen[-1], 10)
    assert seen == list(range(1, 26))
    journal.close()


def test_an_empty_journal_is_empty_and_whole(path):
    """No events is a fine journal."""
    with open_journal_closing(path) as journal:
        assert (journal.read(), journal.last(), journal.verify()) == ([], None, 0)


def test_ids_follow_from_time_and_the_given_randomness(path):
    """UUIDv7: 48 bits of milliseconds, version, variant; equal seeds give equal ids."""
    made = uuid7(START, random=lambda n: b"\xff" * n)
    assert uuid.UUID(made).int >> 80 == int(START.timestamp() * 1000)
    assert uuid.UUID(made).version == 7
    assert uuid.UUID(made).variant == uuid.RFC_4122
    assert uuid7(START, random=lambda n: b"\0" * n) < made


@pytest.mark.parametrize(
    "odd",
    [
        EventDraft(Kind.ALARM_DURESS, START.replace(tzinfo=None), 0.0),
        EventDraft(Kind.ALARM_DURESS, START, float("nan")),
        EventDraft(Kind.ALARM_DURESS, START, 0.0, "anna" * 100),
        EventDraft(Kind.ALARM_DURESS, START, 0.0, "\udcff", "why" * 100),
        EventDraft(Kind.ALARM_DURESS, START, 0.0, data={"embedding": [0.1] * 128}),
        EventDraft(Kind.ALARM_DURESS, START, 0.0, data={"image": b"\xff\xd8", "rule": "x y " * 400}),
    ],
)
def test_whatever_a_draft_holds_the_event_is_stored_and_can_travel(path, odd):
    """A silent alarm must leave a trace, whatever the resident's rules say in how many words."""
    journal = filled(path, 1)
    stored = journal.append(odd)
    assert (stored.kind, stored.seq) == ("alarm.duress", 2)
    assert journal.verify() == 2
    journal.close()
    with closing(JournalReader(path)) as reader:
        (row,) = reader.rows(1, 1)
    require(EVENT, json.loads(row.envelope), "evt")


def test_the_database_itself_refuses_changes(path):
    """Even our own code cannot edit or delete an entry by accident."""
    filled(path, 2).close()
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="never changed"):
        connection.execute("UPDATE events SET body = '{}' WHERE seq = 1")
    with pytest.raises(sqlite3.IntegrityError, match="only removed by retention"):
        connection.execute("DELETE FROM events WHERE seq = 1")
    connection.close()


EDIT_BODY = "UPDATE events SET body = replace(body, 'granted', 'denied_') WHERE seq = 3"
SWAP = (
    "UPDATE events SET seq = 99 WHERE seq = 3",
    "UPDATE events SET seq = 3 WHERE seq = 4",
    "UPDATE events SET seq = 4 WHERE seq = 99",
)


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        ((EDIT_BODY,), "entry 3 was edited"),
        (("UPDATE events SET hash = hash || '0' WHERE seq = 3",), "entry 3 was edited"),
        (("UPDATE events SET id = 'other' WHERE seq = 3",), "entry 3 was put in from another journal"),
        (("DELETE FROM events WHERE seq = 3",), "entry 3 is missing: 2 is followed by 4"),
        (("DELETE FROM events WHERE seq IN (3, 4)",), "entry 3 is missing: 2 is followed by 5"),
        (("DELETE FROM events WHERE seq = 1",), "entry 1 is missing"),
        (("DELETE FROM events WHERE seq > 4",), "entry 5 is missing: the journal once ended with 6"),
        (SWAP, "entry 3 was moved here: it was written as entry 4"),
        (("UPDATE events SET body = 'x' WHERE seq = 3",), "entry 3 was edited"),
        (("UPDATE origin SET stream = 'other'",), "entry 1 was put in from another journal"),
    ],
)
def test_tampering_is_found_and_the_first_bad_entry_named(path, statements, message):
    """Edited, deleted, moved, cut off, swapped in: the message says which entry and what."""
    filled(path, 6).close()
    tamper(path, *statements)
    reader = JournalReader(path)
    with pytest.raises(JournalTampered, match=message):
        reader.verify()
    reader.close()


def test_an_edit_with_a_new_hash_breaks_the_next_link(path):
    """Whoever edits one entry must rewrite all that follow."""
    filled(path, 6).close()
    reader = JournalReader(path)
    body = reader.rows(2, 1)[0].body.replace("anna", "otto")
    reader.close()
    tamper(path, f"UPDATE events SET body = '{body}', hash = '{digest(body)}' WHERE seq = 3")
    reader = JournalReader(path)
    with pytest.raises(JournalTampered, match="entry 4 does not follow entry 3"):
        reader.verify()
    reader.close()


def test_appending_after_a_cut_tail_leaves_a_visible_gap(path):
    """Numbers are never given twice, so a cut cannot be papered over by new events."""
    filled(path, 5).close()
    tamper(path, "DELETE FROM events WHERE seq > 3")
    with open_journal_closing(path) as journal:
        assert journal.append(draft(9)).seq == 6
        with pytest.raises(JournalTampered, match="entry 4 is missing: 3 is followed by 6"):
            journal.verify()


def test_many_threads_and_two_processes_share_one_chain(path):
    """Eight threads here and another process append at once: no gap, no fork."""
    journal = open_journal(path)
    script = (
        "import sys; from pathlib import Path; from tests.store.drafts import *\n"
        "j = open_journal(Path(sys.argv[1]), seed=77)\nfor n in range(40): j.append(draft(n))\nj.close()"
    )
    other = subprocess.Popen([sys.executable, "-c", script, str(path)], cwd=ROOT)
    threads = [
        threading.Thread(target=lambda: [journal.append(draft(n)) for n in range(20)], name=f"append-{i}")
        for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert other.wait(30) == 0
    assert journal.verify() == 200
    journal.close()


def test_what_was_committed_survives_a_kill(path):
    """A process killed while appending loses nothing it was told is stored."""
    script = (
        "import sys; from pathlib import Path; from tests.store.drafts import *\n"
        "j = open_journal(Path(sys.argv[1]), seed=int(sys.argv[2]))\nn = 0\n"
        "while True:\n n += 1; print(j.append(draft(n)).seq, flush=True)"
    )
    for kill in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", script, str(path), str(kill)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        told = [int(present(child.stdout).readline()) for _ in range(15)]
        child.send_signal(signal.SIGKILL)
        told += [int(line) for line in present(child.stdout).read().splitlines() if line]
        assert child.stdout is not None
        child.stdout.close()
        child.wait(PATIENCE)
        with open_journal_closing(path) as journal:
            assert journal.last().seq >= told[-1]
            assert journal.verify() == journal.last().seq


def test_a_removed_file_is_noticed_at_the_next_event(path):
    """Events are not written into a file nobody can find any more."""
    journal = filled(path, 1)
    path.unlink()
    with pytest.raises(JournalUnavailable, match="the file was removed"):
        journal.append(draft(1))
    journal.close()


def test_a_locked_file_is_unavailable_not_forever(path):
    """Another process holding the lock costs two seconds and a clear error, then all is well."""
    journal = filled(path, 1)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalUnavailable, match=r"cannot store access\.granted: database is locked"):
        journal.append(draft(1))
    blocker.execute("ROLLBACK")
    blocker.close()
    assert journal.append(draft(1)).seq == 2
    journal.close()


def fill(journal):
    for number in range(500):
        journal.append(draft(number))


def test_a_full_disk_is_unavailable_and_recovers(path):
    """SQLite's own page limit stands in for the disk; the error is ours and nothing is torn."""
    journal = filled(path, 3)
    pages = journal._connection.execute("PRAGMA page_count").fetchone()[0]
    journal._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(JournalUnavailable, match="full"):
        fill(journal)
    journal._connection.execute("PRAGMA max_page_count = 100000")
    journal.append(draft(9))
    assert journal.verify() == journal.last().seq
    journal.close()


def test_a_journal_cannot_be_read_where_there_is_none(path):
    """Looking creates nothing."""
    with pytest.raises(StoreError, match="there is no journal yet"):
        JournalReader(path)
    assert not path.exists()


def test_reading_works_while_another_process_writes(path):
    """The reader sees each commit at once."""
    with open_journal_closing(path) as journal:
        reader = JournalReader(path)
        for number in range(3):
            event = journal.append(draft(number))
            assert reader.last() == event
        reader.close()


def damage(path):
    """Overwrite everything after the header page, as a dying card does."""
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xa5" * (size - 100))


def test_a_journal_damaged_between_runs_is_kept_aside_and_begun_anew(path):
    """The door starts; the old file is still there for whoever can read it; the first event says so."""
    first = filled(path, 50)
    first.close()
    damage(path)
    with open_journal_closing(path, seed=5) as journal:
        assert journal.stream != first.stream
        assert journal.read()[0].kind == "journal.quarantined"
        kept = path.with_name(journal.read()[0].data["kept"])
        assert kept.exists()
        assert journal.append(draft(1)).seq == 2
        assert journal.verify() == 2


def test_a_damaged_journal_that_cannot_be_put_aside_is_told_and_tried_again(path):
    """The card fails once more, at that very moment: an error of the store, not a bare one of the system."""
    filled(path, 50).close()
    damage(path)
    moments = (datetime.now(UTC) + timedelta(seconds=n) for n in range(60))
    taken = [path.with_name(f"{path.name}.damaged-{at:%Y%m%dT%H%M%SZ}") for at in moments]
    for name in taken:
        name.touch()
    with pytest.raises(StoreUnavailable, match="cannot be mended now"):
        filled(path, 0)
    for name in taken:
        name.unlink()
    with open_journal_closing(path, seed=5) as journal:
        assert journal.read()[0].kind == "journal.quarantined"


def test_a_journal_damaged_while_running_loses_no_new_event(path):
    """The event that met the damage is stored in the new journal; a sender follows."""
    journal = filled(path, 400)
    outbox = SqliteOutbox(path)
    old_stream = outbox.stream
    journal._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    journal._connection.execute("PRAGMA cache_size = 0")
    damage(path)
    event = journal.append(draft(401))
    assert event.seq == 2
    assert outbox.stream == journal.stream != old_stream
    assert [seq for seq, _ in outbox.pending(outbox.done_upto(), 10)] == [1, 2]
    outbox.close()
    journal.close()


def test_a_torn_log_never_costs_more_than_its_torn_end(tmp_path):
    """Cut at a random byte, with or without garbage after it: opens, no gap, chain whole; 100 times."""
    found = run(tmp_path, trials=100, seed=random.SystemRandom().randrange(10**6))
    assert found["least"] < found["most"] <= EVENTS
