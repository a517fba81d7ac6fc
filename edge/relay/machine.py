"""The door as a state machine: what its contact, its lock and its buttons mean together.

No clock, no thread, no hardware: monotonic seconds come in, journal events and commands go out,
so that every transition is a line of the table below and a line of a test.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from edge.events import Kind
from edge.relay.door import (
    Alarm,
    DoorCommand,
    DoorSettings,
    DoorState,
    DoorStatus,
    DoorStep,
    LockStatus,
    Note,
    Phase,
    Sensor,
)
from edge.relay.held import HeldLadder, Rung

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Stimulus(StrEnum):
    """What can happen to the door's story."""

    GRANTED = "granted"
    ALLOWED = "allowed"
    """It may be opened, but nobody is expected: exit button, free access."""
    OPENED = "opened"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"
    """The lock could not be unlocked after all: nobody is expected."""
    TIME_UP = "time_up"
    HELD = "held"


P, S = Phase, Stimulus

TRANSITIONS: dict[tuple[Phase, Stimulus], tuple[Phase, tuple[str, ...]]] = {
    # (phase, stimulus): (next phase, what to do: the machine's methods `_do_NAME`)
    # Found open at the start: it may have stood open all along, so nobody broke in.
    (P.UNREAD, S.OPENED): (P.PASSING, ("find_open", "time")),
    (P.UNREAD, S.CLOSED): (P.SHUT, ("clear",)),
    # Closed and not expected to move. Only from here is an opening a break-in.
    (P.SHUT, S.GRANTED): (P.RELEASED, ()),
    (P.SHUT, S.ALLOWED): (P.EXIT, ()),
    (P.SHUT, S.OPENED): (P.FORCED, ("force", "time")),
    # Somebody was let in and is expected; a grant that nobody uses becomes an event.
    (P.RELEASED, S.OPENED): (P.PASSING, ("open", "time")),
    (P.RELEASED, S.WITHDRAWN): (P.EXIT, ()),
    (P.RELEASED, S.TIME_UP): (P.SHUT, ("miss_entry",)),
    # The door may open, but nobody has to come: exit button, free access, or a door that has just closed and
    # springs back out of its latch.
    (P.EXIT, S.GRANTED): (P.RELEASED, ()),
    (P.EXIT, S.OPENED): (P.PASSING, ("open", "time")),
    (P.EXIT, S.TIME_UP): (P.SHUT, ("forget_extension",)),
    (P.PASSING, S.GRANTED): (P.PASSING, ("time",)),
    (P.PASSING, S.ALLOWED): (P.PASSING, ("time",)),
    (P.PASSING, S.CLOSED): (P.EXIT, ("close", "clear", "relock")),
    (P.PASSING, S.HELD): (P.HELD, ("hold",)),
    (P.HELD, S.CLOSED): (P.EXIT, ("close", "clear", "relock")),
    # No grant makes a break-in permitted: only closing the door ends it.
    (P.FORCED, S.CLOSED): (P.EXIT, ("close", "clear", "relock")),
    (P.FORCED, S.HELD): (P.FORCED, ("hold",)),
}
"""Every pair that changes something; a pair that is not here leaves the door as it is."""

PRESSED = {Sensor.REX: Kind.DOOR_REX, Sensor.BELL: Kind.DOOR_BELL}
"""The event of each button. Contact, tamper and fire are handled by methods of their own."""
HELD = {Rung.WARNING: Kind.DOOR_HELD_WARNING, Rung.REPEAT: Kind.DOOR_HELD_REPEAT}

OPEN_PHASES = frozenset({Phase.PASSING, Phase.HELD, Phase.FORCED})


