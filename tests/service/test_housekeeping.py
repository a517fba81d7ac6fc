"""Daily chores: what is old and has arrived goes, and nothing on the word of a clock that is not set."""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import closing
from datetime import timedelta

import pytest

from edge.aside import simulated
from edge.domain import EventDraft
from edge.events import Kind
from edge.runtime.clock import ManualClock
from edge.service.chores.housekeeping import DAY_SECONDS, Beginning, Housekeeping
from edge.service.entry.kept import EndedPasses
from edge.store.credentials import CredentialStore
from edge.store.journal import SqliteJournal
from edge.store.outbox import SqliteOutbox
from edge.store.retention import Retention
from edge.store.way_rows import CREDENTIALS_FILE
from tests.fakes.deadlines import Deadlines
from tests.waiting import wait_until


class Broken:
    """Remembers when it was asked, and fails."""

    def __init__(self):
        self.asked = []

    def prune(self, certain):
        self.asked.append(certain)
        raise sqlite3.OperationalError("database is locked")


class Works(Broken):
    """Remembers when it was asked, and has nothing to do."""

    def prune(self, certain):
        self.asked.append(certain)
        return 0


def keeper(chores, clock, folder, certain=None):
    return Housekeeping(chores, certain or clock.now, clock.monotonic, folder / "chores-done")


def test_a_start_does_not_wait_for_a_card_that_hangs(tmp_path):
    """Else the door would not come up at all: systemd ends a start that takes two minutes."""
    done, stuck = tmp_path / "chores-done", tmp_path / "stuck"
    os.mkfifo(done)
    clock, chore, is_well = ManualClock(), Works(), threading.Event()
    with simulated(Deadlines(is_well)):
        chores = keeper({"chore": chore}, clock, tmp_path)
        chores.step()
        assert chore.asked == []
        done.rename(stuck)
        done.write_text(f"{clock.monotonic() - 2 * DAY_SECONDS:.0f}\n")
        is_well.set()
        os.close(os.open(stuck, os.O_RDWR))  # what hung goes on
        wait_until(lambda: chores.step() or chore.asked)


def test_what_a_power_cut_interrupted_is_tried_until_it_is_done(tmp_path):
    answers, clock = [False, False, True], ManualClock()
    beginning = Beginning(lambda: answers.pop(0))
    chores = Housekeeping({}, clock.now, clock.monotonic, tmp_path / "chores-done", beginning)
    for _ in range(5):
        chores.step()
    assert answers == []


def test_old_events_that_have_arrived_go_and_others_stay(tmp_path):
    clock, path = ManualClock(), tmp_path / "journal.db"
    old = clock.now() - timedelta(days=100)
    with closing(SqliteJournal(path, "north", boot="b", clock_trust=lambda: "synced")) as journal:
        for at in (old, old, clock.now()):
            journal.append(EventDraft(Kind.ACCESS_GRANTED, at, 0.0))
        with closing(SqliteOutbox(path)) as outbox:
            outbox.mark_done(1)

        retention = Retention(path, 90, ballast_bytes=4096)
        keeper({"events": retention}, clock, tmp_path).step()

        assert [event.seq for event in journal.read()] == [2, 3]
        assert journal.verify() == 2


def test_it_is_done_once_a_day_and_a_failure_waits_for_the_next(tmp_path):
    clock, broken = ManualClock(), Broken()
    chores = keeper({"broken": broken}, clock, tmp_path)
    for _ in range(3):
        chores.step()
    clock.advance(DAY_SECONDS)
    chores.step()
    assert len(broken.asked) == 2


def test_a_door_that_restarts_all_day_does_its_chores_once(tmp_path):
    clock, works = ManualClock(), Works()
    for _ in range(5):
        keeper({"works": works}, clock, tmp_path).step()
        clock.advance(DAY_SECONDS / 10)
    assert len(works.asked) == 1
    clock.advance(DAY_SECONDS)
    keeper({"works": works}, clock, tmp_path).step()
    assert len(works.asked) == 2


@pytest.mark.parametrize("content", ["", "soon", "9e99", "nan"])
def test_a_damaged_note_of_the_last_chores_keeps_nothing_back(tmp_path, content):
    (tmp_path / "chores-done").write_text(content)
    works = Works()
    keeper({"works": works}, ManualClock(monotonic=10.0), tmp_path).step()
    assert len(works.asked) == 1


def test_without_a_certain_time_the_chores_are_told_so(tmp_path):
    clock, works = ManualClock(), Works()
    keeper({"works": works}, clock, tmp_path, lambda: None).step()
    assert works.asked == [None]


def test_one_chore_that_fails_does_not_keep_the_next(tmp_path):
    clock, broken, works = ManualClock(), Broken(), Works()
    keeper({"a": broken, "b": works}, clock, tmp_path).step()

    assert broken.asked == works.asked == [clock.now()]


def test_uses_of_passes_that_ended_go(tmp_path):
    clock = ManualClock()
    chores = keeper({"passes": EndedPasses(tmp_path)}, clock, tmp_path)
    chores.step()
    assert not (tmp_path / CREDENTIALS_FILE).exists(), "a door without visitors makes no file for them"
    with closing(CredentialStore(tmp_path / CREDENTIALS_FILE)) as store:
        store.take(b"ended", 1, clock.now(), clock.now() - timedelta(days=30), clock.now())
        store.take(b"lasts", 1, clock.now(), clock.now() + timedelta(days=30), clock.now())
        clock.advance(DAY_SECONDS)
        chores.step()
        assert store.take(b"lasts", 1, clock.now(), clock.now(), clock.now()) is None
        assert store.take(b"ended", 1, clock.now(), clock.now(), clock.now()) == 1
