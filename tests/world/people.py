"""Who lives behind the gate of a simulated world, and who is in the right there, told without its code."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")
SLACK = timedelta(seconds=15)
"""How far a clock that is believed may be off, beside what the world knows of its error."""

RULES = """
time_zone = "Asia/Shanghai"
[schedules.day]
weekdays = ["07:00-19:00"]
[levels.resident]
schedule = "always"
[levels.day]
schedule = "day"
[levels.rescue]
schedule = "always"
passes_lockdown = true
[groups.twins]
levels = ["resident"]
needs_pin_with_face = true
[doors.north]
"""

USUAL = {
    "normal": 'mode = "normal"\n',
    "scheduled": 'mode = "scheduled"\nschedule = "day"\n',
    "first_person_in": 'mode = "first_person_in"\nschedule = "day"\n',
}


class Way(StrEnum):
    """How somebody asks to come in."""

    FACE = "face"
    CARD = "card"
    PIN = "pin"
    FACE_PIN = "face+pin"


@dataclass
class Person:
    """Somebody with rights here: what they hold, and for how long."""

    id: str
    number: int
    level: str = "resident"
    is_twin: bool = False
    has_face: bool = True
    card: str | None = None
    pin: str | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    @property
    def is_bound_to_time(self) -> bool:
        return self.valid_from is not None or self.valid_until is not None or self.level == "day"

    @property
    def door_number(self) -> str:
        """What this person types before the PIN."""
        return str(100 + self.number)

    def ways(self) -> list[Way]:
        """Return how this person can ask."""
        ways = [] if not self.has_face else [Way.FACE_PIN if self.is_twin else Way.FACE]
        ways += [Way.CARD] if self.card else []
        return ways + ([Way.PIN] if self.pin else [])


def is_day(at: datetime) -> bool:
    """Return whether `at` is within the hours of the schedule `day`."""
    local = at.astimezone(ZONE)
    return local.weekday() < 5 and 7 <= local.hour < 19


@dataclass(frozen=True)
class Commanded:
    """A mode that staff commanded, and when it ends; None is the usual mode."""

    mode: str | None = None
    until: datetime | None = None

    def at(self, moment: datetime, usual: str, *, knows_time: bool) -> str:
        """Return the mode at this moment; an emergency that ends by the clock needs a clock to end."""
        if self.mode is None:
            return usual
        if self.until is None or moment < self.until:
            return self.mode
        return usual if knows_time or self.mode not in {"evacuation", "locked_down"} else self.mode


@dataclass
class Rights:
    """Who may pass at the true time: the people that the door was told of, and its mode.

    `modes` are those that may be in force: more than one while a card that fails may have lost a command.
    """

    usual: str = "normal"
    people: dict[str, Person] = field(default_factory=dict)
    modes: list[Commanded] = field(default_factory=lambda: [Commanded()])
    knows_time: bool = True
    first_in: set[date] = field(default_factory=set)
    """The days on which somebody was let in, as the door may count them."""

    def modes_at(self, at: datetime) -> set[str]:
        """Return the modes that may be in force at `at`."""
        found = set()
        for one in self.modes:
            found |= {one.at(at, self.usual, knows_time=knows) for knows in {self.knows_time, True}}
            if one.until is not None and not self.knows_time:
                found.add(self.usual)
        return found

    def may_pass(self, person: Person, way: Way, at: datetime) -> bool:
        """Return whether this person may be let in by this way at `at`, in one of the modes."""
        return any(self._may_pass(person, way, at, mode) for mode in self.modes_at(at))

    def must_pass(self, person: Person, way: Way, at: datetime) -> bool:
        """Return whether this person may be let in by this way at `at`, in every one of the modes."""
        return all(self._may_pass(person, way, at, mode) for mode in self.modes_at(at))

    def _may_pass(self, person: Person, way: Way, at: datetime, mode: str) -> bool:
        if mode == "evacuation":
            return True
        if person.id not in self.people or (mode == "locked_down" and person.level != "rescue"):
            return False
        if person.valid_from is not None and at < person.valid_from:
            return False
        if person.valid_until is not None and at >= person.valid_until:
            return False
        if person.is_twin and way is Way.FACE:
            return False
        return person.level != "day" or is_day(at)

    def may_be_held(self, at: datetime) -> bool:
        """Return whether the door may stand unlocked for everybody at `at`."""
        return any(self._may_be_held(at, mode) for mode in self.modes_at(at))

    def _may_be_held(self, at: datetime, mode: str) -> bool:
        if mode in {"unlocked", "evacuation"}:
            return True
        if mode == "scheduled":
            return is_day(at)
        return mode == "first_person_in" and is_day(at) and at.astimezone(ZONE).date() in self.first_in

    def note_entry(self, moments: list[datetime]) -> None:
        """Take note that somebody was let in at one of these moments."""
        self.first_in |= {at.astimezone(ZONE).date() for at in moments}
