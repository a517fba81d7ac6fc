"""A grant becomes an entry when the door is opened: policy, controller, door and contact together."""

from __future__ import annotations

from contextlib import ExitStack, closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from edge.config import load_settings
from edge.controller import DoorController
from edge.domain import EventDraft, Reason, Resident
from edge.errors import LockError
from edge.events import Kind
from edge.policy.modes import Mode, ModeState
from edge.relay.door import LockStatus, Sensor
from edge.runtime.clock import ManualClock
from edge.runtime.clock_trust import TrustedTime
from edge.service.entry.access import DoorAccess
from edge.service.entry.rules import DoorRules
from edge.service.hardware import DoorHardware
from edge.store.residents import ResidentStore
from tests.service.test_hardware import pins_of
from tests.test_controller import Sees, Wire, written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge.ports import Lock

CONFIG = """
[door]
id = "gate"
[camera]
source = "0"
[lock]
driver = "dry-run"
pin_factory = "{factory}"
gpio_chip = 15
[access]
rules = "{rules}"
{sensors}
"""
CONTACT = '[sensors.contact]\npin = 22\ncontact = "no"\n[sensors.rex]\npin = 23\ncontact = "no"\n'
TIMED = '[passback]\nkind = "timed"\nseconds = 60\n'
FIRST_IN = """
[levels.resident]
schedule = "always"
[doors.gate]
mode = "first_person_in"
schedule = "always"
"""


class Fragile:
    """A lock that fails when told."""

    def __init__(self, lock: Lock) -> None:
        self.inner, self.fails = lock, False
        self.before: Callable[[], None] = lambda: None

    def unlock(self, seconds: float) -> None:
        self.before()
        if self.fails:
            raise LockError("relay guard: not there")
        self.inner.unlock(seconds)

    def lock(self) -> None:
        self.inner.lock()

    def close(self) -> None:
        self.inner.close()


class Gate:
    """A door put together as the service does, with a clock and a contact that a test moves."""

    def __init__(self, folder: Path, stack: ExitStack, rules: str, sensors: str, factory: str) -> None:
        (folder / "rules.toml").write_text(rules)
        config = CONFIG.format(rules=folder / "rules.toml", sensors=sensors, factory=factory)
        (folder / "config.toml").write_text(config)
        settings = load_settings(folder / "config.toml")
        self.clock = ManualClock(datetime(2026, 3, 2, 12, tzinfo=UTC))
        store = stack.enter_context(closing(ResidentStore(folder / "residents.db")))
        store.put(Resident("anna", "Anna"), [])
        self.store = store
        time = TrustedTime(self.clock, folder / "floor", lambda: True)
        self.wire = Wire()
        events = written(self.wire, self.clock)
        hardware = DoorHardware(settings, self.clock, events.record, {})
        self.hardware = stack.enter_context(closing(hardware))
        door_rules = DoorRules(settings, folder, self.clock, time, store, events)
        self.rules = stack.enter_context(closing(door_rules))
        lock = Fragile(hardware.door)
        self.controller = DoorController(Sees(), self.rules.policy, events, lock, self.clock, "deny")
        self.access = DoorAccess(settings, self.rules, self.controller, events, self.clock)
        self.lock = lock
        events.subscribe(self.rules.heard)
        events.subscribe(self.controller.heard)
        self.wait(0.5)

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.02)):
            self.clock.advance(0.02)
            self.hardware.step()

    def move(self, *, is_open: bool, sensor: Sensor = Sensor.CONTACT) -> None:
        pin = pins_of(self.hardware)[sensor].pin
        (pin.drive_low if is_open else pin.drive_high)()
        self.wait(0.2)

    def walk_in(self) -> None:
        self.move(is_open=True)
        self.move(is_open=False)

    def card(self) -> Reason:
        """Let Anna's card be shown; return what came of it."""
        rights = self.rules.policy.authorise("anna", self.clock.now(), "card")
        kind = Kind.ACCESS_GRANTED if rights.allowed else Kind.ACCESS_DENIED
        draft = EventDraft(kind, self.clock.now(), self.clock.monotonic(), reason=rights.reason)
        self.controller.enter(draft, rights)
        return rights.reason

    @property
    def is_held(self) -> bool:
        return self.access.tick()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Callable[..., Gate]]:
    def begin(rules: str = TIMED, sensors: str = CONTACT, factory: str = "mock") -> Gate:
        return Gate(tmp_path, stack, rules, sensors, factory)

    with ExitStack() as stack:
        yield begin


def test_a_card_counts_as_used_when_the_door_was_opened(gate: Any) -> None:
    site = gate()
    assert site.card() is Reason.GRANTED
    site.walk_in()
    assert site.card() is Reason.PASSBACK_DETECTED
    site.wait(61)
    assert site.card() is Reason.GRANTED


def test_who_did_not_open_the_door_in_time_may_try_again(gate: Any) -> None:
    """She fumbled with the bags: her card is not held against her."""
    site = gate()
    assert site.card() is Reason.GRANTED
    site.wait(7)
    assert site.wire.history[-1].startswith("journal door.no_entry_after_granted")
    assert site.card() is Reason.GRANTED
    site.walk_in()
    assert site.card() is Reason.PASSBACK_DETECTED


def test_somebody_leaving_later_is_not_the_resident_s_entry(gate: Any) -> None:
    site = gate(FIRST_IN)
    site.card()
    site.wait(10)
    site.move(is_open=True, sensor=Sensor.REX)
    site.walk_in()
    assert "journal door.opened None" in site.wire.history
    assert not site.is_held


