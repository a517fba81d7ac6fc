"""How residents log in: by an invitation with a one-time code, handed over where their identity was checked.

Only accepting an invitation uses its code up. Looking at it does not, because link scanners and chat previews
open every link they see. There is no login by face, by telephone number, or with one account for a flat.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from edge.errors import CommunityRefused
from edge.web.accounts import new_code, plain_code
from edge.words import message
from facegate_hub.community.book import SYSTEM, Change, Doer
from facegate_hub.community.devices import begin_device
from facegate_hub.community.flats import flat_called
from facegate_hub.community.people import NewPerson, TieKind, add_person
from facegate_hub.community.schema import INVITATIONS, LEDGER, PEOPLE, TIES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy.engine import Connection, Row

    from facegate_hub.community.book import Book, Writing

DAY = 86_400
VALID_DAYS = 7
CODE_LETTERS = 20
"""99 bits: beyond guessing, at the page and from the digest."""
WITHDRAWN = "invitation.withdrawn"
MOST_OPEN = 3
"""Open invitations of one flat."""


@dataclass(frozen=True, slots=True)
class Invitation:
    """An open invitation: to a flat, as what; for somebody known already, or for whoever holds the code."""

    id: str
    flat: str
    kind: TieKind
    person: str | None
    until: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """What somebody enters when they accept an invitation; unused when the invitation names a person."""

    name: str
    language: str
    device: str


class Invitations:
    """Invitations of all flats. Any thread."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def invite(self, by: Doer, flat: str, kind: TieKind, person: str | None = None) -> str:
        """Make an invitation and return its code, which is stored nowhere. Raises `CommunityRefused`."""
        return self.invite_flats(by, [flat], kind, person)[0][1]

    def invite_flats(
        self, by: Doer, flats: Iterable[str], kind: TieKind, person: str | None = None
    ) -> list[tuple[str, str]]:
        """Make an invitation for each flat and return (flat, code); for all, or raises `CommunityRefused`.

        With `person` it is for that person alone, who has to live here.
        """
        made = []
        with self._book.writing() as writing:
            if person is not None and not _is_active(writing.connection, person):
                raise CommunityRefused(message("community.refused.person"))
            for typed in flats:
                flat = flat_called(writing.connection, typed)
                if person is None and self._open(writing.connection, flat, writing.at) >= MOST_OPEN:
                    raise CommunityRefused(
                        message("community.refused.invitations", most=MOST_OPEN, flat=flat)
                    )
                made.append((flat, make_invitation(writing, by, flat, kind, person)))
        return made

    def from_door(self, door: str, person: str, digest: str, until: int) -> bool:
        """Take over a code that a door has shown to somebody; False when it is not valid or known already.

        The door passes on only `digest`, never the code itself.
        """
        with self._book.writing() as writing:
            connection = writing.connection
            known = sa.select(INVITATIONS.c.id).where(INVITATIONS.c.id == digest)
            made_at, home = until - VALID_DAYS * DAY, _home(connection, person)
            # A door whose clock is ahead makes no code that is good for longer than others.
            until = min(until, writing.at + VALID_DAYS * DAY)
            mine = (INVITATIONS.c.person == person, INVITATIONS.c.state == "open")
            alive = sa.select(sa.func.count()).select_from(INVITATIONS)
            alive = alive.where(*mine, INVITATIONS.c.until > writing.at)
            if (
                home is None
                or until <= writing.at
                # Withdrawn after the door had shown it, and before the hub heard of it.
                or _withdrawn_at(connection, home[0]) >= made_at
                or connection.execute(known).first() is not None
                or connection.execute(alive).scalar_one() >= MOST_OPEN
            ):
                return False
            values: dict[str, str | int | None] = {"flat": home[0], "kind": home[1], "person": person}
            made = Change(INVITATIONS, digest, {**values, "state": "open", "until": until})
            writing.enter(SYSTEM, "invitation.made", f"flat:{home[0]}", made, tie=home[1], door=door)
        return True

    def look(self, code: str) -> Invitation | None:
        """Return what a code invites to, None for one that is wrong, used or too old; uses nothing up."""
        with self._book.looking() as connection:
            return _invitation(_row(connection, code), self._book.now())

    def accept(self, code: str, arrival: Arrival) -> tuple[str, str]:
        """Use a code up; return (person, cookie of the device). Raises `CommunityRefused`."""
        with self._book.writing() as writing:
            found = _invitation(_row(writing.connection, code), writing.at)
            if found is None:
                raise CommunityRefused(message("community.refused.code"))
            # Before anything else in this commit: of two people with the same code one gets in.
            used = Change(INVITATIONS, found.id, {"state": "used"})
            writing.enter(Doer("code"), "invitation.used", f"flat:{found.flat}", used)
            person = found.person
            if person is None:
                new = NewPerson(arrival.name, found.flat, found.kind, arrival.language)
                person = add_person(writing, Doer("code"), new)
            elif not _is_active(writing.connection, person):
                raise CommunityRefused(message("community.refused.code"))
            return person, begin_device(writing, Doer("person", person), arrival.device)

    def withdraw(self, by: Doer, flats: Iterable[str]) -> int:
        """Withdraw every open invitation of some flats and return how many. Raises `CommunityRefused`."""
        count = 0
        with self._book.writing() as writing:
            for flat in [flat_called(writing.connection, typed) for typed in flats]:
                query = sa.select(INVITATIONS.c.id).where(*_is_open(flat, writing.at))
                found = list(writing.connection.execute(query).scalars())
                for identity in found:
                    withdrawn = Change(INVITATIONS, identity, {"state": "withdrawn"})
                    writing.enter(by, WITHDRAWN, f"flat:{flat}", withdrawn)
                # Without an open invitation as well: the hub may hear later of a code that a door has shown,
                # and `from_door` compares it with this entry.
                if not found:
                    writing.enter(by, WITHDRAWN, f"flat:{flat}")
                count += len(found)
        return count

    @staticmethod
    def _open(connection: Connection, flat: str, now: int) -> int:
        count = sa.select(sa.func.count()).select_from(INVITATIONS).where(*_is_open(flat, now))
        return int(connection.execute(count).scalar_one())


