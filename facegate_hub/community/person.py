"""Exports what is stored about one person, or erases it for good.

Erasing deletes every text, name and picture of the person and ends their ties, devices, passes and
invitations. Steps and times remain under a random id. The book still verifies afterwards.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.errors import CommunityRefused
from edge.words import message
from facegate_hub.community.book import Change
from facegate_hub.community.database import clear_away
from facegate_hub.community.devices import forget_holder
from facegate_hub.community.leaving import end_codes, end_passes, end_slips
from facegate_hub.community.schema import CONTENTS, DEVICES, LEDGER, PEOPLE, TICKETS, TIES

if TYPE_CHECKING:
    from facegate_hub.community.book import Book, Doer


def export_person(book: Book, person: str) -> dict[str, Any]:
    """Return everything about somebody as plain values: texts, ties, devices, tickets and their entries.

    Raises `CommunityRefused` for an id that is not there.
    """
    owner = f"person:{person}"
    with book.looking() as connection:
        row = connection.execute(sa.select(PEOPLE).where(PEOPLE.c.id == person)).first()
        if row is None:
            raise CommunityRefused(message("community.refused.person"))
        contents = connection.execute(sa.select(CONTENTS).where(CONTENTS.c.owner == owner))
        opened = {one.mark: book.sealer.open(one.sealed, one.mark.encode()) for one in contents}
        tickets = connection.execute(sa.select(TICKETS).where(TICKETS.c.requester == person)).all()
        ties = connection.execute(sa.select(TIES).where(TIES.c.person == person))
        devices = connection.execute(sa.select(DEVICES).where(DEVICES.c.holder == owner))
        subjects = [owner, *(f"ticket:{ticket.id}" for ticket in tickets)]
        entries = connection.execute(sa.select(LEDGER).where(LEDGER.c.subject.in_(subjects)))
        return {
            "person": dict(row._mapping),  # noqa: SLF001 - SQLAlchemy's documented name, as below
            "texts": {mark: _readable(plain) for mark, plain in opened.items()},
            "ties": [dict(tie._mapping) for tie in ties],  # noqa: SLF001
            "devices": [
                {"label": one.label, "made_at": one.made_at, "used_at": one.used_at} for one in devices
            ],
            "tickets": [dict(ticket._mapping) for ticket in tickets],  # noqa: SLF001
            "entries": [
                {
                    "seq": one.seq,
                    "at": one.at,
                    "actor": one.actor,
                    "kind": one.kind,
                    "say": json.loads(one.body)["say"],
                }
                for one in entries
            ],
        }


def erase_person(book: Book, by: Doer, person: str) -> int:
    """Erase somebody and return how many contents went. Raises `CommunityRefused` for an id not there."""
    owner = f"person:{person}"
    with book.writing() as writing:
        known = sa.select(PEOPLE.c.id).where(PEOPLE.c.id == person, PEOPLE.c.state != "erased")
        if writing.connection.execute(known).first() is None:
            raise CommunityRefused(message("community.refused.person"))
        forget_holder(writing.connection, owner)
        query = sa.select(TIES.c.id, TIES.c.flat).where(TIES.c.person == person, TIES.c.until.is_(None))
        ties = writing.connection.execute(query.order_by(TIES.c.id)).all()
        ended = [Change(TIES, tie.id, {"until": writing.at}) for tie in ties]
        for tie in ties:
            end_slips(writing, by, tie.flat)
        end_codes(writing, by, person)
        end_passes(writing, by, person)
        gone = writing.drop(CONTENTS.c.owner == owner)
        blank = Change(PEOPLE, person, {"state": "erased"})
        writing.enter(by, "person.erased", owner, blank, *ended, count=gone)
    clear_away(book)
    return gone


def _readable(plain: bytes) -> str:
    try:
        return plain.decode()
    except UnicodeDecodeError:
        return f"picture of {len(plain)} bytes, hex: {plain.hex()}"
