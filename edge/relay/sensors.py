"""The wired inputs: door contact, exit button, case tamper, fire alarm, bell.

They are polled, not interrupt-driven: at 50 Hz a poll costs five reads of a line, no callback
can arrive on a foreign thread, and debouncing is a rule about time that a test can drive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from edge.errors import ConfigError, LockError
from edge.extras import placed
from edge.relay.door import Sensor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OBSERVED_ONLY = (Sensor.REX, Sensor.FIRE)
"""Free egress and fire release never depend on software: they are wired, and the door only records them."""

CHATTER_CHANGES, CHATTER_SECONDS = 20, 10.0
"""A reed contact that changes twice a second for ten seconds is loose; no door is that busy."""


@dataclass(frozen=True, slots=True)
class SensorWiring:
    """How one input is wired. `pin` is its BCM number.

    `contact` is `nc` when the circuit is closed at rest (door shut, button up, no alarm) and a cut
    wire therefore alarms, `no` when it is open at rest. The circuit pulls the pin to ground
    against `pull` (`up`), or to 3.3 V against `down`; `none` for an opto-coupler board with its
    own resistor to 3.3 V. A level counts once it has lasted `debounce_seconds`.

    `action` exists to be refused: the exit button and the fire alarm are observed, never a way
    to release the door by software. Raises `ConfigError`.
    """

    sensor: Sensor
    pin: int
    contact: Literal["no", "nc"]
    pull: Literal["up", "down", "none"] = "up"
    debounce_seconds: float = 0.05
    action: str = "observe"

    def __post_init__(self) -> None:
        if self.action != "observe":
            raise ConfigError(
                f"sensors.{self.sensor}.action = {self.action!r}: "
                + (
                    "the way out and the fire release are wired to the lock and work without software; "
                    f'here they are only observed: set it to "observe" ({placed("docs/install.md")}, wiring)'
                    if self.sensor in OBSERVED_ONLY
                    else 'an input can only be observed: set it to "observe"'
                )
            )
        if not 0 <= self.debounce_seconds <= 1:
            raise ConfigError(
                f"sensors.{self.sensor}.debounce_seconds = {self.debounce_seconds:g}: must be 0 to 1"
            )

    def is_active(self, high: bool) -> bool:  # noqa: FBT001 - a level
        """Return what a level of the pin means: door open, button pressed, alarm on."""
        closed_circuit = high if self.pull == "down" else not high
        return closed_circuit == (self.contact == "no")


class Debouncer:
    """A level that counts only once it has lasted; the first one counts at once.

    One input, one thread; monotonic seconds.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._stable: bool | None = None
        self._candidate_since: float | None = None

    def feed(self, active: bool, now: float) -> bool | None:  # noqa: FBT001 - a level
        """Return the new stable value when `active` makes one, else None."""
        if active == self._stable:
            self._candidate_since = None
            return None
        if self._candidate_since is None:
            self._candidate_since = now
        if self._stable is not None and now - self._candidate_since < self._seconds:
            return None
        self._stable, self._candidate_since = active, None
        return active


class Chatter:
    """Notices an input that changes more often than anybody could make it."""

    def __init__(self) -> None:
        self._changes: list[float] = []

    def changed(self, now: float) -> None:
        """Count a change of the raw level."""
        self._changes = [*self._changes[-CHATTER_CHANGES:], now]

    def is_loose(self, now: float) -> bool:
        """Return whether the last ten seconds saw more than twenty changes."""
        return sum(1 for when in self._changes if now - when < CHATTER_SECONDS) > CHATTER_CHANGES


class Levels(Protocol):
    """Where levels come from."""

    def read(self, sensor: Sensor) -> bool:
        """Return True when the pin of `sensor` is high. Raises OSError when it cannot be read."""

    def close(self) -> None:
        """Release the pins. Safe to call twice."""


@dataclass(frozen=True, slots=True)
class InputChange:
    """A debounced change, or the first reading.

    With `fault` set `active` is None: the text says what is broken, an empty one that the input works again.
    """

    sensor: Sensor
    active: bool | None
    fault: str | None = None


