"""Daily chores: what is old and has arrived goes, and nothing on the word of a clock that is not set."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta

from edge.domain import EventDraft
from edge.runtime.clock import ManualClock
from edge.runtime.clock_trust import ClockTrust
from edge.service.chores.housekeeping import DAY_SECONDS, Housekeeping
from edge.service.entry.kept import EndedPasses
from edge.store.credentials import CREDENTIALS_FILE, CredentialStore
from edge.store.journal import SqliteJournal
from edge.store.outbox import SqliteOutbox
from edge.store.retention import Retention


class Broken:
    """Remembers when it was asked, and fails."""

    def __init__(self):
        self.asked = []

    def prune(self, now):
        self.asked.append(now)
        raise sqlite3.OperationalError("database is locked")


class Works(Broken):
    """Remembers when it was asked, and has nothing to do."""

    def prune(self, now):
        self.asked.append(now)
        return 0


def test_old_events_that_have_arrived_go_and_others_stay(tmp_path):
    clock, path = ManualClock(), tmp_path / "journal.db"
    old = clock.now() - timedelta(days=100)
    with closing(SqliteJournal(path, "north", boot="b", clock_trust=lambda: "synced")) as journal:
        for at in (old, old, clock.now()):
            journal.append(EventDraft("access.granted", at, 0.0))
        with closing(SqliteOutbox(path)) as outbox:
            outbox.mark_done(1)

        retention = Retention(path, 90, ballast_bytes=4096)
        Housekeeping({"events": retention}, clock, lambda: ClockTrust.SYNCED).step()

        assert [event.seq for event in journal.read()] == [2, 3]
        assert journal.verify() == 2


def test_it_is_done_once_a_day_and_a_failure_waits_for_the_next():
    clock, broken = ManualClock(), Broken()
    chores = Housekeeping({"broken": broken}, clock, lambda: ClockTrust.RESTORED)
    for _ in range(3):
        chores.step()
    clock.advance(DAY_SECONDS)
    chores.step()
    assert len(broken.asked) == 2


def test_an_unknown_time_removes_nothing_and_a_known_one_does_it_at_once():
    clock, broken, trust = ManualClock(), Broken(), [ClockTrust.UNKNOWN]
    chores = Housekeeping({"broken": broken}, clock, lambda: trust[0])
    chores.step()
    assert broken.asked == []
    trust[0] = ClockTrust.SYNCED
    chores.step()
    assert len(broken.asked) == 1


def test_one_chore_that_fails_does_not_keep_the_next():
    clock, broken, works = ManualClock(), Broken(), Works()
    Housekeeping({"a": broken, "b": works}, clock, lambda: ClockTrust.SYNCED).step()

    assert broken.asked == works.asked == [clock.now()]


def test_uses_of_passes_that_ended_go(tmp_path):
    clock = ManualClock()
    chores = Housekeeping({"passes": EndedPasses(tmp_path)}, clock, lambda: ClockTrust.SYNCED)
    chores.step()
    assert list(tmp_path.iterdir()) == [], "a door without visitors makes no file for them"
    with closing(CredentialStore(tmp_path / CREDENTIALS_FILE)) as store:
        store.take(b"ended", 1, clock.now() - timedelta(days=30))
        store.take(b"lasts", 1, clock.now() + timedelta(days=30))
        clock.advance(DAY_SECONDS)
        chores.step()
        assert store.take(b"lasts", 1, clock.now()) is None
        assert store.take(b"ended", 1, clock.now()) == 1
