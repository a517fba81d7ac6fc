"""What a remote command does at the door, and that the answer is what its contact said."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta

import pytest

from edge.controller import DoorController
from edge.domain import EventDraft
from edge.event_log.log import EventLog
from edge.events import Kind
from edge.policy.modes import Mode
from edge.relay.door import DoorSettings, LockStatus, Sensor
from edge.relay.machine import DoorMachine
from edge.relay.sensors import InputChange, Sensors
from edge.relay.supervised import SupervisedDoor
from edge.replay.door import MemoryJournal
from edge.runtime.clock import ManualClock
from edge.service.property.commands import SETTLE_SECONDS, WINDOW_MINUTES, CommandTies, RemoteCommands
from edge.service.property.enrol_window import EnrolWindow
from edge.store.commissioning import CommissioningBook, CommissioningProof, CommissioningStep
from edge.wire.commands import Command, CommandType
from tests.service.test_door_access import Site
from tests.test_controller import Sees


class Inputs(Sensors):
    """The door's sensors: a test says what they read next."""

    def __init__(self) -> None:
        self.changes: list[InputChange] = []

    def poll(self, now: float) -> list[InputChange]:
        found, self.changes = self.changes, []
        return found

    def close(self) -> None:
        """Nothing is open."""


class Door:
    """A door with access rules, a lock that only notes, and a contact when `contact` is True."""

    def __init__(self, folder, stack, contact=True, on_failure="open", ties=None):
        self.site = Site(folder, stack)
        self.clock, self.wire = self.site.clock, self.site.wire
        self.inputs = Inputs()
        machine = DoorMachine(DoorSettings(), self.clock.monotonic())
        self.door = SupervisedDoor(self.wire, self.inputs, machine, self.clock.monotonic, self._note)
        self.events = self.site.events
        self.controller = DoorController(
            Sees(), self.site.rules.policy, self.events, self.door, self.clock, on_failure
        )
        self.commands = RemoteCommands(
            self.controller, self.site.rules, self.events, self.door, self.clock, ties or CommandTies()
        )
        self.events.subscribe(self.commands.heard)
        self.outcomes = []
        if contact:
            self.contact(False)

    def _note(self, note):
        self.events.record(EventDraft.now(self.clock, note.kind, note.data))

    def contact(self, is_open):
        self.inputs.changes.append(InputChange(Sensor.CONTACT, is_open))
        self.door.poll()

    def wait(self, seconds):
        for _ in range(round(seconds * 10)):
            self.clock.advance(0.1)
            self.door.poll()
            self.commands.tick()

    def ask(self, kind, **args):
        command = Command(
            "command-1",
            CommandType(kind),
            "north",
            self.clock.now(),
            timedelta(seconds=10),
            "Desk",
            None,
            args,
        )
        self.commands.execute(command, self.outcomes.append)

    @property
    def texts(self):
        return [(outcome.status, outcome.text) for outcome in self.outcomes]


@pytest.fixture
def begin(tmp_path):
    with ExitStack() as stack:
        yield lambda **more: Door(tmp_path, stack, **more)


def test_an_unlock_is_written_down_first_and_answered_when_somebody_came_in(begin):
    door = begin()
    door.ask("unlock", seconds=7.0)
    assert door.wire.history == ["journal access.granted granted", "unlock 7"]
    assert door.outcomes == []
    door.wait(2.1)
    door.contact(True)
    assert door.texts == [("done", "unlocked, opened after 2.1 s")]
    assert door.outcomes[0].data == {"opened": True, "after_seconds": 2.1}
    door.wait(60)
    assert len(door.outcomes) == 1
    assert door.wire.inner.drafts[0].data["by"] == "Desk"


def test_a_new_door_is_not_opened_from_afar_before_somebody_saw_its_lock_move(begin, tmp_path):
    """A lock wired the wrong way round would be open at rest; a lockdown is obeyed all the same."""
    book = CommissioningBook(tmp_path / "commissioning.json")
    book.begin_new()
    door = begin(ties=CommandTies(waits_for_lock=lambda: book.waits_for_lock))
    door.ask("unlock")
    assert door.outcomes[0].status == "failed"
    assert "commissioning" in door.outcomes[0].text
    assert door.wire.history == ["journal access.denied lock_unavailable"]
    door.ask("lockdown")
    door.ask("normal")
    book.put(CommissioningStep.LOCK, CommissioningProof(True, "2026-11-29T12:00:00+00:00", "ines"))
    door.ask("unlock", seconds=7.0)
    assert door.wire.history[-1] == "unlock 7"


