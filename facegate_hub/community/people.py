"""People, flats, and what ties them: who lives or owns where, and since when."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import sqlalchemy as sa

from edge.errors import CommunityRefused
from edge.identity import resident_id, tidied
from edge.spellings import flat_key
from edge.words import LANGUAGES, message
from facegate_hub.community.book import Change, RowRemoval
from facegate_hub.community.devices import forget_holder
from facegate_hub.community.flats import MOST_FLATS, flat_called, flats_in
from facegate_hub.community.leaving import end_codes, end_passes, end_slips
from facegate_hub.community.machine import OPEN
from facegate_hub.community.schema import FLATS, LEDGER, PEOPLE, TICKETS, TIES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Connection

    from facegate_hub.community.book import Book, Doer, Writing

DAY = 86_400
MOST_NAME = 64


class TieKind(StrEnum):
    """What somebody is to a flat."""

    OWNER = "owner"
    FAMILY = "family"
    TENANT = "tenant"
    GUARDIAN = "guardian"


@dataclass(frozen=True, slots=True)
class FlatTie:
    """One tie: `until` is None while it holds."""

    id: str
    flat: str
    kind: TieKind
    since: int
    until: int | None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody as staff and they themselves see them; `name` is None when they were erased."""

    id: str
    state: str
    language: str
    name: str | None
    contact: str | None
    resident: str | None
    ties: tuple[FlatTie, ...] = ()

    @property
    def flats(self) -> tuple[str, ...]:
        """The flats that they belong to now."""
        return tuple(tie.flat for tie in self.ties if tie.until is None)

    @property
    def mark(self) -> str:
        """What stands, in a form that shows name, contact and id in the roster, for these."""
        shown = json.dumps([self.name, self.contact, self.resident])
        return hashlib.sha256(shown.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class NewPerson:
    """Somebody who comes: `contact` is a telephone number or address, `resident` their id in the roster."""

    name: str
    flat: str
    kind: TieKind
    language: str = "zh"
    contact: str = ""
    resident: str = ""


class PeopleRegister:
    """The compound's people. Any thread."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def put_flats(self, by: Doer, flats: Iterable[tuple[str, str, str]]) -> int:
        """Make flats, each (id, building, unit), and return how many were new. Raises `CommunityRefused`."""
        with self._book.writing() as writing:
            known = set(writing.connection.execute(sa.select(FLATS.c.id)).scalars())
            new = {flat[0]: flat for flat in flats if flat[0] not in known}
            if len(known) + len(new) > MOST_FLATS:
                raise CommunityRefused(message("community.refused.flats", most=MOST_FLATS))
            for identity, building, unit in new.values():
                values: dict[str, str | int | None] = {"building": building, "unit": unit}
                writing.enter(by, "flat.made", f"flat:{identity}", Change(FLATS, identity, values))
        return len(new)

    def remove_flat(self, by: Doer, typed: str) -> str:
        """Remove a flat that was made by mistake, with its open invitations, and return which one it was.

        Raises `CommunityRefused` for a flat that is not there, that somebody belongs to, or of which a ticket
        is open: who sees that ticket is decided by the flat's building.
        """
        with self._book.writing() as writing:
            flat = flat_called(writing.connection, typed)
            lived = sa.select(TIES.c.id).where(TIES.c.flat == flat, TIES.c.until.is_(None))
            states = TICKETS.c.state.in_([state.value for state in OPEN])
            is_told_of = sa.select(TICKETS.c.id).where(TICKETS.c.flat == flat, states)
            if writing.connection.execute(lived).first() is not None:
                raise CommunityRefused(message("community.refused.flat_lived", flat=flat))
            if (ticket := writing.connection.execute(is_told_of).scalar()) is not None:
                raise CommunityRefused(message("community.refused.flat_ticket", flat=flat, number=ticket))
            end_slips(writing, by, flat)
            writing.enter(by, "flat.removed", f"flat:{flat}", RowRemoval(FLATS, flat))
        return flat

    def flats_in(self, text: str) -> list[str]:
        """Return the flats that a text names, as typed where there is none."""
        with self._book.looking() as connection:
            return flats_in(connection, text)

    def flats(self) -> dict[str, str]:
        """Return every flat's building, by flat."""
        with self._book.looking() as connection:
            rows = connection.execute(sa.select(FLATS.c.id, FLATS.c.building).order_by(FLATS.c.id))
            return {row.id: row.building for row in rows}

    def add(self, by: Doer, new: NewPerson) -> str:
        """Add somebody with their first tie and return their id. Raises `CommunityRefused`."""
        with self._book.writing() as writing:
            return add_person(writing, by, new)

    def sound_one(self, new: NewPerson) -> NewPerson:
        """Return somebody with their flat as it is kept. Raises `CommunityRefused` as `add` does."""
        for name in ("name", "contact", "resident", "language"):
            sound(name, str(getattr(new, name)))
        with self._book.looking() as connection:
            return replace(new, flat=flat_called(connection, new.flat))

    def namesake(self, new: NewPerson) -> str | None:
        """Return who of this name belongs to this flat already, by id; None: nobody."""
        name = tidied(new.name).casefold()
        return next(
            (one.id for one in self.of_flat(new.flat) if tidied(one.name or "").casefold() == name), None
        )

    def tie(self, by: Doer, person: str, flat: str, kind: TieKind) -> None:
        """Tie somebody to one more flat, also somebody who had left. Raises `CommunityRefused`."""
        with self._book.writing() as writing:
            flat = flat_called(writing.connection, flat)
            known = self._one(writing.connection, person)
            if known.state == "erased":
                raise CommunityRefused(message("community.refused.person"))
            if flat in known.flats:
                raise CommunityRefused(message("community.refused.tied", flat=flat))
            if known.state == "left":  # who comes back, or was moved out by a slip, is the same person
                back = Change(PEOPLE, person, {"state": "active"})
                writing.enter(by, "person.back", f"person:{person}", back)
            _tie(writing, by, person, flat, kind)

    def end_tie(self, by: Doer, tie: str) -> None:
        """End a tie now, with the passes and the unused invitation slips of that flat.

        Whoever has no flat left has left: their devices are logged out in the same commit, and codes that
        name them let nobody in.
        """
        with self._book.writing() as writing:
            row = writing.connection.execute(
                sa.select(TIES).where(TIES.c.id == tie, TIES.c.until.is_(None))
            ).first()
            if row is None:
                raise CommunityRefused(message("community.refused.gone"))
            ended = Change(TIES, tie, {"until": writing.at})
            writing.enter(by, "tie.ended", f"person:{row.person}", ended, flat=row.flat)
            end_passes(writing, by, row.person, row.flat)
            end_slips(writing, by, row.flat)
            if not self._one(writing.connection, row.person).flats:
                left = Change(PEOPLE, row.person, {"state": "left"})
                writing.enter(by, "person.left", f"person:{row.person}", left)
                forget_holder(writing.connection, f"person:{row.person}")
                end_codes(writing, by, row.person)

    def change(self, by: Doer, person: str, seen: str | None = None, **values: str) -> None:
        """Change name, contact, id in the roster or language of somebody. Raises `CommunityRefused`.

        `seen` is the `mark` of what a form was made from (None: of nothing): a form holds all of it, and
        would undo what somebody else has changed since.
        """
        with self._book.writing() as writing:
            known = self._one(writing.connection, person)
            if known.state == "erased":
                raise CommunityRefused(message("community.refused.person"))
            if seen is not None and seen != known.mark:
                raise CommunityRefused(message("community.refused.person_changed"))
            row: dict[str, str | int | None] = {}
            for name, given in values.items():
                value = sound(name, given)
                kept = writing.keep(value, f"person:{person}") if value and name != "language" else value
                row[name] = kept or None
            changed = Change(PEOPLE, person, row)
            writing.enter(by, "person.changed", f"person:{person}", changed, what=sorted(values))

    def one(self, person: str) -> Person:
        """Return one person. Raises `CommunityRefused` when there is none of this id."""
        with self._book.looking() as connection:
            return self._one(connection, person)

    def note_look(self, by: Doer, person: str) -> None:
        """Enter that staff opened somebody's sheet, once a day for each: they see it themselves."""
        subject = f"person:{person}"
        with self._book.writing() as writing:
            mine = (LEDGER.c.subject == subject, LEDGER.c.kind == "person.looked", LEDGER.c.actor == str(by))
            # Up to now: a look that was entered while the clock was ahead is none of today.
            recent = sa.select(LEDGER.c.seq).where(
                *mine, LEDGER.c.at.between(writing.at - DAY + 1, writing.at)
            )
            if writing.connection.execute(recent).first() is None:
                writing.enter(by, "person.looked", subject)

    def looks(self, person: str, most: int = 10) -> list[tuple[int, str]]:
        """Return (when, account) of staff who opened somebody's sheet, the last ones first."""
        mine = (LEDGER.c.subject == f"person:{person}", LEDGER.c.kind == "person.looked")
        query = sa.select(LEDGER.c.at, LEDGER.c.actor).where(*mine).order_by(LEDGER.c.seq.desc()).limit(most)
        with self._book.looking() as connection:
            return [(row.at, row.actor.partition(":")[2]) for row in connection.execute(query)]

    def names(self, ids: Iterable[str]) -> dict[str, str]:
        """Return the names of people that are known; who was erased is not among them."""
        with self._book.looking() as connection:
            query = sa.select(PEOPLE.c.id, PEOPLE.c.name).where(PEOPLE.c.id.in_(set(ids)))
            marks = {row.id: row.name for row in connection.execute(query) if row.name}
            texts = self._book.texts(connection, set(marks.values()))
        return {person: texts[mark] for person, mark in marks.items() if mark in texts}

    def search(self, wanted: str, most: int = 50) -> list[Person]:
        """Return people whose name, flat or contact holds `wanted`, at most so many; all for nothing."""
        needle, key = wanted.strip().casefold(), flat_key(wanted)
        # Names are encrypted, so no index can find them: every record is decrypted and compared.
        with self._book.looking() as connection:
            found = [
                person
                for person in self._all(connection)
                if person.state != "erased"
                and (needle in _haystack(person) or key in map(flat_key, person.flats))
            ]
        return sorted(found, key=lambda person: (person.flats, person.name or ""))[:most]

    def by_resident(self) -> dict[str, str]:
        """Return who is here by their number in the roster; a number that two have names neither."""
        with self._book.looking() as connection:
            here = [one for one in self._all(connection, PEOPLE.c.state == "active") if one.resident]
        count = Counter(one.resident for one in here)
        return {one.resident: one.id for one in here if one.resident and count[one.resident] == 1}

    def of_flat(self, flat: str) -> list[Person]:
        """Return who belongs to a flat now."""
        here = sa.select(TIES.c.person).where(TIES.c.flat == flat, TIES.c.until.is_(None))
        with self._book.looking() as connection:
            return self._all(connection, PEOPLE.c.id.in_(here))

    def _one(self, connection: Connection, person: str) -> Person:
        found = self._all(connection, PEOPLE.c.id == person)
        if not found:
            raise CommunityRefused(message("community.refused.person"))
        return found[0]

    def _all(self, connection: Connection, *conditions: sa.ColumnElement[bool]) -> list[Person]:
        rows = connection.execute(sa.select(PEOPLE).where(*conditions)).all()
        # By a query within it, not by ids: a statement takes a limited number of values after IN.
        theirs = TIES.c.person.in_(sa.select(PEOPLE.c.id).where(*conditions))
        wanted = sa.select(TIES).where(theirs).order_by(TIES.c.id)
        ties: dict[str, list[FlatTie]] = {}
        for tie in connection.execute(wanted):
            one = FlatTie(tie.id, tie.flat, TieKind(tie.kind), tie.since, tie.until)
            ties.setdefault(tie.person, []).append(one)
        marks = {mark for row in rows for mark in (row.name, row.contact, row.resident) if mark}
        texts = self._book.texts(connection, marks)
        return [
            Person(
                *(row.id, row.state, row.language, texts.get(row.name or "")),
                *(texts.get(row.contact or ""), texts.get(row.resident or "")),
                ties=tuple(ties.get(row.id, ())),
            )
            for row in rows
        ]


def add_person(writing: Writing, by: Doer, new: NewPerson) -> str:
    """Add somebody within a commit and return their id. Raises `CommunityRefused`."""
    texts = {name: sound(name, str(getattr(new, name))) for name in ("name", "contact", "resident")}
    sound("language", new.language)
    flat = flat_called(writing.connection, new.flat)
    person = new_id()
    owner = f"person:{person}"
    values: dict[str, str | int | None] = {"state": "active", "language": new.language, "since": writing.at}
    for column, text in texts.items():
        values[column] = writing.keep(text, owner) if text else None
    writing.enter(by, "person.added", owner, Change(PEOPLE, person, values))
    _tie(writing, by, person, flat, new.kind)
    return person


def sound(name: str, text: str) -> str:
    """Return what somebody typed about a person as it is kept.

    All of it is tidied as in the roster: a visitor's pass names the id, and a door that does not find its
    host opens for nobody; names come with signs without a shape, as chat programs leave them. Raises
    `CommunityRefused` or `IdentityRefused` for what cannot be.
    """
    if name == "resident":
        return resident_id(text) if text.strip() else ""
    if name == "language" and text not in LANGUAGES:
        raise CommunityRefused(message("community.refused.field"))
    text = tidied(text)
    if len(text) > MOST_NAME or not text.isprintable() or (name == "name" and not text):
        raise CommunityRefused(message("community.refused.name", most=MOST_NAME))
    return text


def new_id() -> str:
    """Return a random id that says nothing, the moment it was made included."""
    return secrets.token_hex(10)


def _tie(writing: Writing, by: Doer, person: str, flat: str, kind: TieKind) -> None:
    values: dict[str, str | int | None] = {"person": person, "flat": flat, "kind": kind.value}
    values |= {"since": writing.at, "until": None, "proof": None}
    writing.enter(
        by, "tie.made", f"person:{person}", Change(TIES, new_id(), values), flat=flat, tie=kind.value
    )


def _haystack(person: Person) -> str:
    return "\n".join([person.name or "", person.contact or "", *person.flats]).casefold()
