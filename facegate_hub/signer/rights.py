"""What people and programs may ask for, and the roles that bundle it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from edge.errors import SyncError
from edge.wire.commands import CommandType

if TYPE_CHECKING:
    from collections.abc import Mapping

EVERYWHERE = "*"
GROUP = "@"
"""Before the name of a group of doors: `@lobby`."""


class NotPermitted(SyncError):
    """Whoever asks is not known, or may not do this; nothing was done."""


class Permission(StrEnum):
    """One thing that can be allowed: each command of a door, and what is done at the property."""

    UNLOCK = "unlock"
    LOCKDOWN = "lockdown"
    EVACUATION = "evacuation"
    NORMAL = "normal"
    RELOAD = "reload"
    ENROL_WINDOW = "enrol_window"
    ACKNOWLEDGE_ALARM = "acknowledge_alarm"
    DIAGNOSTICS = "diagnostics"
    LOOK = "look"
    """See doors and their events."""
    ALARMS = "alarms"
    """Work on the inbox of alarms."""
    DOUBTS = "doubts"
    ROSTER = "roster"
    SETTINGS = "settings"
    EXPORT = "export"
    ERASE = "erase"
    """Forget events: of one person, or all that are old."""
    DOORS = "doors"
    """Name doors, group them, shut them out, retire them."""
    PRINCIPALS = "principals"
    AUDIT = "audit"


COMMANDS: dict[CommandType, Permission] = {
    kind: Permission(kind) for kind in CommandType if kind is not CommandType.CHALLENGE
}
"""The right that each command needs."""

_AT_DOORS = frozenset(COMMANDS.values())
_DESK = frozenset(
    {
        Permission.LOOK,
        Permission.ALARMS,
        Permission.UNLOCK,
        Permission.ACKNOWLEDGE_ALARM,
        Permission.DIAGNOSTICS,
    }
)

ROLES: Mapping[str, frozenset[Permission]] = {
    "admin": frozenset(Permission),
    "manager": _AT_DOORS
    | _DESK
    | {
        Permission.ROSTER,
        Permission.SETTINGS,
        Permission.EXPORT,
        Permission.ERASE,
        Permission.DOUBTS,
        Permission.DOORS,
        Permission.AUDIT,
    },
    "desk": _DESK | {Permission.ENROL_WINDOW},
    "guard": _DESK | {Permission.LOCKDOWN, Permission.EVACUATION, Permission.NORMAL},
    "technician": frozenset(
        {Permission.LOOK, Permission.DIAGNOSTICS, Permission.RELOAD, Permission.SETTINGS}
    ),
    "auditor": frozenset({Permission.LOOK, Permission.AUDIT, Permission.DOUBTS}),
    "reader": frozenset({Permission.LOOK}),
    "none": frozenset(),
}
"""`none` is for programs whose rights are named one by one."""