def make_invitation(writing: Writing, by: Doer, flat: str, kind: TieKind, person: str | None) -> str:
    """Make an invitation within a commit and return its code; `flat` is one that there is."""
    code = new_code(CODE_LETTERS)
    values: dict[str, str | int | None] = {"flat": flat, "kind": kind.value, "person": person}
    values |= {"state": "open", "until": writing.at + VALID_DAYS * DAY}
    made = Change(INVITATIONS, _digest(code), values)
    writing.enter(by, "invitation.made", f"flat:{flat}", made, tie=kind.value)
    return code


def _is_open(flat: str, now: int) -> tuple[sa.ColumnElement[bool], ...]:
    return INVITATIONS.c.flat == flat, INVITATIONS.c.state == "open", INVITATIONS.c.until > now


def _row(connection: Connection, code: str) -> Row[tuple[object, ...]] | None:
    return connection.execute(sa.select(INVITATIONS).where(INVITATIONS.c.id == _digest(code))).first()


def _invitation(row: Row[tuple[object, ...]] | None, now: int) -> Invitation | None:
    if row is None or row.state != "open" or row.until <= now:
        return None
    return Invitation(row.id, row.flat, TieKind(row.kind), row.person, row.until)


def _is_active(connection: Connection, person: str) -> bool:
    state = connection.execute(sa.select(PEOPLE.c.state).where(PEOPLE.c.id == person)).scalar()
    return state == "active"


def _withdrawn_at(connection: Connection, flat: str) -> int:
    """Return when a flat's invitations were last withdrawn, UTC seconds; -1: never."""
    mine = (LEDGER.c.subject == f"flat:{flat}", LEDGER.c.kind == WITHDRAWN)
    last = connection.execute(sa.select(sa.func.max(LEDGER.c.at)).where(*mine)).scalar()
    return -1 if last is None else int(last)


def _home(connection: Connection, person: str) -> tuple[str, str] | None:
    """Return (flat, kind) of the flat that somebody belongs to first; None for who has left."""
    mine = (TIES.c.person == person, TIES.c.until.is_(None))
    query = sa.select(TIES.c.flat, TIES.c.kind).where(*mine).order_by(TIES.c.since, TIES.c.id)
    row = connection.execute(query).first() if _is_active(connection, person) else None
    return None if row is None else (row.flat, row.kind)


def _digest(code: str) -> str:
    return hashlib.sha256(plain_code(code).encode()).hexdigest()
