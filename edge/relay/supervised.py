"""The door in service: the lock, its sensors and the state machine together.

`SupervisedDoor` is itself a `Lock`, so a grant by any method is known to the state machine and
an opening without one is an alarm.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from edge.errors import LockError
from edge.events import Kind
from edge.relay.door import DoorCommand, DoorState, DoorStep, Note, Sensor

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.relay.door import DoorSettings
    from edge.relay.machine import DoorMachine
    from edge.relay.sensors import InputChange, Sensors


class AnyLock(Protocol):
    """`edge.ports.Lock`, said again because its module needs numpy."""

    def unlock(self, seconds: float) -> None:
        """Unlock now, relock after `seconds`."""

    def lock(self) -> None:
        """Relock now."""

    def close(self) -> None:
        """Relock and release."""


class SupervisedDoor:
    """A `Lock` that knows what its door does. Any thread may call it.

    Somebody calls `poll` about every 20 ms from one thread; there `on_note` gets each journal
    event, in order. `on_chime` gets True or False, from any thread. `quiet` says whether these are
    quiet hours.
    """

    def __init__(
        self,
        lock: AnyLock,
        sensors: Sensors,
        machine: DoorMachine,
        monotonic: Callable[[], float],
        on_note: Callable[[Note], None],
        on_chime: Callable[[bool], None] = lambda _on: None,
        quiet: Callable[[], bool] = lambda: False,
    ) -> None:
        self._lock = lock
        self._sensors = sensors
        self._machine = machine
        self._monotonic = monotonic
        self._on_note = on_note
        self._on_chime = on_chime
        self._quiet = quiet
        self._guarding = threading.Lock()  # the machine and the notes that wait
        # Held over a step of the machine and the order to the lock that belongs to it: a grant between "the
        # door fell shut" and the relocking that follows would be relocked at once, with somebody at the door.
        self._moving = threading.RLock()
        self._waiting: deque[Note] = deque()
        self._granted_until = float("-inf")  # until when somebody who was let in may still be on their way
        self._ordered_at = float("-inf")  # when the lock was last ordered to open

    @property
    def state(self) -> DoorState:
        """The door now."""
        with self._guarding:
            return self._machine.state

    def unlock(self, seconds: float) -> None:
        """Unlock now and relock by itself. Raises `LockError`; then nothing was granted."""
        with self._moving:
            self.hold(seconds)
            self._granted_until = max(self._granted_until, self._monotonic() + seconds)

    def hold(self, seconds: float) -> None:
        """Do the same for nobody in particular: because the door is meant to stand unlocked."""
        with self._moving:
            # The machine first: on a fast strike the contact may open before this returns.
            self._take(lambda now: self._machine.granted(seconds, now))
            self._ordered_at = self._monotonic()
            try:
                self._lock.unlock(seconds)
            except LockError:
                self._take(self._machine.withdrawn)
                raise

    def let_go(self) -> None:
        """End what `hold` began: relock now, or when the time of whoever was just let in is up."""
        with self._moving:
            if self._monotonic() >= self._granted_until:
                self.lock()

    def lock(self) -> None:
        """Relock now."""
        with self._moving:
            # The lock first: what the door's state says of it must not be ahead of the relay.
            self._relock()
            self._take(self._machine.relocked)

    def close(self) -> None:
        """Leave the relay at rest and release the pins; poll no more. Safe to call twice."""
        self._lock.close()
        self._sensors.close()

    def acknowledge(self, by: str) -> None:
        """Acknowledge the alarm in the name of `by`."""
        self._take(lambda now: self._machine.acknowledge(by, now))

    def use(self, settings: DoorSettings) -> None:
        """Go by `settings` from now on."""
        self._take(lambda _now: self._machine.use(settings))

    def free_access(self, on: bool) -> None:  # noqa: FBT001 - a mode
        """Set whether the door is meant to stand unlocked."""
        self._take(lambda now: self._machine.free_access(on, now))

    def lock_event(self, kind: Kind, data: dict[str, Any], mono: float | None = None) -> None:
        """Take what the lock reported at `mono` (monotonic seconds), None for now."""
        at = self._monotonic() if mono is None else mono
        if kind == Kind.LOCK_UNLOCK_FAILED:
            with self._moving:
                # Not what was ordered since: it opens, and would be taken for a break-in.
                if self._ordered_at <= at:
                    self._take(self._machine.withdrawn)
        else:
            why = str(data.get("why", "")) if kind == Kind.LOCK_GUARD_LOST else None
            self._take(lambda now: self._machine.fault("lock", why, now))
        with self._guarding:
            self._waiting.append(Note(kind, data, at))

    def poll(self) -> None:
        """Read the sensors once, let time pass, and hand on what came of it.

        An event that `on_note` raises for is handed on again by the next call.
        """
        for change in self._sensors.poll(self._monotonic()):
            self._take(lambda now, change=change: self._sensed(change, now))  # type: ignore[misc]
        self._take(lambda now: self._machine.tick(now, quiet=self._quiet()))
        # Without `_guarding`: other threads only append to the deque, and only this one removes from it.
        # Removed after `on_note` returned, so that an event which could not be recorded comes again.
        while self._waiting:
            self._on_note(self._waiting[0])
            self._waiting.popleft()

    def _sensed(self, change: InputChange, now: float) -> DoorStep:
        if change.active is None:
            return self._machine.fault(change.sensor, change.fault or None, now)
        return self._machine.sensed(Sensor(change.sensor), change.active, now)

    def _take(self, what: Callable[[float], DoorStep]) -> None:
        with self._moving:
            with self._guarding:
                now = self._monotonic()
                step = what(now)
                self._waiting.extend(replace(note, mono=now) for note in step.notes)
            # Without `_guarding`: whoever asks for the door's state does not wait for the lock.
            if DoorCommand.LOCK in step.commands:
                self._relock()
        for command in step.commands:
            if command is not DoorCommand.LOCK:
                self._on_chime(command is DoorCommand.CHIME)

    def _relock(self) -> None:
        self._lock.lock()
        self._granted_until = float("-inf")