class Sensors:
    """All inputs of a door. One thread; call `poll` about every 20 ms."""

    def __init__(self, wirings: Sequence[SensorWiring], levels: Levels) -> None:
        self._levels = levels
        self._wirings = tuple(wirings)
        self._debouncers = {wiring.sensor: Debouncer(wiring.debounce_seconds) for wiring in wirings}
        self._chatter = {wiring.sensor: Chatter() for wiring in wirings}
        self._raw: dict[Sensor, bool | None] = {}
        """The last level of each, None for one that could not be read."""
        self._broken: dict[Sensor, str] = {}

    def poll(self, now: float) -> list[InputChange]:
        """Return what changed since the last call, in the order of the wirings."""
        changes: list[InputChange] = []
        for wiring in self._wirings:
            changes += self._poll_one(wiring, now)
        return changes

    def close(self) -> None:
        """Release the pins."""
        self._levels.close()

    def _poll_one(self, wiring: SensorWiring, now: float) -> list[InputChange]:
        sensor, why, active = wiring.sensor, "", None
        try:
            active = wiring.is_active(self._levels.read(sensor))
        except OSError as error:
            why = f"cannot be read: {error}"
        # Also from a level to none, and back: a line that is read every other time is as loose.
        if active != self._raw.get(sensor, active):
            self._chatter[sensor].changed(now)
        self._raw[sensor] = active
        if self._chatter[sensor].is_loose(now):
            return self._judge(sensor, "chatters: loose wire or magnet too far away")
        if active is None:
            return self._judge(sensor, why)
        changes = self._judge(sensor, None)
        if changes:
            # The input works again. A new debouncer reports its level as a first reading, also where it is
            # the one from before the fault: the state machine has forgotten it.
            self._debouncers[sensor] = Debouncer(wiring.debounce_seconds)
        stable = self._debouncers[sensor].feed(active, now)
        return changes if stable is None else [*changes, InputChange(sensor, stable)]

    def _judge(self, sensor: Sensor, why: str | None) -> list[InputChange]:
        if self._broken.get(sensor) == why:
            return []
        if why is not None and _kind(why) == _kind(self._broken.get(sensor, "")):
            return []  # the same for another reason is no other fault
        if why is None:
            del self._broken[sensor]
            return [InputChange(sensor, None, "")]
        self._broken[sensor] = why
        return [InputChange(sensor, None, why)]


def _kind(why: str) -> str:
    return why.partition(":")[0]


class GpioLevels:
    """`Levels` on gpiozero. `factory` as for the relay line; raises `LockError` when a pin is refused."""

    def __init__(self, wirings: Sequence[SensorWiring], factory: Any) -> None:
        from gpiozero import InputDevice  # noqa: PLC0415 - 120 ms, and a door without inputs needs none

        self._devices: dict[Sensor, Any] = {}
        for wiring in wirings:
            pull_up = {"up": True, "down": False, "none": None}[wiring.pull]
            active_state = True if pull_up is None else None
            try:
                self._devices[wiring.sensor] = InputDevice(
                    wiring.pin, pull_up=pull_up, active_state=active_state, pin_factory=factory
                )
            except Exception as error:  # lgpio.error and half of gpiozero.exc derive from it
                self.close()
                raise LockError(
                    f"sensors.{wiring.sensor}: GPIO{wiring.pin} cannot be claimed: {error}; "
                    "is it used twice in the configuration?"
                ) from error

    def read(self, sensor: Sensor) -> bool:
        """Return True when the pin is high."""
        try:
            return bool(self._devices[sensor].pin.state)
        except Exception as error:  # lgpio.error derives from it
            raise OSError(str(error)) from error

    def close(self) -> None:
        """Release the pins."""
        for device in self._devices.values():
            device.close()


class SimulatedLevels:
    """`Levels` that a person or a test sets; at rest to begin with. Any thread."""

    def __init__(self, wirings: Sequence[SensorWiring]) -> None:
        self._wirings: Mapping[Sensor, SensorWiring] = {wiring.sensor: wiring for wiring in wirings}
        self._active = dict.fromkeys(self._wirings, False)
        self._broken: set[Sensor] = set()

    def set(self, sensor: Sensor, active: bool) -> None:  # noqa: FBT001 - a level
        """Make `sensor` active (door open, button pressed, alarm on) or not."""
        self._active[sensor] = active

    def is_set(self, sensor: Sensor) -> bool:
        """Return what was set."""
        return self._active[sensor]

    def cut(self, sensor: Sensor, broken: bool = True) -> None:  # noqa: FBT001 - a level
        """Make reads of `sensor` fail, or work again."""
        self._broken = self._broken | {sensor} if broken else self._broken - {sensor}

    def read(self, sensor: Sensor) -> bool:
        """Return the level that means what was set."""
        if sensor in self._broken:
            raise OSError(f"the line of {sensor} is gone")
        wiring = self._wirings[sensor]
        return next(high for high in (True, False) if wiring.is_active(high) == self._active[sensor])

    def close(self) -> None:
        """Do nothing."""
