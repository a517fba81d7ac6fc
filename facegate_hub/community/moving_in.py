"""Moves many people at once from the doors' roster to the residents' page: flats, people, invitations.

The roster's numbers name the flat, as 3-1203-2 does. Nothing is guessed beyond that: people whose number
names no flat are left out, with the reason, and move in by the form for one person.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import sqlalchemy as sa

from edge.errors import FacegateError
from edge.identity import resident_id, tidied
from edge.spellings import flat_key, flat_written
from facegate_hub.community.book import Change
from facegate_hub.community.entry import make_invitation
from facegate_hub.community.flats import MOST_FLATS, KnownFlats, flat_parts
from facegate_hub.community.people import NewPerson, TieKind, add_person, sound
from facegate_hub.community.schema import FLATS, PEOPLE, TIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

    from facegate_hub.community.book import Book, Doer

MOST_AT_ONCE = 200
"""People in one commit: each slip is a picture on the page that is printed, and made while a clerk waits."""
_PERSON = re.compile(r"(.*[\d]{3,})-\d{1,2}")
"""A flat with the number of a person in it. Behind a staircase of one or two digits stands the flat itself:
3-2-12 is flat 12 of staircase 2, and nobody's second number."""

_NUMBERED = re.compile(r".*\d.*|.")
"""What a building that has no flats here yet may be called by somebody's number: 3, B2 or A. GUARD-12 and
STAFF-001 are staff, of whom no building is made; one that is called by a word gets its first flat by hand."""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody of the roster who is not on the residents' page; `is_new_flat`: their flat is made first."""

    resident: str
    name: str
    flat: str
    is_new_flat: bool


@dataclass(slots=True)
class MoveInPlan:
    """What moving people in would do. `left_out` are (number, name, why): no_flat, name, there, left."""

    newcomers: list[Newcomer] = field(default_factory=list)
    flats: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """Flats to be made, (id, building, number in it) by their key."""
    left_out: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class MovedIn:
    """Somebody who was moved in, with the code that lets their phone in; it is stored nowhere."""

    name: str
    flat: str
    code: str


@dataclass(frozen=True, slots=True)
class _There:
    """Whom the page has: numbers of those who live here, their (flat, name), (number, name) of who left."""

    numbers: set[str]
    names: set[tuple[str, str]]
    left: set[tuple[str, str]]


class MovingIn:
    """Moves people of the roster in. Any thread; `people` are (number in the roster, name)."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def plan(self, people: Sequence[tuple[str, str]]) -> MoveInPlan:
        """Return what moving these people in would do; whoever is on the page already is not in it."""
        with self._book.looking() as connection:
            return self._plan(connection, people)

    def carry_out(
        self, by: Doer, people: Sequence[tuple[str, str]], kind: TieKind, language: str
    ) -> list[MovedIn]:
        """Move these people in, `MOST_AT_ONCE` at most: all in one commit. Raises `CommunityRefused`."""
        with self._book.writing() as writing:
            # Planned again within the commit: of two clerks who have looked at the same list one moves
            # everybody in, and the other one nobody.
            plan = self._plan(writing.connection, people[:MOST_AT_ONCE])
            for identity, building, unit in plan.flats.values():
                values: dict[str, str | int | None] = {"building": building, "unit": unit}
                writing.enter(by, "flat.made", f"flat:{identity}", Change(FLATS, identity, values))
            moved = []
            for one in plan.newcomers:
                new = NewPerson(one.name, one.flat, kind, language, resident=one.resident)
                person = add_person(writing, by, new)
                code = make_invitation(writing, by, one.flat, kind, person)
                moved.append(MovedIn(one.name, one.flat, code))
        return moved

    def _plan(self, connection: Connection, people: Sequence[tuple[str, str]]) -> MoveInPlan:
        flats, plan, wanted = _Flats(connection), MoveInPlan(), set[str]()
        there = self._there(connection)
        for resident, name in people:
            if resident in there.numbers:
                continue
            found, called = flats.of(resident), tidied(name).casefold()
            why = "no_flat" if found is None else _why_not(name)
            if found is not None and (found[0], called) in there.names:
                # Entered at the desk without a number, or twice in the roster: the two would share nothing.
                why = "there"
            if (resident, called) in there.left:
                why = "left"  # moved out here and still in the roster: the desk decides which is right
            if why or found is None:
                plan.left_out.append((resident, name, why))
                continue
            plan.newcomers.append(Newcomer(resident, name, found[0], found[0] not in flats.there))
            there.names.add((found[0], called))
            wanted.add(found[0])
        # Only flats that somebody moves into: who is left out makes none.
        plan.flats = {key: one for key, one in flats.made.items() if one[0] in wanted}
        return plan

    def _there(self, connection: Connection) -> _There:
        rows = connection.execute(sa.select(PEOPLE).where(PEOPLE.c.state != "erased")).all()
        texts = self._book.texts(
            connection, {mark for row in rows for mark in (row.name, row.resident) if mark}
        )
        called = {row.id: tidied(texts.get(row.name or "", "")).casefold() for row in rows}
        ties = connection.execute(sa.select(TIES.c.person, TIES.c.flat).where(TIES.c.until.is_(None)))
        numbered = [(row.state, texts[row.resident], called[row.id]) for row in rows if row.resident in texts]
        return _There(
            {number for state, number, _ in numbered if state == "active"},
            {(tie.flat, called[tie.person]) for tie in ties if tie.person in called},
            {(number, name) for state, number, name in numbered if state == "left"},
        )


class _Flats:
    """Finds the flat that a number of the roster names, and notes which have to be made."""

    def __init__(self, connection: Connection) -> None:
        self._known = KnownFlats(connection)
        rows = connection.execute(sa.select(FLATS.c.id, FLATS.c.building)).all()
        self.there = {row.id for row in rows}
        self._buildings = {flat_key(row.building): row.building for row in rows}
        self.made: dict[str, tuple[str, str, str]] = {}

    def of(self, resident: str) -> tuple[str, str, str] | None:
        """Return (flat, building, number in it) of somebody's number; None where it names none."""
        if not _is_kept_so(resident):
            return None
        written = flat_written(resident)
        person = _PERSON.fullmatch(written)
        for text in (written, person[1] if person else written):
            if (there := self._known.find(text)) is not None:
                return there, "", ""
        parts = flat_parts(person[1] if person else written)
        if parts is None:
            return None
        _, building, unit = parts
        if flat_key(building) not in self._buildings and not _NUMBERED.fullmatch(building):
            return None
        # A building keeps the spelling of its flats, as in `flats.new_flats`.
        building = self._buildings.setdefault(flat_key(building), building)
        key = flat_key(f"{building}-{unit}")
        if key not in self.made and len(self.there) + len(self.made) >= MOST_FLATS:
            return None
        return self.made.setdefault(key, (f"{building}-{unit}", building, unit))


def _is_kept_so(resident: str) -> bool:
    """Return whether a number is kept here as it stands in the roster, where an older version let more in."""
    try:
        return resident_id(resident) == resident
    except FacegateError:
        return False


def _why_not(name: str) -> str:
    try:
        sound("name", name)
    except FacegateError:
        return "name"
    return ""
