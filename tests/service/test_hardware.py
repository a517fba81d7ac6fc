"""The door's hardware, made from settings: the parts fit, and a dead input is no dead door."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from edge.config import load_settings
from edge.config.settings import Held
from edge.errors import ConfigError
from edge.events import Kind
from edge.relay.chime import CHIME_SECONDS, Chime
from edge.relay.door import Alarm, DoorSettings, DoorStatus, Sensor
from edge.relay.dry_run import DryRunLock
from edge.relay.held import HeldSettings
from edge.relay.line import RelayLine
from edge.relay.sensors import GpioLevels
from edge.runtime.clock import ManualClock
from edge.service.hardware import DoorHardware, door_settings, is_quiet, sensor_wirings
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from edge.config.settings import Settings
    from edge.domain import EventDraft

BASE = """
[door]
id = "door-1"
timezone = "Asia/Shanghai"
[camera]
source = "0"
[lock]
driver = "dry-run"
pin_factory = "{factory}"
gpio_chip = 15
"""

CONTACT = """
[sensors.contact]
pin = 22
contact = "no"
"""


class Site:
    """Hardware from settings, on a clock that a test moves."""

    def __init__(self, directory: Path, text: str, factory: str = "mock") -> None:
        path = directory / "config.toml"
        path.write_text(BASE.format(factory=factory) + text)
        self.settings: Settings = load_settings(path)
        self.clock = ManualClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
        self.drafts: list[EventDraft] = []
        self.hardware = DoorHardware(self.settings, self.clock, self.drafts.append, {})

    def step(self, seconds: float = 0.1) -> None:
        for _ in range(round(seconds / 0.02)):
            self.clock.advance(0.02)
            self.hardware.step()

    @property
    def kinds(self) -> list[str]:
        return [draft.kind for draft in self.drafts]


def test_the_settings_defaults_are_the_doors_own_defaults(tmp_path: Path) -> None:
    assert door_settings(Site(tmp_path, "").settings) == DoorSettings(held=HeldSettings())


def test_every_configured_input_is_wired(tmp_path: Path) -> None:
    tables = "".join(
        f'[sensors.{sensor}]\npin = {20 + n}\ncontact = "nc"\npull = "none"\n'
        for n, sensor in enumerate(Sensor)
    )
    wirings = sensor_wirings(Site(tmp_path, tables).settings)
    assert [wiring.sensor for wiring in wirings] == list(Sensor)
    assert {wiring.pull for wiring in wirings} == {"none"}


def test_an_input_that_is_to_release_the_door_is_refused_with_the_whole_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"sensors\.fire\.action: inputs are only observed"):
        Site(tmp_path, '[sensors.fire]\npin = 25\ncontact = "nc"\naction = "unlock"\n')


def test_a_grant_without_entry_is_an_event_with_its_time(tmp_path: Path) -> None:
    site = Site(tmp_path, CONTACT)
    site.step()
    site.hardware.door.unlock(5)
    site.step(7)
    (draft,) = site.drafts
    assert draft.kind == "door.no_entry_after_granted"
    assert draft.mono == pytest.approx(6.1, abs=0.1)
    assert draft.at.tzinfo is UTC
    site.hardware.close()
    site.hardware.close()


@pytest.mark.parametrize("is_locked_down", [False, True])
def test_a_mode_that_ends_cuts_off_nobody_who_was_let_in_but_a_lock_down_does(
    tmp_path: Path, is_locked_down: bool
) -> None:
    site = Site(tmp_path, CONTACT)
    site.hardware.hold(True)
    site.step(0.9)
    site.hardware.door.unlock(5)
    site.step(0.1)
    site.hardware.hold(False, is_locked_down=lambda: is_locked_down)
    lock = site.hardware.door._lock
    assert isinstance(lock, DryRunLock)
    assert lock.unlocked is not is_locked_down
    site.step(5)
    assert not lock.unlocked


def test_inputs_that_cannot_be_claimed_are_a_fault_and_the_door_still_opens(tmp_path: Path) -> None:
    site = Site(tmp_path, CONTACT, factory="lgpio")
    site.step()
    assert site.kinds == ["door.fault"]
    assert "cannot be read" in site.drafts[0].data["why"]
    assert site.hardware.door.state.alarms == {Alarm.DOOR_FAULT}
    site.hardware.door.unlock(5)
    lock = site.hardware.door._lock
    assert isinstance(lock, DryRunLock)
    assert lock.unlocked


def test_without_inputs_the_door_is_unknown_and_silent(tmp_path: Path) -> None:
    site = Site(tmp_path, "")
    site.hardware.door.unlock(5)
    site.step(60)
    assert site.drafts == []
    assert site.hardware.door.state.door is DoorStatus.UNKNOWN


def test_what_the_lock_reports_is_recorded_by_the_doors_thread_with_its_own_time(tmp_path: Path) -> None:
    """The door's thread may be writing another event to a slow card."""
    reports: list[Any] = []

    def new_lock(_settings: Any, clock: Any, on_event: Any) -> DryRunLock:
        reports.append(on_event)
        return DryRunLock(clock)

    site = Site(tmp_path, "")
    site.hardware = DoorHardware(site.settings, site.clock, site.drafts.append, {}, new_lock=new_lock)
    at, mono = site.clock.now(), site.clock.monotonic()
    reports[0](Kind.LOCK_GUARD_LOST, {"why": "it has gone"})
    assert site.drafts == []
    site.clock.advance(1.0)
    site.step()
    assert site.kinds == ["door.fault", "lock.guard_lost"]
    assert (site.drafts[1].at, site.drafts[1].mono) == (at, mono)


