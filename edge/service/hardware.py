"""Lock, wired inputs and chime of one door, made from its settings and driven by one thread."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import replace
from datetime import time as clock_time
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from edge.domain import EventDraft
from edge.errors import LockError
from edge.events import Kind
from edge.relay.chime import Chime
from edge.relay.door import DoorSettings, Note, Sensor
from edge.relay.held import HeldSettings
from edge.relay.line import RelayLine, Wiring, lgpio_factory, mock_factory
from edge.relay.machine import DoorMachine
from edge.relay.sensors import GpioLevels, Sensors, SensorWiring
from edge.relay.supervised import SupervisedDoor
from edge.service.parts import make_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from edge.config.settings import Held, Settings
    from edge.ports import Clock
    from edge.relay.sensors import Levels
    from edge.service.parts import LockMaker

logger = logging.getLogger(__name__)


HOLD_SECONDS = 3.0
"""Longer than two of the one-second looks at the mode that renew it."""


class DeadLevels:
    """Stands in for pins that could not be claimed: every read fails, so every input is a fault."""

    def __init__(self, why: str) -> None:
        self._why = why

    def read(self, sensor: Sensor) -> bool:  # noqa: ARG002 - the signature of Levels
        """Raise OSError."""
        raise OSError(self._why)

    def close(self) -> None:
        """Do nothing."""


class DoorHardware:
    """One door's hardware. Give `door` to the controller as its lock; call `step` about every 20 ms.

    `record` gets each event, from the thread that calls `step`. Inputs that cannot be claimed are
    a door fault, not a reason to stay down: residents still come in.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        record: Callable[[EventDraft], object],
        environ: Mapping[str, str],
        held_ages_seconds: Iterable[float] = (),
        new_lock: LockMaker = make_lock,
    ) -> None:
        self._clock = clock
        self._record = record
        self._reported: deque[tuple[Kind, dict[str, Any], float]] = deque()
        self._pins = _Pins(settings, environ)
        lock = new_lock(
            settings.lock, clock, lambda kind, data: self._reported.append((kind, data, clock.monotonic()))
        )
        machine = DoorMachine(door_settings(settings), clock.monotonic(), held_ages_seconds)
        self._held = settings.held
        self._chime = self._pins.chime()
        self._is_held = False
        self.door = SupervisedDoor(
            lock,
            self._pins.sensors(),
            machine,
            clock.monotonic,
            self._take,
            self._ring,
            lambda: is_quiet(self._held, settings.door.timezone, clock.now()),
        )

    def use(self, settings: Settings) -> None:
        """Go by these opening times, held-open limits and quiet hours from now on. Any thread."""
        self._held = settings.held
        self.door.use(door_settings(settings))

    def step(self) -> None:
        """Take the lock's messages, read the inputs and advance the timers."""
        # Only this thread removes, others only append: no lock is needed for a deque.
        while self._reported:
            self.door.lock_event(*self._reported.popleft())
        self.door.poll()
        if self._chime is not None:
            self._chime.tick(self._clock.monotonic())

    def hold(
        self,
        is_held: bool,  # noqa: FBT001 - a level
        is_still_held: Callable[[], bool] = lambda: True,
        is_locked_down: Callable[[], bool] = lambda: False,
    ) -> None:
        """Keep the door unlocked while the mode says so; call it once a second.

        A lock-down may come between the look at the mode and the order: `is_still_held` is asked afterwards.
        Each call orders a short opening: whatever dies, the door is shut `HOLD_SECONDS` later. When the mode
        ends, whoever was let in just now still comes in, unless the door is locked down.
        """
        if is_held != self._is_held:
            # Before the lock moves: an opening that the state machine does not expect would be a break-in.
            self.door.free_access(is_held)
            kind = Kind.DOOR_HELD_UNLOCKED if is_held else Kind.DOOR_MODE_ENDED
            self._take(Note(kind, {}))
        if is_held:
            self._unlock_on()
        is_over = not is_still_held() if is_held else self._is_held
        if is_over:
            self.door.lock() if is_locked_down() else self.door.let_go()
        self._is_held = is_held

    def _unlock_on(self) -> None:
        try:
            self.door.hold(HOLD_SECONDS)
        except LockError as error:
            logger.error("the door cannot be held unlocked: %s", error)  # noqa: TRY400 - one clear line

    def close(self) -> None:
        """Leave relay and chime at rest and give every pin up. Safe to call twice."""
        self.door.close()
        if self._chime is not None:
            self._chime.close()

    def _take(self, note: Note) -> None:
        draft = EventDraft.now(self._clock, note.kind, note.data)
        if note.mono is not None:
            ago = timedelta(seconds=max(0.0, draft.mono - note.mono))
            draft = replace(draft, at=draft.at - ago, mono=min(note.mono, draft.mono))
        self._record(draft)

    def _ring(self, on: bool) -> None:  # noqa: FBT001 - a level
        if self._chime is None:
            return
        if on:
            self._chime.sound(self._clock.monotonic())
        else:
            self._chime.hush()


class _Pins:
    """Claims what the settings name, and says what could not be claimed."""

    def __init__(self, settings: Settings, environ: Mapping[str, str]) -> None:
        self._settings = settings
        self._environ = environ

    def sensors(self) -> Sensors:
        wirings = sensor_wirings(self._settings)
        levels: Levels = DeadLevels("no inputs")
        if wirings:
            try:
                levels = GpioLevels(wirings, self._factory(inputs=True))
            except LockError as error:
                logger.error("the door's inputs do not answer: %s", error)  # noqa: TRY400 - one clear line
                levels = DeadLevels(str(error))
        return Sensors(wirings, levels)

    def chime(self) -> Chime | None:
        held = self._settings.held
        if held.chime_pin is None:
            return None
        # A chime is wired like a strike: without power it is at rest.
        wiring = Wiring("fail-secure", held.chime_active_high)
        try:
            return Chime(RelayLine.claim(held.chime_pin, wiring, self._factory(inputs=False)))
        except LockError as error:
            logger.error("the chime does not answer: %s", error)  # noqa: TRY400 - one clear line
            return None

    def _factory(self, *, inputs: bool) -> Any:
        lock = self._settings.lock
        if lock.pin_factory == "mock":
            return mock_factory(self._environ)
        return lgpio_factory(lock.gpio_chip, inputs=inputs)


def sensor_wirings(settings: Settings) -> list[SensorWiring]:
    """Return the inputs that are configured."""
    wirings = []
    for sensor in Sensor:
        section = getattr(settings.sensors, sensor.value)
        if section is not None:
            wirings.append(SensorWiring(sensor, **section.model_dump()))
    return wirings


def door_settings(settings: Settings) -> DoorSettings:
    """Return how this door behaves."""
    held = settings.held
    return DoorSettings(
        unlock_seconds=settings.lock.unlock_seconds,
        exit_seconds=settings.sensors.exit_seconds,
        relock_on_close=settings.sensors.relock_on_close,
        held=HeldSettings(
            held.alarm_seconds,
            held.warning_seconds,
            held.extended_seconds,
            held.repeat_seconds,
            held.snooze_seconds,
            held.escalate_after,
        ),
    )


def is_quiet(held: Held, timezone: str, now: datetime) -> bool:
    """Return whether `now` (UTC) is within the quiet hours, which may span midnight."""
    if held.quiet_from is None or held.quiet_to is None:
        return False
    start, end = clock_time.fromisoformat(held.quiet_from), clock_time.fromisoformat(held.quiet_to)
    local = now.astimezone(ZoneInfo(timezone)).time()
    return start <= local < end if start <= end else local >= start or local < end
