"""The doors that the book knows, and what the property calls them. Nothing of what happens there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from facegate_hub.community.book import SYSTEM, Change
from facegate_hub.community.schema import DOORS
from facegate_hub.community.shaming import speaks_of_debts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from facegate_hub.community.book import Book

NETWORK = "network"
"""Stands for all doors: the place of a fault that most of them share."""


def meet_doors(book: Book, doors: Mapping[str, str]) -> int:
    """Enter doors that the book does not know yet, or knows by another name; return how many were new.

    `doors` is what the property calls each door, by id; "" where it gave it no name. What nobody may publish
    is no name: residents read it on their page and on the wall.
    """
    doors = {door: "" if speaks_of_debts(name) else name for door, name in doors.items()}
    with book.looking() as connection:
        known = {row.id: row.name for row in connection.execute(sa.select(DOORS))}
    fresh = sorted(set(doors) - set(known))
    renamed = sorted(door for door, name in doors.items() if (known.get(door) or "") != name)
    if fresh or renamed:
        with book.writing() as writing:
            for door in fresh:
                writing.enter(SYSTEM, "door.met", f"door:{door}", Change(DOORS, door, {"since": writing.at}))
            for door in renamed:
                changed = Change(DOORS, door, {"name": doors[door] or None})
                writing.enter(SYSTEM, "door.named", f"door:{door}", changed)
    return len(fresh)


def called_doors(book: Book) -> dict[str, str]:
    """Return what the property calls the doors that it named, by id."""
    with book.looking() as connection:
        rows = connection.execute(sa.select(DOORS.c.id, DOORS.c.name).where(DOORS.c.name.is_not(None)))
        return {row.id: row.name for row in rows}
