"""The wired inputs: what a level means, when it counts, and when a wire is loose."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from gpiozero.pins.mock import MockFactory
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ConfigError, LockError
from edge.relay.door import Sensor
from edge.relay.held import HeldSettings
from edge.relay.sensors import Debouncer, GpioLevels, InputChange, Sensors, SensorWiring, SimulatedLevels
from tests.relay.relay_lines import Lines
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTACT = SensorWiring(Sensor.CONTACT, 22, "nc")
REX = SensorWiring(Sensor.REX, 23, "no")


class Failing(SimulatedLevels):
    """Inputs that cannot be read, each time for another reason."""

    reads = 0

    def read(self, sensor: Sensor) -> bool:
        self.reads += 1
        raise OSError(f"error {self.reads}")


@pytest.mark.parametrize("sensor", list(Sensor))
@pytest.mark.parametrize("action", ["unlock", "release", ""])
def test_an_input_that_is_to_do_more_than_be_observed_is_refused(sensor: Sensor, action: str) -> None:
    with pytest.raises(ConfigError, match=rf"sensors\.{sensor}\.action = '{action}'.*\"observe\""):
        SensorWiring(sensor, 22, "nc", action=action)


@pytest.mark.parametrize("sensor", [Sensor.REX, Sensor.FIRE])
def test_the_refusal_says_that_the_way_out_is_wired(sensor: Sensor) -> None:
    with pytest.raises(ConfigError, match="wired to the lock and work without software"):
        SensorWiring(sensor, 22, "nc", action="unlock")


def test_an_absurd_debounce_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"debounce_seconds = 5: must be 0 to 1"):
        SensorWiring(Sensor.REX, 22, "no", debounce_seconds=5)


@pytest.mark.parametrize(
    ("contact", "pull", "high", "active"),
    [
        # A switch to ground: a closed circuit is low.
        ("nc", "up", False, False),
        ("nc", "up", True, True),
        ("no", "up", True, False),
        ("no", "up", False, True),
        ("nc", "none", True, True),
        ("no", "none", False, True),
        # A switch to 3.3 V: a closed circuit is high.
        ("nc", "down", True, False),
        ("nc", "down", False, True),
        ("no", "down", False, False),
        ("no", "down", True, True),
    ],
)
def test_what_a_level_means(contact: str, pull: str, high: bool, active: bool) -> None:
    wiring = SensorWiring(Sensor.CONTACT, 22, contact, pull)  # type: ignore[arg-type]
    assert wiring.is_active(high) == active


def test_a_cut_wire_of_a_normally_closed_input_alarms() -> None:
    assert CONTACT.is_active(high=True), "the pull-up wins when the wire is cut"


def test_the_first_level_counts_at_once_and_a_change_when_it_has_lasted() -> None:
    debouncer = Debouncer(0.05)
    assert debouncer.feed(False, 1.00) is False
    assert debouncer.feed(True, 1.02) is None
    assert debouncer.feed(True, 1.06) is None
    assert debouncer.feed(True, 1.08) is True
    assert debouncer.feed(True, 9.00) is None


def test_a_bounce_starts_the_time_again() -> None:
    debouncer = Debouncer(0.05)
    debouncer.feed(False, 1.00)
    for now, level in ((1.01, True), (1.04, False), (1.05, True), (1.09, True)):
        assert debouncer.feed(level, now) is None
    assert debouncer.feed(True, 1.10) is True


@given(levels=st.lists(st.tuples(st.booleans(), st.floats(0.001, 0.2)), min_size=1, max_size=60))
@settings(deadline=None)  # a busy machine is no failure
def test_a_value_is_only_ever_reported_after_it_lasted_and_in_turns(levels: list[tuple[bool, float]]) -> None:
    reported: list[bool]
    debouncer, now, reported = Debouncer(0.05), 0.0, []
    same_since, last = 0.0, levels[0][0]
    for level, passed in levels:
        now += passed
        if level != last:
            same_since, last = now, level
        value = debouncer.feed(level, now)
        if value is not None:
            assert value == level
            assert not reported or now - same_since >= 0.05 - 1e-9
            assert not reported or reported[-1] != value
            reported.append(value)
    assert reported[0] == levels[0][0]


@pytest.fixture
def factory() -> Iterator[MockFactory]:
    factory = MockFactory()
    yield factory
    factory.reset()


def test_levels_come_from_the_pins(factory: MockFactory) -> None:
    sensors = Sensors([CONTACT, REX], GpioLevels([CONTACT, REX], factory))
    door, button = factory.pin(22), factory.pin(23)
    door.drive_low()
    assert sensors.poll(1.0) == [InputChange(Sensor.CONTACT, False), InputChange(Sensor.REX, False)]
    door.drive_high()
    assert sensors.poll(1.02) == []
    assert sensors.poll(1.08) == [InputChange(Sensor.CONTACT, True)]
    button.drive_low()
    assert sensors.poll(2.0) == []
    assert sensors.poll(2.06) == [InputChange(Sensor.REX, True)]
    sensors.close()
    sensors.close()


@pytest.mark.parametrize("pull", ["up", "down", "none"])
def test_the_pull_is_the_configured_one(factory: MockFactory, pull: str) -> None:
    levels = GpioLevels([SensorWiring(Sensor.BELL, 24, "no", pull)], factory)  # type: ignore[arg-type]
    assert factory.pin(24).pull == {"none": "floating"}.get(pull, pull)
    levels.close()


def test_a_pin_used_twice_is_refused_and_the_first_given_back(factory: MockFactory) -> None:
    twice = [CONTACT, SensorWiring(Sensor.TAMPER, 22, "nc")]
    with pytest.raises(LockError, match=r"sensors\.tamper: GPIO22 cannot be claimed"):
        GpioLevels(twice, factory)
    GpioLevels([CONTACT], factory).close()


class Flickering(SimulatedLevels):
    """Inputs that can be read every other time, each failure with another text."""

    reads = 0

    def read(self, sensor: Sensor) -> bool:
        self.reads += 1
        if self.is_flickering and self.reads % 2:
            raise OSError(f"error {self.reads}")
        return super().read(sensor)

    is_flickering = True


def test_an_input_that_can_be_read_now_and_then_is_one_fault_and_no_flood() -> None:
    """Each poll told of a fault, and the next one that it was over: fifty events a second."""
    levels = Flickering([CONTACT])
    inputs = Sensors([CONTACT], levels)
    told = [change for tick in range(3000) for change in inputs.poll(tick * 0.02)]
    assert len(told) < 60
    assert told[-1].fault == "chatters: loose wire or magnet too far away"
    levels.is_flickering = False
    calm = [change for tick in range(3000, 3700) for change in inputs.poll(tick * 0.02)]
    assert [(one.active, one.fault) for one in calm] == [(None, ""), (False, None)]


def test_an_input_that_fails_in_another_way_each_time_is_one_fault() -> None:
    inputs = Sensors([CONTACT], Failing([CONTACT]))
    told = [change for tick in range(3000) for change in inputs.poll(tick * 0.02)]
    assert [one.fault for one in told] == ["cannot be read: error 1"]


def test_a_chattering_contact_is_a_fault_until_it_is_calm() -> None:
    levels = SimulatedLevels([CONTACT])
    sensors = Sensors([CONTACT], levels)
    now = 100.0
    changes: list[InputChange] = []
    for turn in range(30):
        now += 0.02
        levels.set(Sensor.CONTACT, turn % 2 == 0)
        changes += sensors.poll(now)
    faults = [change for change in changes if change.active is None]
    assert [fault.fault for fault in faults] == ["chatters: loose wire or magnet too far away"]
    assert sensors.poll(now + 9) == []
    assert sensors.poll(now + 10.1) == [
        InputChange(Sensor.CONTACT, None, ""),
        InputChange(Sensor.CONTACT, False),
    ]


def test_a_line_that_cannot_be_read_is_a_fault_and_its_level_is_news_afterwards() -> None:
    levels = SimulatedLevels([CONTACT, REX])
    sensors = Sensors([CONTACT, REX], levels)
    assert len(sensors.poll(1.0)) == 2
    levels.cut(Sensor.CONTACT)
    (fault,) = sensors.poll(1.1)
    assert (fault.active, fault.fault) == (None, "cannot be read: the line of contact is gone")
    assert sensors.poll(1.2) == []
    levels.cut(Sensor.CONTACT, broken=False)
    assert sensors.poll(1.3) == [InputChange(Sensor.CONTACT, None, ""), InputChange(Sensor.CONTACT, False)]


def test_real_pins_on_the_stand_in_for_lgpio(tmp_path: Path) -> None:
    lines = Lines(tmp_path)
    code = """
import os
from edge.relay.door import Sensor
from edge.relay.line import lgpio_factory
from edge.relay.sensors import GpioLevels, SensorWiring
wiring = SensorWiring(Sensor.CONTACT, 22, "nc")
levels = GpioLevels([wiring], lgpio_factory(0, inputs=True))
with open(os.environ["FACEGATE_TEST_LINES"], "a") as log:
    log.write("1.0 1 set 22 1\\n")
print(wiring.is_active(levels.read(Sensor.CONTACT)))
levels.close()
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        env=lines.environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (done.stdout, done.stderr) == ("True\n", "")
    pull_up = 32
    assert ("gpio_claim_input", (22, pull_up)) in [(call.name, call.arguments) for call in lines.calls()]


@pytest.mark.parametrize(
    "values",
    [
        {"warning_seconds": 30},
        {"alarm_seconds": 90},
        {"warning_seconds": -1},
        {"repeat_seconds": 1},
        {"snooze_seconds": 0},
        {"escalate_after": 0},
    ],
)
def test_a_ladder_that_cannot_work_is_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="door held"):
        HeldSettings(**values)  # type: ignore[arg-type]
