"""Rules from afar: what a door no longer knows to have taken is asked for again, not applied."""

from __future__ import annotations

import os
import threading

import pytest

from edge.aside import simulated
from edge.errors import ConfigError, SyncError
from edge.panel.rule_file import RuleFile
from edge.runtime.clock import ManualClock
from edge.service.property.rules import HeldRules
from edge.wire.rules import DesiredRules, digest_of
from tests.fakes.deadlines import Deadlines
from tests.sync.hubside import MemoryJournal

OLD = '[levels.resident]\nschedule = "always"\n'
NEW = OLD + '\n[special_days]\n2027-01-01 = "holiday"\n'


class RuledDoor:
    """A door with a file of rules that the property may replace."""

    def __init__(self, folder):
        self.file, self.taken, self.journal = folder / "rules.toml", folder / "taken.json", MemoryJournal()
        self.file.write_text(OLD)
        self.start()

    def start(self):
        file = RuleFile(self.file, "UTC", lambda: "read")
        self.held = HeldRules(file, self.taken, self.journal.append, ManualClock(), is_let=True)

    def take(self, rev, base, text):
        self.held.take(DesiredRules("door-1", rev, digest_of(base), text))


@pytest.fixture
def door(tmp_path):
    return RuledDoor(tmp_path)


def test_what_somebody_changed_back_here_stays_when_the_door_forgets_what_it_took(door):
    """The broker keeps the wish, and shows it again at each start."""
    door.take(7, OLD, NEW)
    door.file.write_text(OLD)  # the installer did not want it
    door.taken.write_bytes(b"\x00 a card that is dying")
    door.start()
    assert door.held.reported().rev == 0
    with pytest.raises(ConfigError, match="send them again"):
        door.take(7, OLD, NEW)
    assert door.file.read_text() == OLD
    reported = door.held.reported()
    assert (reported.rev, "send them again" in (reported.refused or "")) == (7, True)
    door.start()
    door.take(7, OLD, NEW)
    assert door.file.read_text() == OLD
    door.take(8, OLD, NEW)
    assert door.file.read_text() == NEW


def test_what_the_card_did_not_give_at_the_start_is_not_asked_for_again(door):
    """Staff had to send their rules twice for a card that was slow to wake."""
    door.take(7, OLD, NEW)
    content = door.taken.read_bytes()
    door.taken.unlink()
    door.taken.mkdir()
    door.start()
    door.taken.rmdir()
    door.taken.write_bytes(content)
    door.take(8, NEW, OLD)
    assert (door.file.read_text(), door.held.reported().refused) == (OLD, None)


def test_what_the_card_did_not_give_at_the_start_and_is_gone_since_is_asked_for_again(door):
    door.take(7, OLD, NEW)
    door.file.write_text(OLD)
    door.taken.unlink()
    door.taken.mkdir()
    door.start()
    door.taken.rmdir()
    with pytest.raises(ConfigError, match="send them again"):
        door.take(7, OLD, NEW)
    assert door.file.read_text() == OLD


def test_rules_that_count_are_known_again_without_a_word(door):
    door.take(7, OLD, NEW)
    door.taken.write_bytes(b"{}")
    door.start()
    door.take(7, OLD, NEW)
    assert (door.held.reported().rev, door.held.reported().refused) == (7, None)
    with pytest.raises(SyncError, match="played back"):
        door.take(6, NEW, OLD)


def test_rules_that_were_replaced_before_a_power_cut_are_told_after_it(door):
    """The file had them; neither the journal nor the revision did. Told once."""
    door.file.write_text(NEW)
    door.start()
    for _ in range(2):
        door.take(7, OLD, NEW)
    assert [(one.kind, one.data["rev"]) for one in door.journal.drafts] == [("rules.taken", 7)]


def test_a_start_does_not_wait_for_a_card_that_hangs(door):
    os.mkfifo(door.taken)
    with simulated(Deadlines(threading.Event())):
        door.start()
    door.taken.write_text("{}")  # lets go of whoever waits at the pipe
    assert door.held.reported().rev == 0