class DoorMachine:
    """One door. One thread at a time; `now` is monotonic seconds and never runs backwards.

    `held_ages_seconds` are the ages of earlier held-open alarms, for the count per week.
    """

    def __init__(self, settings: DoorSettings, now: float, held_ages_seconds: Iterable[float] = ()) -> None:
        self._settings = settings
        self._ladder = HeldLadder(settings.held, now, held_ages_seconds)
        self._phase = Phase.UNREAD
        self._alarms: set[Alarm] = set()
        self._faults: dict[str, str] = {}
        self._free: set[str] = set()  # why openings need no permission now: `mode`, `fire`
        self._granted_at = now
        self._unlocked_until = now
        self._may_open_until = now
        self._extended = False
        self._chiming = False
        self._notes: list[Note] = []
        self._commands: list[DoorCommand] = []
        self._now = now

    def use(self, settings: DoorSettings) -> DoorStep:
        """Go by `settings` from now on; what was granted before stays as it was."""
        self._settings = settings
        self._ladder.use(settings.held)
        return DoorStep()

    @property
    def state(self) -> DoorState:
        """The door as of the last call."""
        door = DoorStatus.OPENED if self._phase in OPEN_PHASES else DoorStatus.CLOSED
        if self._phase is Phase.UNREAD:
            door = DoorStatus.UNKNOWN
        lock = LockStatus.UNLOCKED if self._now < self._unlocked_until else LockStatus.LOCKED
        if "lock" in self._faults:
            lock = LockStatus.LOCK_FAULT
        return DoorState(door, lock, frozenset(self._alarms), self._phase)

    def granted(self, seconds: float, now: float) -> DoorStep:
        """Take note that the lock was unlocked for `seconds` from now."""
        self._at(now)
        self._granted_at = now
        # Never shorter than before: a second grant does not cut the first one's time.
        self._unlocked_until = max(self._unlocked_until, now + seconds)
        self._may_open_until = max(self._may_open_until, now + seconds + self._settings.grace_seconds)
        # Whoever is given longer to come in is also given longer before the door counts as held, and keeps
        # that time when somebody else is let in for the usual one meanwhile.
        self._extended = self._extended or seconds > self._settings.unlock_seconds
        return self._apply(Stimulus.ALLOWED if self._free else Stimulus.GRANTED)

    def relocked(self, now: float) -> DoorStep:
        """Take note that the lock was relocked on order."""
        self._at(now)
        self._relock()
        # Again, because relocking shortens the granted time and may end it. `tick` would do the same, but it
        # has to be told whether these are quiet hours.
        self._at(now)
        return self._step()

    def withdrawn(self, now: float) -> DoorStep:
        """Take note that what `granted` said did not happen."""
        self._at(now)
        # Before relocking, which ends the time: an expected person would be reported as not having come.
        self._move(Stimulus.WITHDRAWN)
        return self.relocked(now)

    def sensed(self, sensor: Sensor, active: bool, now: float) -> DoorStep:  # noqa: FBT001 - a level
        """Take note of a debounced change of an input, or of its first reading."""
        self._at(now)
        if sensor is Sensor.CONTACT:
            return self._contact(Stimulus.OPENED if active else Stimulus.CLOSED)
        if sensor is Sensor.TAMPER:
            self._raise_tamper(active)
        elif sensor is Sensor.FIRE:
            self._fire(active)
        elif active:
            self._note(PRESSED[sensor])
            if sensor is Sensor.REX:
                self._may_open_until = max(self._may_open_until, now + self._settings.exit_seconds)
                return self._apply(Stimulus.ALLOWED)
        return self._step()

    def fault(self, part: str, why: str | None, now: float) -> DoorStep:
        """Take note that `part` (`lock`, `contact`...) is broken, or with None that it works again."""
        self._at(now)
        if self._faults.get(part) == why:
            return self._step()
        if why is None:
            del self._faults[part]
            self._note(Kind.DOOR_FAULT_CLEARED, part=part)
        else:
            self._faults[part] = why
            self._note(Kind.DOOR_FAULT, part=part, why=why, alarm=str(Alarm.DOOR_FAULT))
        if part == Sensor.CONTACT:
            # Nothing is known of the door until the contact is read again: begin as at the start.
            self._phase = Phase.UNREAD
        self._mark(Alarm.DOOR_FAULT, bool(self._faults))
        return self._step()

    def free_access(self, on: bool, now: float) -> DoorStep:  # noqa: FBT001 - a mode
        """Take note that the door is meant to stand unlocked: openings are neither forced nor held."""
        self._at(now)
        self._be_free("mode", on)
        return self._step()

    def acknowledge(self, by: str, now: float) -> DoorStep:
        """Take note that `by` has the alarm in hand: no repeats for the snooze, no chime."""
        self._at(now)
        if self._alarms:
            self._ladder.acknowledge(now)
            self._hush()
            self._note(Kind.DOOR_ACKNOWLEDGED, by=by, alarms=sorted(map(str, self._alarms)))
        return self._step()

    def tick(self, now: float, *, quiet: bool = False) -> DoorStep:
        """Let time pass. In `quiet` hours nothing chimes; the warning goes out as an event instead."""
        self._at(now)
        if self._phase in OPEN_PHASES and not self._free:
            self._climb(quiet)
        return self._step()

    # Actions that the table names.

    def _do_find_open(self) -> None:
        self._note(Kind.DOOR_FOUND_OPEN)

    def _do_open(self) -> None:
        self._note(Kind.DOOR_OPENED)

    def _do_force(self) -> None:
        self._mark(Alarm.FORCED_OPEN, True)
        self._note(Kind.DOOR_FORCED, alarm=str(Alarm.FORCED_OPEN))

    def _do_close(self) -> None:
        self._note(Kind.DOOR_CLOSED, open_seconds=round(self._ladder.open_seconds(self._now), 3))

    def _do_clear(self) -> None:
        self._ladder.stop()
        self._do_forget_extension()
        self._alarms -= {Alarm.DOOR_OPEN_TOO_LONG, Alarm.FORCED_OPEN}
        self._hush()

    def _do_relock(self) -> None:
        if self._settings.relock_on_close and self._now < self._unlocked_until and not self._free:
            self._relock()
            self._commands.append(DoorCommand.LOCK)

    def _do_time(self) -> None:
        self._ladder.start(self._now, extended=self._extended)

    def _do_hold(self) -> None:
        self._mark(Alarm.DOOR_OPEN_TOO_LONG, True)
        self._note_held(Kind.DOOR_HELD)

    def _do_forget_extension(self) -> None:
        self._extended = False

    def _do_miss_entry(self) -> None:
        self._do_forget_extension()
        self._note(Kind.DOOR_NO_ENTRY_AFTER_GRANTED, waited_seconds=round(self._now - self._granted_at, 3))

    # Implementation.

    def _at(self, now: float) -> None:
        """Advance to `now`; permission that has run out since the last call ends first."""
        self._now = now
        if now >= self._may_open_until:
            self._move(Stimulus.TIME_UP)

    def _apply(self, stimulus: Stimulus) -> DoorStep:
        self._move(stimulus)
        return self._step()

    def _move(self, stimulus: Stimulus) -> None:
        following = TRANSITIONS.get((self._phase, stimulus))
        if following is None:
            return
        self._phase, actions = following
        for action in actions:
            do: Callable[[], None] = getattr(self, f"_do_{action}")
            do()

    def _contact(self, stimulus: Stimulus) -> DoorStep:
        if self._free:
            # Where nobody needs permission every opening is expected, so none is forced.
            self._move(Stimulus.ALLOWED)
        return self._apply(stimulus)

    def _fire(self, active: bool) -> None:  # noqa: FBT001 - a level
        """Observed only: the release of the door is wired, and every opening is an escape."""
        if active != ("fire" in self._free):
            self._be_free("fire", active)
            self._note(Kind.DOOR_FIRE_ALARM if active else Kind.DOOR_FIRE_ALARM_CLEARED)

    def _be_free(self, why: str, on: bool) -> None:  # noqa: FBT001 - a level
        was_free = bool(self._free)
        self._free = self._free | {why} if on else self._free - {why}
        if was_free and not self._free and self._phase in OPEN_PHASES:
            self._ladder.start(self._now)  # the door was allowed to stand open until now

    def _relock(self) -> None:
        self._unlocked_until = min(self._unlocked_until, self._now)
        # A door that springs back out of its latch, and a hand already on it, are no break-in.
        self._may_open_until = min(self._may_open_until, self._now + self._settings.grace_seconds)

    def _climb(self, quiet: bool) -> None:  # noqa: FBT001 - a level
        rung = self._ladder.due(self._now)
        if rung is None:
            return
        if not quiet:
            self._chiming = True
            self._commands.append(DoorCommand.CHIME)
        if rung is Rung.ALARM:
            self._move(Stimulus.HELD)
        elif rung is Rung.REPEAT or quiet:
            self._note_held(HELD[rung])

    def _hush(self) -> None:
        if self._chiming:
            self._chiming = False
            self._commands.append(DoorCommand.HUSH)

    def _note_held(self, kind: Kind) -> None:
        self._note(
            kind,
            alarms=sorted(map(str, self._alarms)),
            open_seconds=round(self._ladder.open_seconds(self._now), 3),
            level=self._ladder.level,
            count_week=self._ladder.count_week(self._now),
        )

    def _raise_tamper(self, on: bool) -> None:  # noqa: FBT001 - a level
        if on != (Alarm.TAMPER in self._alarms):
            self._mark(Alarm.TAMPER, on)
            self._note(Kind.DOOR_TAMPER if on else Kind.DOOR_TAMPER_CLEARED)

    def _mark(self, alarm: Alarm, on: bool) -> None:  # noqa: FBT001 - a level
        self._alarms = self._alarms | {alarm} if on else self._alarms - {alarm}

    def _note(self, kind: Kind, **data: Any) -> None:
        self._notes.append(Note(kind, data))

    def _step(self) -> DoorStep:
        step = DoorStep(tuple(self._notes), tuple(self._commands))
        self._notes, self._commands = [], []
        return step
