"""The door in service: lock, sensors and state machine together, on a clock that a test moves."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from edge.errors import LockError
from edge.events import Kind
from edge.relay.door import Alarm, DoorSettings, DoorStatus, LockStatus, Note, Secured, Sensor
from edge.relay.dry_run import DryRunLock
from edge.relay.machine import DoorMachine
from edge.relay.sensors import Sensors, SensorWiring, SimulatedLevels
from edge.relay.supervised import SupervisedDoor
from edge.runtime.clock import ManualClock
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

WIRINGS = [
    SensorWiring(Sensor.CONTACT, 22, "nc"),
    SensorWiring(Sensor.REX, 23, "no"),
    SensorWiring(Sensor.TAMPER, 24, "nc"),
    SensorWiring(Sensor.FIRE, 25, "nc"),
    SensorWiring(Sensor.BELL, 26, "no"),
]


class Site:
    """A door with a hand on every wire."""

    def __init__(self, lock: Any = None) -> None:
        self.clock = ManualClock(monotonic=5000.0)
        self.lock = lock or DryRunLock(self.clock)
        self.levels = SimulatedLevels(WIRINGS)
        self.notes: list[Note] = []
        self.chimes: list[bool] = []
        self.is_quiet = False
        machine = DoorMachine(DoorSettings(), self.clock.monotonic())
        self.door = SupervisedDoor(
            self.lock,
            Sensors(WIRINGS, self.levels),
            machine,
            self.clock.monotonic,
            self.notes.append,
            self.chimes.append,
            lambda: self.is_quiet,
        )
        self.wait(0.1)

    def wait(self, seconds: float) -> None:
        for _ in range(max(1, round(seconds / 0.02))):
            self.clock.advance(0.02)
            self.door.poll()

    def set(self, sensor: Sensor, active: bool) -> None:
        self.levels.set(sensor, active)
        self.wait(0.1)

    @property
    def kinds(self) -> list[str]:
        return [note.kind for note in self.notes]


class BrokenLock:
    """A lock whose guard is gone."""

    def unlock(self, seconds: float) -> None:
        raise LockError("no relay guard answers")

    def lock(self) -> None:
        pass

    def close(self) -> None:
        pass


def test_a_pass_from_grant_to_relock() -> None:
    site = Site()
    site.door.unlock(5)
    site.wait(1)
    site.set(Sensor.CONTACT, True)
    site.wait(1)
    site.set(Sensor.CONTACT, False)
    assert site.kinds == ["door.opened", "door.closed"]
    assert [move.action for move in site.lock.history] == ["unlock", "lock"]
    assert site.door.state.secured is Secured.SECURED


def test_whoever_was_let_in_keeps_their_time_when_the_door_is_held_no_longer() -> None:
    site = Site()
    site.door.hold(3)
    site.wait(0.5)
    site.door.unlock(5)
    site.wait(0.5)
    site.door.let_go()
    site.wait(4)
    assert site.lock.unlocked
    site.wait(1)
    assert not site.lock.unlocked


def test_a_door_that_is_held_no_longer_relocks_at_once_where_nobody_is_expected() -> None:
    site = Site()
    site.door.hold(3)
    site.door.let_go()
    assert not site.lock.unlocked
    site.door.unlock(5)
    site.set(Sensor.CONTACT, True)
    site.set(Sensor.CONTACT, False)
    site.door.hold(3)
    site.door.let_go()
    assert not site.lock.unlocked, "who was let in has come in"


def test_no_entry_after_a_grant() -> None:
    site = Site()
    site.door.unlock(5)
    site.wait(7)
    assert site.kinds == ["door.no_entry_after_granted"]
    assert [move.action for move in site.lock.history] == ["unlock", "relock"]


def test_a_break_in_and_its_end() -> None:
    site = Site()
    site.set(Sensor.CONTACT, True)
    assert site.kinds == ["door.forced"]
    assert site.door.state.alarms == {Alarm.FORCED_OPEN}
    site.set(Sensor.CONTACT, False)
    assert site.door.state.secured is Secured.SECURED


def test_a_propped_door_chimes_alarms_and_is_acknowledged() -> None:
    site = Site()
    site.door.unlock(5)
    site.set(Sensor.CONTACT, True)
    site.wait(31)
    assert site.kinds == ["door.opened", "door.held"]
    assert site.chimes == [True, True]
    site.door.acknowledge("concierge")
    site.wait(0.1)
    assert site.kinds[-1] == "door.acknowledged"
    assert site.chimes == [True, True, False]


def test_quiet_hours_are_asked_for_at_the_time() -> None:
    site = Site()
    site.is_quiet = True
    site.door.unlock(5)
    site.set(Sensor.CONTACT, True)
    site.wait(31)
    assert site.chimes == []
    assert site.kinds == ["door.opened", "door.held_warning", "door.held"]


def test_a_wall_clock_that_jumps_loses_no_alarm() -> None:
    site = Site()
    site.door.unlock(5)
    site.set(Sensor.CONTACT, True)
    for jump in (-86_400, 365 * 86_400, -3600):
        site.wait(8)
        site.clock.step_wall(jump)
    assert "door.held" not in site.kinds
    site.wait(8)
    assert site.kinds[-1] == "door.held"


@pytest.mark.parametrize(
    ("sensor", "kinds"),
    [
        (Sensor.REX, ["door.rex"]),
        (Sensor.BELL, ["door.bell"]),
        (Sensor.TAMPER, ["door.tamper", "door.tamper_cleared"]),
        (Sensor.FIRE, ["door.fire_alarm", "door.fire_alarm_cleared"]),
    ],
)
def test_every_other_wire_is_written_down_and_moves_nothing(sensor: Sensor, kinds: list[str]) -> None:
    site = Site()
    site.set(sensor, True)
    site.set(sensor, False)
    assert site.kinds == kinds
    assert site.lock.history == ()


def test_a_cut_wire_of_the_contact_is_a_fault_and_the_lock_still_works() -> None:
    site = Site()
    site.levels.cut(Sensor.CONTACT)
    site.wait(0.1)
    assert site.door.state.door is DoorStatus.UNKNOWN
    assert site.door.state.alarms == {Alarm.DOOR_FAULT}
    site.door.unlock(5)
    assert site.lock.unlocked


def test_a_lock_that_cannot_be_moved_is_no_grant() -> None:
    site = Site(BrokenLock())
    with pytest.raises(LockError):
        site.door.unlock(5)
    site.wait(2)
    site.set(Sensor.CONTACT, True)
    assert site.kinds == ["door.forced"]


def test_a_lost_guard_is_a_fault_of_the_door_until_it_is_back() -> None:
    site = Site()
    site.door.lock_event(Kind.LOCK_GUARD_BACK, {})
    site.wait(0.1)
    assert site.kinds == ["lock.guard_back"]
    site.door.lock_event(Kind.LOCK_GUARD_LOST, {"why": "it has gone"})
    site.wait(0.1)
    assert site.kinds[1:] == ["door.fault", "lock.guard_lost"]
    assert site.door.state.alarms == {Alarm.DOOR_FAULT}
    site.door.lock_event(Kind.LOCK_GUARD_BACK, {})
    site.door.unlock(5)
    site.door.lock_event(Kind.LOCK_UNLOCK_FAILED, {"why": "not confirmed"})
    site.wait(7)
    assert site.kinds[3:] == ["door.fault_cleared", "lock.guard_back", "lock.unlock_failed"]


def test_who_is_let_in_after_an_order_failed_and_before_that_is_heard_stays_let_in() -> None:
    """It is heard at the next look at the door, and later while a slow card takes an event."""
    site = Site()
    site.door.unlock(5)
    site.clock.advance(1.5)
    failed_at = site.clock.monotonic()
    site.clock.advance(0.01)
    site.door.unlock(5)
    site.clock.advance(0.01)
    site.door.lock_event(Kind.LOCK_UNLOCK_FAILED, {"why": "not confirmed"}, failed_at)
    assert site.door.state.lock is LockStatus.UNLOCKED
    site.set(Sensor.CONTACT, True)
    assert site.kinds == ["lock.unlock_failed", "door.opened"]
    assert site.notes[0].mono == failed_at


def test_what_happened_at_the_door_has_its_own_time_however_late_it_is_told() -> None:
    site = Site()
    site.door.unlock(5)
    site.door.lock()
    fell_at = site.clock.monotonic()
    site.levels.set(Sensor.CONTACT, True)
    site.wait(0.1)
    (forced,) = site.notes
    assert forced.mono is not None
    assert fell_at < forced.mono <= site.clock.monotonic()


def test_free_access_lets_the_door_stand_open() -> None:
    site = Site()
    site.door.free_access(True)
    site.set(Sensor.CONTACT, True)
    site.wait(60)
    assert site.door.state.alarms == frozenset()
    site.door.free_access(False)
    site.wait(31)
    assert site.kinds[-1] == "door.held"


def test_lock_relocks_and_the_machine_knows() -> None:
    site = Site()
    site.door.unlock(5)
    site.door.lock()
    site.wait(2)
    site.set(Sensor.CONTACT, True)
    assert site.kinds[-1] == "door.forced"


def test_an_event_the_journal_refused_is_handed_on_again() -> None:
    site = Site()
    refusing = True

    def journal(note: Note) -> None:
        if refusing:
            raise RuntimeError("disk full")
        site.notes.append(note)

    site.door._on_note = journal
    site.levels.set(Sensor.CONTACT, True)
    with pytest.raises(RuntimeError):
        site.wait(1)
    refusing = False
    site.wait(0.1)
    assert site.kinds == ["door.forced"]


class PassedBy(DryRunLock):
    """A lock at which somebody is let in while it is being relocked."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.grant: threading.Thread | None = None

    def lock(self) -> None:
        if self.grant is not None and self.grant.ident is None:
            self.grant.start()
            self.grant.join(0.2)  # it ends now, or it waits for this relocking
        super().lock()


def at_a_door_being_relocked(relock: Callable[[Site], object]) -> Site:
    clock = ManualClock(monotonic=5000.0)
    lock = PassedBy(clock)
    site = Site(lock)
    site.clock = clock
    site.door = SupervisedDoor(
        lock,
        Sensors(WIRINGS, site.levels),
        DoorMachine(DoorSettings(), clock.monotonic()),
        clock.monotonic,
        site.notes.append,
    )
    site.wait(0.1)
    site.door.unlock(5.0)
    site.set(Sensor.CONTACT, True)
    lock.grant = threading.Thread(target=site.door.unlock, args=(5.0,))
    relock(site)
    lock.grant.join(PATIENCE)
    return site


@pytest.mark.parametrize(
    "relock", [lambda site: site.set(Sensor.CONTACT, False), lambda site: site.door.lock()]
)
def test_a_grant_in_the_moment_of_relocking_stays_a_grant(relock: Callable[[Site], object]) -> None:
    site = at_a_door_being_relocked(relock)
    assert site.lock.unlocked
    assert str(site.door.state.lock) == "unlocked"


def test_close_leaves_the_lock_locked() -> None:
    site = Site()
    site.door.unlock(5)
    site.door.close()
    site.door.close()
    assert not site.lock.unlocked
