"""The power goes in the middle of a removal: at the next start it is finished, and told once."""

import os
from contextlib import ExitStack, closing
from datetime import UTC, datetime

import pytest

from edge.domain import Consent, Resident
from edge.enrol.leaving import LeavingDesk, unfinished
from edge.enrol.ways_in import WaysIn
from edge.errors import JournalUnavailable, StoreError
from edge.runtime.clock import ManualClock
from edge.service.chores.housekeeping import Beginning, Housekeeping
from edge.service.chores.retention import FaceKeeping
from edge.store.consents import CONSENTS_FILE, ConsentLedger
from edge.store.journal import SqliteJournal
from edge.store.residents import RESIDENTS_FILE, ResidentStore

AT = datetime(2026, 3, 1, tzinfo=UTC)


class Folder:
    """The files of a door from which somebody is removed."""

    def __init__(self, path, stack):
        self.path, self.clock = path, ManualClock(AT)
        self.store = stack.enter_context(closing(ResidentStore(path / RESIDENTS_FILE)))
        self.consents = stack.enter_context(closing(ConsentLedger(path / CONSENTS_FILE)))
        self.ways = stack.enter_context(closing(WaysIn(path)))
        journal = SqliteJournal(path / "journal.db", "north", boot="b", clock_trust=lambda: "synced")
        self.journal = stack.enter_context(closing(journal))

    def desk(self, **parts):
        return LeavingDesk(
            **{
                "store": self.store,
                "consents": self.consents,
                "ways": self.ways,
                "clock": self.clock,
                "commit": self.journal.append,
                **parts,
            }
        )

    def told(self):
        return [(event.resident_id, event.data["by"]) for event in self.journal.read()]


class Dying:
    """A part at which the process ends."""

    def __getattr__(self, name):
        os._exit(9)


@pytest.fixture
def door(tmp_path):
    with ExitStack() as stack:
        folder = Folder(tmp_path, stack)
        folder.store.put(Resident("anna", "Anna"), [])
        folder.consents.record(Consent("c-1", "anna", AT, "2026-1", "en", "door", "ines"))
        folder.ways.give_card("w26:17:1", "anna")
    return tmp_path


def cut(path, part):
    """Remove Anna in a process that ends when it comes to this part."""
    child = os.fork()
    if child == 0:
        with ExitStack() as stack:
            folder = Folder(path, stack)
            dying = (lambda _draft: os._exit(9)) if part == "commit" else Dying()
            folder.desk(**{part: dying}).move_out("anna", "ines")
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 9


@pytest.mark.parametrize("part", ["commit", "ways", "consents"])
def test_a_removal_that_was_cut_short_is_finished_at_the_next_start(door, part):
    cut(door, part)
    with ExitStack() as stack:
        folder = Folder(door, stack)
        assert folder.store.get("anna") is not None
        for _ in range(2):
            FaceKeeping(door, folder.clock, folder.journal.append, lambda: 0.0).begin()
            assert folder.store.get("anna") is None
            assert folder.ways.holders() == set()
            assert folder.consents.in_force() == {}
            assert folder.told() == [("anna", "ines")]
        assert unfinished(door) == []


def test_a_note_that_a_failing_card_does_not_give_is_read_at_the_next_look(door):
    """It was thrown away, so whoever was removed went on getting in."""
    cut(door, "ways")
    (note,) = unfinished(door)
    kept = note.rename(door / "hidden")
    note.symlink_to("/proc/self/mem")  # reading it fails as a dead block does
    with ExitStack() as stack:
        folder = Folder(door, stack)
        faces = FaceKeeping(door, folder.clock, folder.journal.append, lambda: 0.0)
        beginning = Beginning(faces.begin)
        chores = Housekeeping({}, lambda: None, folder.clock.monotonic, door / "chores-done", beginning)
        chores.step()
        assert folder.store.get("anna") is not None
        assert unfinished(door) == [note]
        note.unlink()
        kept.rename(note)
        for _ in range(2):
            chores.step()
            assert folder.store.get("anna") is None
            assert folder.ways.holders() == set()
            assert folder.told() == [("anna", "ines")]
        assert unfinished(door) == []


def test_a_removal_that_failed_was_told_and_is_not_done_later(door):
    """Whoever ordered it saw that, and may think better of it."""

    def full(_draft):
        raise JournalUnavailable("the disk is full")

    with ExitStack() as stack:
        folder = Folder(door, stack)
        with pytest.raises(JournalUnavailable):
            folder.desk(commit=full).move_out("anna", "ines")
        (door / "pin.key").unlink()
        with closing(WaysIn(door)) as ways, pytest.raises(StoreError):
            folder.desk(ways=ways).move_out("anna", "ines")
        assert unfinished(door) == []
        folder.desk().finish()
        assert folder.store.get("anna") is not None


def test_a_note_that_cannot_be_read_removes_nobody(door):
    with ExitStack() as stack:
        folder = Folder(door, stack)
        (door / "leaving-0123.json").write_text("{")
        folder.desk().finish()
        assert folder.store.get("anna") is not None
        assert unfinished(door) == []
