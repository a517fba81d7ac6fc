"""The door's words: states, alarms, inputs and settings. Names are BACnet's."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from edge.events import Kind  # noqa: TC001 - dataclass fields are read at run time
from edge.relay.held import HeldSettings


class DoorStatus(StrEnum):
    """What the door contact says."""

    CLOSED = "closed"
    OPENED = "opened"
    UNKNOWN = "unknown"


class LockStatus(StrEnum):
    """What was last ordered of the lock, or that it cannot be ordered."""

    LOCKED = "locked"
    UNLOCKED = "unlocked"
    LOCK_FAULT = "lock_fault"


class Secured(StrEnum):
    """Closed, locked and no alarm: three facts in one word."""

    SECURED = "secured"
    UNSECURED = "unsecured"
    UNKNOWN = "unknown"


class Alarm(StrEnum):
    """What is wrong with the door now."""

    DOOR_OPEN_TOO_LONG = "door_open_too_long"
    FORCED_OPEN = "forced_open"
    TAMPER = "tamper"
    DOOR_FAULT = "door_fault"


class Sensor(StrEnum):
    """The wired inputs. `contact` is active while the door is open, the others when they fire."""

    CONTACT = "contact"
    REX = "rex"
    TAMPER = "tamper"
    FIRE = "fire"
    BELL = "bell"


class Phase(StrEnum):
    """Which phase of an entry or exit the door is in."""

    UNREAD = "unread"
    """No contact, or not read yet."""
    SHUT = "shut"
    RELEASED = "released"
    """Shut, and a grant lets it be opened: an entry is expected."""
    EXIT = "exit"
    """Shut, may be opened, and nobody is expected: exit button, free access, rest of a grant's time."""
    PASSING = "passing"
    """Open with permission."""
    HELD = "held"
    FORCED = "forced"


class DoorCommand(StrEnum):
    """What the door wants done: relock now; sound the chime at the door; silence it."""

    LOCK = "lock"
    CHIME = "chime"
    HUSH = "hush"


@dataclass(frozen=True, slots=True)
class Note:
    """An event for the journal: `kind` and `data` as in `EventDraft`.

    `mono` is when it happened (monotonic seconds), None for now: it is told when the door is polled next, and
    after what is still being written.
    """

    kind: Kind
    data: dict[str, Any] = field(default_factory=dict)
    mono: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class DoorStep:
    """What came of one stimulus, in order."""

    notes: tuple[Note, ...] = ()
    commands: tuple[DoorCommand, ...] = ()


@dataclass(frozen=True, slots=True)
class DoorState:
    """The door now. `secured` follows from the rest."""

    door: DoorStatus
    lock: LockStatus
    alarms: frozenset[Alarm]
    phase: Phase

    @property
    def secured(self) -> Secured:
        """Closed, locked and without alarm; `unknown` when only the contact is not known."""
        if self.lock is not LockStatus.LOCKED or self.alarms or self.door is DoorStatus.OPENED:
            return Secured.UNSECURED
        return Secured.SECURED if self.door is DoorStatus.CLOSED else Secured.UNKNOWN


@dataclass(frozen=True, slots=True)
class DoorSettings:
    """How this door behaves. Seconds; `unlock_seconds` is the normal opening, longer is extended.

    `exit_seconds` is how long after the exit button an opening is no break-in. `grace_seconds`
    covers a person who pulls at the last moment: contact and debouncing report an opening later
    than the lock allows it.
    """

    unlock_seconds: float = 5.0
    exit_seconds: float = 10.0
    grace_seconds: float = 1.0
    relock_on_close: bool = True
    held: HeldSettings = field(default_factory=HeldSettings)