def test_the_first_person_in_unlocks_the_day_by_coming_in_not_by_being_recognised(gate: Any) -> None:
    site = gate(FIRST_IN)
    site.card()
    assert not site.is_held
    site.move(is_open=True)
    assert site.is_held


def test_a_door_that_stands_open_lets_in_at_once(gate: Any) -> None:
    site = gate()
    site.card()
    site.move(is_open=True)
    site.rules.policy.passback.forget("anna")
    assert site.card() is Reason.GRANTED
    assert site.card() is Reason.PASSBACK_DETECTED


def test_a_forced_door_is_nobody_s_entry(gate: Any) -> None:
    site = gate(FIRST_IN)
    site.move(is_open=True)
    assert site.wire.history[-1].startswith("journal door.forced")
    assert not site.is_held


@pytest.mark.parametrize(("sensors", "factory"), [("", "mock"), (CONTACT, "lgpio")])
def test_without_a_contact_or_with_a_dead_one_a_grant_is_an_entry(
    gate: Any, sensors: str, factory: str
) -> None:
    site = gate(TIMED, sensors, factory)
    assert site.card() is Reason.GRANTED
    assert site.card() is Reason.PASSBACK_DETECTED


def test_a_contact_that_dies_leaves_no_grant_hanging(gate: Any) -> None:
    site = gate()
    site.card()
    site.rules.heard(EventDraft.now(site.clock, Kind.DOOR_FAULT, {"part": "contact"}))
    assert site.card() is Reason.PASSBACK_DETECTED
    site.rules.heard(EventDraft.now(site.clock, Kind.DOOR_FAULT_CLEARED, {"part": "contact"}))
    site.wait(61)
    assert (site.card(), site.card()) == (Reason.GRANTED, Reason.GRANTED)


@pytest.mark.parametrize("trouble", ["journal", "lock", "guard"])
@pytest.mark.parametrize("sensors", ["", CONTACT])
def test_nobody_is_the_first_person_in_by_an_entry_that_was_not(
    gate: Any, trouble: str, sensors: str
) -> None:
    """The journal denies, the lock is gone, or the guard does not carry the order out."""
    site = gate(FIRST_IN, sensors)
    site.wire.journal_fails = trouble == "journal"
    site.lock.fails = trouble == "lock"

    site.card()
    if trouble == "guard":
        site.hardware.door.lock_event(Kind.LOCK_UNLOCK_FAILED, {})
        site.wait(0.1)
    site.wire.journal_fails = site.lock.fails = False

    assert not site.is_held
    site.card()
    site.move(is_open=True) if sensors else None
    assert site.is_held


@pytest.mark.parametrize("trouble", ["journal", "lock", "guard"])
def test_a_card_that_opened_nothing_is_not_used(gate: Any, trouble: str) -> None:
    site = gate(TIMED, "")
    site.wire.journal_fails = trouble == "journal"
    site.lock.fails = trouble == "lock"
    site.card()
    if trouble == "guard":
        site.hardware.door.lock_event(Kind.LOCK_UNLOCK_FAILED, {})
        site.wait(0.1)
    site.wire.journal_fails = site.lock.fails = False

    assert site.card() is Reason.GRANTED
    assert site.card() is Reason.PASSBACK_DETECTED


@pytest.mark.parametrize("moment", ["while it is written down", "with the order to unlock"])
def test_a_lock_down_between_a_grant_and_its_opening_keeps_the_door_shut(gate: Any, moment: str) -> None:
    door = gate()

    def locks_down() -> None:
        door.wire.stall = door.lock.before = lambda: None
        door.rules.policy.modes.set(ModeState(Mode.LOCKED_DOWN))
        door.hardware.door.lock()

    if moment == "with the order to unlock":
        door.lock.before = locks_down
    else:
        door.wire.stall = locks_down
    door.card()
    assert door.hardware.door.state.lock is LockStatus.LOCKED
    assert door.wire.history[-1] == "journal access.denied threat_level"
    assert door.card() is Reason.THREAT_LEVEL
    door.rules.policy.modes.resume()
    assert door.card() is Reason.GRANTED, "nor was the card used"


def test_a_lock_down_between_the_look_at_the_mode_and_the_order_to_hold_the_door_unlocked(gate: Any) -> None:
    door = gate()
    door.rules.policy.modes.set(ModeState(Mode.EVACUATION))
    was_held = door.access.tick()
    door.rules.policy.modes.set(ModeState(Mode.LOCKED_DOWN))
    door.hardware.door.lock()
    door.hardware.hold(was_held, door.access.is_held)
    assert was_held
    assert door.hardware.door.state.lock is LockStatus.LOCKED


def test_a_lock_down_shuts_a_held_door_also_on_who_was_just_let_in(gate: Any) -> None:
    door = gate()
    door.rules.policy.modes.set(ModeState(Mode.EVACUATION))
    door.hardware.hold(door.access.tick(), door.access.is_held, door.access.is_locked_down)
    assert door.card() is Reason.GRANTED
    door.rules.policy.modes.set(ModeState(Mode.LOCKED_DOWN))
    door.hardware.hold(door.access.tick(), door.access.is_held, door.access.is_locked_down)
    assert door.hardware.door.state.lock is LockStatus.LOCKED


def test_who_is_taken_off_while_their_entry_is_written_down_stays_outside(gate: Any) -> None:
    door = gate()

    def removed() -> None:
        door.wire.stall = lambda: None
        door.store.remove("anna")

    door.wire.stall = removed
    door.card()
    assert door.hardware.door.state.lock is LockStatus.LOCKED
    assert door.wire.history[-1] == "journal access.denied no_access_rights"
