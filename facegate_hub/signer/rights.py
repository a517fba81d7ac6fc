"""What people and programs may ask for, the roles that bundle it, and the hours in which it holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from edge.errors import SyncError
from edge.policy.schedule import WEEKDAYS, WHOLE_DAY, Span
from edge.wire.commands import CommandType

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

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

_PART = re.compile(r"(?:(?P<first>[a-z]{3})(?:-(?P<last>[a-z]{3}))?\s+)?(?P<span>\S+)")


@dataclass(frozen=True, slots=True)
class GrantHours:
    """When something is allowed, in the site's own time: spans of a day, by weekday from Monday (0)."""

    spans: tuple[tuple[Span, ...], ...]

    @classmethod
    def parse(cls, text: str) -> GrantHours:
        """Return the hours of `mon-fri 07:00-19:00, sat 09:00-12:00`; empty: always.

        A span without days holds on all of them. Raises `SyncError` for anything else.
        """
        days: list[list[Span]] = [[] for _ in WEEKDAYS]
        for part in text.lower().split(",") if text.strip() else ("00:00-24:00",):
            found = _PART.fullmatch(part.strip())
            try:
                if found is None:
                    Span.parse(part)  # says what a span looks like
                    continue
                for day in _days(found["first"], found["last"]):
                    days[day].append(Span.parse(found["span"]))
            except ValueError as error:
                raise SyncError(
                    f"hours {text!r}: {error}; write for example: mon-fri 07:00-19:00, sat 09:00-12:00"
                ) from error
        return cls(tuple(tuple(spans) for spans in days))

    @property
    def is_always(self) -> bool:
        """True when no clock needs to be asked."""
        return all(WHOLE_DAY in spans for spans in self.spans)

    def hold(self, at: datetime) -> bool:
        """Return whether they hold at a moment of the site's own time."""
        minute, today = at.hour * 60 + at.minute, at.weekday()
        return any(span.holds(minute) for span in self.spans[today]) or any(
            span.spills_over(minute) for span in self.spans[today - 1]
        )


def _days(first: str | None, last: str | None) -> list[int]:
    if first is None:
        return list(range(len(WEEKDAYS)))
    if not {first, last or first} <= set(WEEKDAYS):
        raise ValueError(f"days are {', '.join(WEEKDAYS)}")
    begin, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
    return [(begin + n) % len(WEEKDAYS) for n in range((end - begin) % len(WEEKDAYS) + 1)]