def pins_of(hardware: DoorHardware) -> dict[Sensor, Any]:
    """Return the simulated pins, for a test to drive."""
    levels = hardware.door._sensors._levels
    assert isinstance(levels, GpioLevels)
    return levels._devices


class SilentLine:
    def __init__(self) -> None:
        self.moves: list[str] = []

    def energise(self) -> None:
        self.moves.append("on")

    def rest(self) -> None:
        self.moves.append("off")

    def close(self) -> None:
        self.rest()


def test_a_chime_never_sounds_for_longer_than_its_moment() -> None:
    line = SilentLine()
    chime = Chime(line)
    chime.sound(10.0)
    chime.tick(10.0 + CHIME_SECONDS - 0.1)
    assert line.moves == ["on"]
    chime.tick(10.0 + CHIME_SECONDS)
    chime.tick(99.0)
    assert line.moves == ["on", "off"]
    chime.sound(100.0)
    chime.hush()
    chime.close()
    assert line.moves[2:] == ["on", "off", "off"]


class HushedLine(SilentLine):
    """A line whose chime another thread silences while it is being switched on."""

    def __init__(self) -> None:
        super().__init__()
        self.chime = Chime(self)
        self.hushing = threading.Thread(target=self.chime.hush)

    def energise(self) -> None:
        self.hushing.start()
        self.hushing.join(0.2)  # longer than a hush takes that waits for nothing
        super().energise()


def test_a_chime_that_is_hushed_while_it_begins_is_silent() -> None:
    line = HushedLine()
    line.chime.sound(10.0)
    line.hushing.join(PATIENCE)
    assert line.moves == ["on", "off"]


class StuckLine(SilentLine):
    """A line that cannot be driven while it is stuck."""

    def __init__(self) -> None:
        super().__init__()
        self.is_stuck = True

    def _move(self, where: str) -> None:
        if self.is_stuck:
            raise RuntimeError("GPIO busy")
        self.moves.append(where)

    def energise(self) -> None:
        self._move("on")

    def rest(self) -> None:
        self._move("off")


def test_a_chime_that_cannot_be_driven_costs_the_door_nothing_and_is_silenced_later() -> None:
    line = StuckLine()
    chime = Chime(line)
    chime.sound(10.0)
    chime.tick(10.0 + CHIME_SECONDS)
    chime.tick(20.0)
    line.is_stuck = False
    chime.tick(21.0)
    chime.tick(22.0)
    assert line.moves == ["off"]


def test_a_propped_door_sounds_the_configured_chime(tmp_path: Path) -> None:
    site = Site(tmp_path, "[held]\nchime_pin = 12\n" + CONTACT)
    pins = pins_of(site.hardware)
    site.step()
    site.hardware.door.unlock(5)
    pins[Sensor.CONTACT].pin.drive_low()
    site.step(25.2)
    line = site.hardware._chime
    assert line is not None
    assert isinstance(line._line, RelayLine)
    buzzer = line._line._device.pin
    assert buzzer.state
    site.step(CHIME_SECONDS)
    assert not buzzer.state
    site.step(10)
    assert "door.held" in site.kinds
    site.hardware.close()


@pytest.mark.parametrize(
    ("start", "end", "utc_hour", "quiet"),
    [
        ("22:00", "07:00", 14, True),  # 22:00 in Shanghai
        ("22:00", "07:00", 13, False),
        ("22:00", "07:00", 22, True),  # 06:00
        ("22:00", "07:00", 23, False),  # 07:00
        ("12:00", "14:00", 5, True),
        ("12:00", "14:00", 6, False),
        (None, None, 5, False),
    ],
)
def test_quiet_hours_are_local_and_may_span_midnight(
    start: Any, end: Any, utc_hour: int, quiet: bool
) -> None:
    held = Held.model_validate({"quiet_from": start, "quiet_to": end})
    now = datetime(2026, 3, 1, utc_hour, tzinfo=UTC)
    assert is_quiet(held, "Asia/Shanghai", now) == quiet
