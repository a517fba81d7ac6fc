"""At which doors somebody's new PIN or card is meant to open, and why: ticked before anybody looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import ConfigError
from edge.policy.rules_toml import parse_rules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.policy.rulebook import Level, RuleBook
    from facegate_hub.community.terms import Terms
    from facegate_hub.people import RosterPerson
    from facegate_hub.staff import Staff
    from facegate_hub.web.asking import PageAsk


@dataclass(frozen=True, slots=True)
class WayDoor:
    """A door that takes PINs and cards: `is_meant` ticks it, `why` is said beside it."""

    id: str
    name: str
    is_meant: bool
    why: str


def doors_for(ask: PageAsk, staff: Staff, person: RosterPerson, method: str) -> list[WayDoor]:
    """Return the doors that take PINs and cards, with those ticked that this person has to do with.

    A door is ticked where a level of theirs opens it by this method, as its own rules say, and it is no
    door of another building. A door that has told no rules is judged by the building alone.
    """
    takes, books = set(staff.ways.doors()), _books(staff, ask.office.terms)
    home = building_of(person.id, ask.office.terms)
    found = []
    for door in staff.doors():
        if door.id in takes:
            is_meant, why = _judged(ask, books.get(door.id), (door.id, method), person, home)
            found.append(WayDoor(door.id, door.name or door.id, is_meant, why))
    return found


def building_of(person: str, terms: Terms) -> str | None:
    """Return the building that somebody's number begins with (`3-1203-2`: 3); None where it does not say."""
    return next((one for one in terms.doors if person == one or person.startswith(f"{one}-")), None)


def _books(staff: Staff, terms: Terms) -> Mapping[str, RuleBook]:
    books = {}
    for view in staff.rules.views():
        try:
            books[view.device] = parse_rules(view.reported.text, view.device, terms.zone.key)
        except ConfigError:
            continue  # of a newer version, say: judged as a door that has told none
    return books


def _judged(
    ask: PageAsk, book: RuleBook | None, place: tuple[str, str], person: RosterPerson, home: str | None
) -> tuple[bool, str]:
    door, method = place
    if book is not None:
        levels = _levels(book, person)
        here = [level for level in levels if level.covers(door, method)]
        if not here:
            by_another = any(level.covers(door, one) for level in levels for one in ("face", "card", "pin"))
            return False, ask.say("ways.not_so" if by_another else "ways.no_level")
    there = [building for building, doors in ask.office.terms.doors.items() if door in doors]
    if there and home is not None and home not in there:
        return False, ask.say("ways.other_building", building=", ".join(there))
    if book is not None:
        return True, ask.say("ways.level", level=here[0].name)
    if home is not None and home in there:
        return True, ask.say("ways.building", building=home)
    if there:
        return False, ask.say("ways.building", building=", ".join(there))
    return True, ask.say("ways.everybodys")


def _levels(book: RuleBook, person: RosterPerson) -> list[Level]:
    names = tuple(person.record.get("access_levels", ["resident"]))
    return list(book.levels_of(names, book.groups_of(person.id, names)))
