"""Invitations that were printed together: new codes for all of a print that was lost, in one act.

A code is shown once and stored nowhere, so a page that was closed before it was printed cannot be shown
again.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from edge.errors import CommunityRefused
from edge.words import message
from facegate_hub.community.book import Change
from facegate_hub.community.entry import VALID_DAYS, make_invitation
from facegate_hub.community.people import TieKind
from facegate_hub.community.schema import FLATS, INVITATIONS, LEDGER, PEOPLE

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Row

    from facegate_hub.community.book import Book, Doer

DAY = 86_400
BACK_DAYS = 30
"""Prints that are older are no lost page: nobody waits for their codes."""
LEAST_TOGETHER = 2
"""A single code is made anew on the person's page, or for the flat."""


@dataclass(frozen=True, slots=True)
class SlipPrint:
    """Codes that one act made: `unused` of them can be made anew; `until` names the print."""

    until: int
    made_at: int
    by: str
    unused: int


@dataclass(frozen=True, slots=True)
class NewSlip:
    """A code that takes the place of one that was not used; `name` is None where it names nobody."""

    flat: str
    name: str | None
    code: str


class Slips:
    """The compound's printed invitations. Any thread."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def prints(self) -> list[SlipPrint]:
        """Return what was printed lately and is not all used, the newest first."""
        now, found = self._book.now(), []
        with self._book.looking() as connection:
            for until, rows in sorted(_waiting(connection, now).items(), reverse=True):
                made_at = until - VALID_DAYS * DAY
                made = (LEDGER.c.subject == f"flat:{rows[0].flat}", LEDGER.c.kind == "invitation.made")
                query = sa.select(LEDGER.c.actor).where(*made, LEDGER.c.at == made_at).limit(1)
                actor = str(connection.execute(query).scalar() or "")
                found.append(SlipPrint(until, made_at, actor.partition(":")[2], len(rows)))
        return found

    def renew(self, by: Doer, until: int) -> list[NewSlip]:
        """End the codes of a print that were not used and return new ones. Raises `CommunityRefused`: none.

        All in one commit, so that of two clerks who lost the same page one has codes that are good.
        """
        with self._book.writing() as writing:
            rows = _waiting(writing.connection, writing.at).get(until)
            if not rows:
                raise CommunityRefused(message("community.refused.slips_gone"))
            marks = _names(writing.connection, [row.person for row in rows if row.person])
            names = self._book.texts(writing.connection, set(marks.values()))
            made = []
            for row in rows:
                ended = Change(INVITATIONS, row.id, {"state": "withdrawn"})
                writing.enter(by, "invitation.ended", f"flat:{row.flat}", ended)
                code = make_invitation(writing, by, row.flat, TieKind(row.kind), row.person)
                made.append(NewSlip(row.flat, names.get(marks.get(row.person or "", "")), code))
        return made


def _names(connection: Connection, people: list[str]) -> dict[str, str]:
    """Return the marks of people's names, by person."""
    rows = connection.execute(sa.select(PEOPLE.c.id, PEOPLE.c.name).where(PEOPLE.c.id.in_(people)))
    return {row.id: row.name for row in rows if row.name}


def _waiting(connection: Connection, now: int) -> dict[int, list[Row[tuple[object, ...]]]]:
    """Return the codes that nobody has used, by the print that they were made with."""
    columns = INVITATIONS.c
    lives = sa.exists().where(PEOPLE.c.id == columns.person, PEOPLE.c.state == "active")
    # A slip that names nobody and whose time is over: the form for flats counts how many a flat has.
    still = sa.or_(lives, sa.and_(columns.person.is_(None), columns.until > now))
    recent = (columns.state == "open", columns.until > now - (BACK_DAYS - VALID_DAYS) * DAY)
    query = sa.select(INVITATIONS).where(*recent, still, columns.flat.in_(sa.select(FLATS.c.id)))
    rows = connection.execute(query.order_by(columns.flat, columns.id)).all()
    # Whoever came in, or was given another code since, waits for none. Not as a condition of the query: no
    # index leads to a person's invitations.
    came = set(connection.execute(sa.select(columns.person).where(columns.state == "used")).scalars())
    newest = {row.person: row.until for row in sorted(rows, key=lambda row: row.until)}
    found: defaultdict[int, list[Row[tuple[object, ...]]]] = defaultdict(list)
    for row in rows:
        if row.person is None or (row.person not in came and newest[row.person] == row.until):
            found[row.until].append(row)
    return {until: rows for until, rows in found.items() if len(rows) >= LEAST_TOGETHER}
