"""Old entries go when they have arrived; the chain stays whole; a full disk is survived."""

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from edge.domain import EventDraft
from edge.errors import JournalTampered
from edge.events import Kind
from edge.store.journal import SqliteJournal
from edge.store.outbox import SqliteOutbox
from edge.store.retention import FreedSpace, Retention
from tests.store.drafts import START, draft, filled

DAY = timedelta(days=1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "journal.db"


def retention(path, **options):
    return Retention(path, ballast_bytes=4096, **options)


def test_only_what_has_arrived_and_is_old_is_removed(path):
    """2,500 entries, 1,800 arrived: young ones stay, then the arrived ones go, never the rest."""
    journal, outbox = filled(path, 2500), SqliteOutbox(path)
    outbox.mark_done(1800)
    assert retention(path, keep_days=90).prune(START + 89 * DAY) == 0
    assert retention(path, keep_days=90).prune(None) == 0
    assert retention(path, keep_days=90).prune(START + 91 * DAY) == 1000, "a day's share"
    assert retention(path, keep_days=90).prune(START + 91 * DAY) == 800
    assert journal.read(0, 1)[0].seq == 1801
    assert journal.verify() == 700
    assert outbox.pending(1800, 1)[0][0] == 1801
    outbox.close()
    journal.close()


def test_the_age_of_each_entry_counts(path):
    """Entries are a second apart; the cut falls between two of them."""
    journal = filled(path, 100)
    assert retention(path, keep_days=1).prune(START + DAY + timedelta(seconds=40)) == 40
    assert journal.verify() == 60
    journal.close()


def test_what_was_written_under_another_clock_goes_by_its_neighbours(path):
    """Unknown and impossible stamps are no age; the trusted entry after them is."""
    trust = ["synced"]
    journal = SqliteJournal(path, "north", boot="b", clock_trust=lambda: trust[0])

    def at(moment, clock):
        trust[0] = clock
        journal.append(EventDraft(Kind.DOOR_OPENED, moment, 0.0))

    at(START - 400 * DAY, "unknown")
    assert retention(path).prune(START + 200 * DAY) == 0
    at(START + 26_000 * DAY, "restored")
    at(START, "synced")
    at(START - 400 * DAY, "unknown")
    at(START + 150 * DAY, "synced")
    at(START - 400 * DAY, "unknown")
    assert retention(path).prune(START + 80 * DAY) == 0
    assert retention(path).prune(START + 200 * DAY) == 3
    assert journal.verify() == 3
    journal.close()


def test_the_ballast_needs_no_clock(path):
    journal = filled(path, 1)
    retention(path).prune(None)
    assert path.with_name("ballast").stat().st_size == 4096
    journal.close()


def test_the_slowest_consumer_decides(path):
    """An outbox that was opened once is waited for."""
    journal, outbox, slow = filled(path, 50), SqliteOutbox(path), SqliteOutbox(path, "archive")
    outbox.mark_done(50)
    assert retention(path).prune(START + 999 * DAY) == 0
    slow.mark_done(20)
    assert retention(path).prune(START + 999 * DAY) == 20
    for each in (journal, outbox, slow):
        each.close()


def test_a_journal_emptied_by_retention_goes_on(path):
    """Numbers and chain continue after the last removed entry."""
    journal = filled(path, 10)
    assert retention(path).prune(START + 999 * DAY) == 10
    assert (journal.last(), journal.verify()) == (None, 0)
    event = journal.append(draft(11))
    assert event.seq == 11
    assert event.prev_hash != "0" * 64
    assert journal.verify() == 1
    journal.close()


def test_removing_more_by_hand_is_still_found(path):
    """Retention's anchor names the last entry it removed."""
    journal = filled(path, 20)
    retention(path, keep_days=1).prune(START + DAY + timedelta(seconds=5))
    journal._connection.execute("DROP TRIGGER events_are_kept")
    journal._connection.execute("DELETE FROM events WHERE seq = 6")
    with pytest.raises(JournalTampered, match="entry 6 is missing"):
        journal.verify()
    journal.close()


def test_the_ballast_is_real_and_goes_first(path):
    """It takes up blocks on the disk, and making room gives them back."""
    journal = filled(path, 5)
    keeper = Retention(path, ballast_bytes=1 << 20, certain=lambda: START)
    keeper.prune(START)
    ballast = path.with_name("ballast")
    assert ballast.stat().st_blocks * 512 >= 1 << 20
    assert keeper.make_room() == FreedSpace(True, 0, 0)
    assert not ballast.exists()
    journal.close()


def on_a_tiny_disk(folder, *words):
    command = [
        "unshare",
        "--mount",
        "--map-root-user",
        sys.executable,
        "-m",
        "tests.store.full_disk",
        str(folder),
        *words,
    ]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=120, check=False
    )
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no private mounts here: {done.stderr.strip()[:100]}")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_full_disk_without_relief_refuses_and_keeps_what_it_has(tmp_path):
    """8 MiB, filled by somebody else's log: clean refusals, nothing torn."""
    found = on_a_tiny_disk(tmp_path, "no relief", "delivered")
    assert found["refused"] > 0
    assert found["verified"] == found["last"] == 2000 + found["stored"]


def test_a_full_disk_with_relief_costs_no_event(tmp_path):
    """The ballast and delivered entries make room; all 1,000 new events are stored."""
    found = on_a_tiny_disk(tmp_path, "relief", "delivered")
    assert (found["stored"], found["refused"], found["ballast"]) == (1000, 0, False)
    assert found["last"] == 3000 + found["reliefs"]
    assert found["waiting"] == 1500 + found["reliefs"]


def test_a_full_disk_never_costs_an_event_that_has_not_arrived(tmp_path):
    """With nothing delivered only the ballast can help; every stored event is still there."""
    found = on_a_tiny_disk(tmp_path, "relief", "nothing delivered")
    assert found["stored"] > 0
    assert found["reliefs"] == 1
    assert found["waiting"] == found["verified"] == 2000 + found["stored"] + 1
