"""What the access rules of a door are made of: plain values, read from TOML or built by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from edge.policy.lockout import WITH_PAD, LockoutRule
from edge.policy.methods import Method
from edge.policy.modes import Mode
from edge.policy.passback import PassbackRule
from edge.policy.schedule import ALWAYS, NEVER, Calendar, Schedule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from edge.domain import Resident

ANY = "*"
"""Stands for every door, or every method."""

UNLOCK_SECONDS = 5.0
"""Strike time when nothing else is said: BACnet's default pulse, and above the 3 s that
IEC 60839-11-1 asks of the lowest grade."""

EXTENDED_UNLOCK_SECONDS = 15.0
"""For people who need longer to walk through: BACnet's default extended pulse."""


class DisableReason(StrEnum):
    """Why somebody's access is switched off: a closed list. Debts are no reason to lose a home."""

    MOVED_OUT = "moved_out"
    CREDENTIAL_LOST = "credential_lost"
    OWN_REQUEST = "own_request"
    COURT_ORDER = "court_order"
    MISUSE_UNDER_REVIEW = "misuse_under_review"
    DECEASED = "deceased"


class UntrustedClock(StrEnum):
    """Who may pass while the time is not known."""

    UNRESTRICTED = "unrestricted"
    """Residents without any limit in time; the others wait for the clock."""
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Level:
    """An access level: these doors, during this schedule, by these methods."""

    name: str
    doors: frozenset[str] = frozenset({ANY})
    schedule: Schedule = ALWAYS
    methods: frozenset[str] = frozenset({ANY})
    passes_lockdown: bool = False
    """Holders open the door even while it is locked down (rescue services)."""
    is_first_person: bool = True
    """Holders may start the day where a door stays unlocked after the first person is in."""
    is_strict: bool = False
    """Holders answer a liveness challenge before their face counts."""

    def covers(self, door_id: str, method: str) -> bool:
        """Return whether this level is about `door_id` and `method` at all."""
        on_door = ANY in self.doors or door_id in self.doors
        return on_door and (ANY in self.methods or not self.methods.isdisjoint(_kinds(method)))


def _kinds(method: str) -> tuple[str, ...]:
    """Return what satisfies a level: a level open to faces is open to a face with a PIN as well."""
    return (method, Method.FACE) if method == Method.FACE_PIN else (method,)


@dataclass(frozen=True, slots=True)
class RightsGroup:
    """People who share rights. Residents are in it by name, or are `members` by id."""

    name: str
    levels: tuple[str, ...] = ()
    members: frozenset[str] = frozenset()
    needs_pin_with_face: bool = False
    """A face alone is not enough: siblings, look-alikes, minors. Other methods are unaffected."""
    extended_unlock: bool = False
    may_pass_back: bool = False
    """Free of anti-passback: porters, movers, rescue services."""


@dataclass(frozen=True, slots=True)
class UsualMode:
    """How a door stands when nobody commanded otherwise, and the schedule of its open hours."""

    mode: Mode = Mode.NORMAL
    schedule: Schedule = NEVER


@dataclass(frozen=True, slots=True)
class RuleBook:
    """The rules of a site. Without any, everybody of level `resident` may pass at any time."""

    calendar: Calendar = field(default_factory=lambda: Calendar(ZoneInfo("UTC")))
    levels: Mapping[str, Level] = field(
        default_factory=lambda: MappingProxyType({"resident": Level("resident")})
    )
    groups: Mapping[str, RightsGroup] = field(default_factory=lambda: MappingProxyType({}))
    disabled: Mapping[str, DisableReason] = field(default_factory=lambda: MappingProxyType({}))
    usual_modes: Mapping[str, UsualMode] = field(default_factory=lambda: MappingProxyType({}))
    """By door; a door not named is `normal`."""
    passback: PassbackRule = field(default_factory=PassbackRule)
    lockout: LockoutRule = field(default_factory=LockoutRule)
    lockout_with_pad: LockoutRule = WITH_PAD
    """The same where attack detection is on: what the rules leave open is laxer there."""
    unlock_seconds: float = UNLOCK_SECONDS
    extended_unlock_seconds: float = EXTENDED_UNLOCK_SECONDS
    untrusted_clock: UntrustedClock = UntrustedClock.UNRESTRICTED
    strict_liveness: Schedule = NEVER
    """While it is open everybody answers a liveness challenge: at night, say."""
    schedules: Mapping[str, Schedule] = field(default_factory=lambda: MappingProxyType({}))
    """Those of the site, in use or not; the two that are built in are not among them."""

    @property
    def is_ever_strict(self) -> bool:
        """True when somebody has to answer a liveness challenge at some time."""
        return self.strict_liveness != NEVER or any(level.is_strict for level in self.levels.values())

    def groups_of(self, resident_id: str, names: tuple[str, ...]) -> tuple[RightsGroup, ...]:
        """Return the groups of a resident, given the names on the roster."""
        return tuple(g for g in self.groups.values() if g.name in names or resident_id in g.members)

    def levelless(self, people: Iterable[Resident]) -> list[str]:
        """Return the ids of people of whose levels these rules know none: nothing opens for them."""
        return [one.id for one in people if not self._has_level(one)]

    def _has_level(self, resident: Resident) -> bool:
        levels = resident.access_levels
        return next(self.levels_of(levels, self.groups_of(resident.id, levels)), None) is not None

    def levels_of(self, names: tuple[str, ...], groups: tuple[RightsGroup, ...]) -> Iterator[Level]:
        """Yield each level once: those named on the roster, then those of the groups."""
        wanted = dict.fromkeys([*names, *(level for group in groups for level in group.levels)])
        yield from (self.levels[name] for name in wanted if name in self.levels)