def test_an_unlock_nobody_used_says_so(begin):
    door = begin()
    door.ask("unlock")
    door.wait(8)
    assert door.texts == [("done", "unlocked, never opened")]


def test_without_a_contact_nobody_claims_to_know(begin):
    door = begin(contact=False)
    door.ask("unlock")
    door.wait(SETTLE_SECONDS)
    assert door.texts == [("done", "unlocked; no contact tells whether it was opened")]
    assert door.outcomes[0].data == {"opened": None}


def test_a_door_that_stands_open_is_not_called_opened(begin):
    door = begin()
    door.ask("unlock")
    door.contact(True)
    door.ask("unlock")
    door.wait(SETTLE_SECONDS)
    assert door.texts[1] == ("done", "unlocked; the door stood open already")


def test_a_lock_that_does_not_move_is_a_failure_at_once_or_when_the_guard_says_so(begin):
    door = begin()
    door.wire.lock_fails = True
    door.ask("unlock")
    assert [status for status, _ in door.texts] == ["failed"]
    door.wire.lock_fails = False
    door.ask("unlock")
    door.door.lock_event("lock.unlock_failed", {"why": "no guard"})
    door.door.poll()
    assert [status for status, _ in door.texts] == ["failed", "failed"]


def test_no_record_no_remote_entry_where_the_site_says_so(begin):
    door = begin(on_failure="deny")
    door.wire.journal_fails = True
    door.ask("unlock")
    assert [status for status, _ in door.texts] == ["failed"]
    assert not any(line.startswith("unlock") for line in door.wire.history)


def test_a_lockdown_shuts_the_door_before_it_is_written_down(begin):
    """A slow card takes seconds, and somebody else may come in meanwhile."""
    door = begin()
    door.ask("unlock")
    locks = []
    door.events.subscribe(
        lambda draft: locks.append(door.door.state.lock) if draft.kind == Kind.DOOR_MODE else None
    )
    door.ask("lockdown")
    assert locks == [LockStatus.LOCKED]


def test_a_lockdown_relocks_and_a_remote_unlock_is_refused_until_it_ends(begin):
    door = begin()
    door.ask("unlock")
    door.ask("lockdown")
    door.ask("unlock")
    assert door.wire.history.count("unlock 5") == 1
    assert door.wire.history[-1] == "journal access.denied threat_level"
    assert "lock" in door.wire.history
    assert door.texts[-1] == ("failed", "the door is locked down; end that first")
    door.ask("normal")
    door.ask("unlock")
    assert door.wire.history[-1] == "unlock 5"


def test_an_evacuation_holds_the_door_and_normal_ends_it(begin):
    door = begin()
    door.ask("evacuation")
    assert door.site.access.tick() is True
    assert door.site.rules.policy.modes.state.by == "Desk"
    door.ask("normal")
    assert door.site.access.tick() is False
    assert [outcome.data["mode"] for outcome in door.outcomes] == [Mode.EVACUATION, Mode.NORMAL]


def test_an_alarm_is_acknowledged_by_name(begin):
    door = begin()
    door.ask("acknowledge_alarm")
    door.contact(True)  # forced: nobody was granted
    door.ask("acknowledge_alarm")
    door.door.poll()
    assert door.texts == [("done", "there is no alarm"), ("done", "acknowledged: forced_open")]
    assert door.wire.inner.drafts[-1].kind == "door.acknowledged"


def test_diagnostics_is_the_report_and_what_a_door_cannot_do_is_said(begin):
    door = begin(ties=CommandTies(report=lambda: {"camera": "ok"}))
    for kind in ("diagnostics", "reload", "enrol_window"):
        door.ask(kind)
    assert door.outcomes[0].data == {"camera": "ok"}
    assert [status for status, _ in door.texts] == ["done", "failed", "failed"]
    assert "facegate enrol" in door.texts[2][1]


def test_the_enrolment_window_opens_for_the_time_that_was_asked_for(begin):
    clock, journal = ManualClock(), MemoryJournal()
    window = EnrolWindow(clock, EventLog(journal, clock))
    door = begin(ties=CommandTies(window=window))
    door.ask("enrol_window", minutes=2.0)
    assert door.texts == [("done", "staff may enrol at the door's panel for 2 min")]
    assert window.seconds_left == 120
    assert journal.drafts[-1].data == {"by": "Desk", "seconds": 120.0}
    door.ask("enrol_window")
    assert window.seconds_left == WINDOW_MINUTES * 60
