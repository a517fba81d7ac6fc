"""Rings at the doors: a visitor enters a flat at the display, and its residents can answer for a minute.

The page only stores what a resident wishes. The hub alone (`facegate_hub.rings`) decides which rings exist,
which answer counts and whether the door opens; this table is a copy for people to look at. Rings are deleted
after a week and are not in the book's chain, because they tell who was at home and when. The signer's audit
and the door's journal record which door was opened in whose name.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import sqlalchemy as sa

from edge.errors import CommunityRefused
from edge.words import message
from facegate_hub.community.schema import RINGS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from facegate_hub.community.book import Book

RING_SECONDS = 60
"""How long a ring may be answered; no order leaves later than that."""
SHOWN_SECONDS = 600
KEEP_SECONDS = 7 * 86_400
MOST_SHOWN = 20


class RingState(StrEnum):
    """What became of a ring."""

    RINGING = "ringing"
    WISHED = "wished"
    """A resident wishes that it be opened; the hub has not looked at it yet."""
    OPENING = "opening"
    OPENED = "opened"
    NO = "no"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """The door was given the order and has not said what came of it."""
    OVER = "over"
    """Nobody answered."""


@dataclass(frozen=True, slots=True)
class Ring:
    """One ring; `rang_at` is UTC seconds, `flat` None where no flat was named, `why` that of a refusal."""

    id: str
    door: str
    flat: str | None
    rang_at: int
    state: RingState
    why: str | None = None


class Rings:
    """What residents see of rings, and what they answer. Any thread."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def of_flats(self, flats: Iterable[str]) -> list[Ring]:
        """Return the rings for these flats of the last minutes, newest first."""
        return self._found(RINGS.c.flat.in_(list(flats)))

    def answer(self, person: str, flats: Iterable[str], ring: str, *, opens: bool) -> None:
        """Note what a resident answers to a ring for a flat of theirs; the first answer counts.

        Raises `CommunityRefused` when it is over, answered, or another flat's.
        """
        state, now = RingState.WISHED if opens else RingState.NO, self._book.now()
        mine = (RINGS.c.id == ring, RINGS.c.flat.in_(list(flats)))
        is_open = (RINGS.c.state == RingState.RINGING.value, rang_lately(RINGS, now, RING_SECONDS))
        answered = {"state": state.value, "answered_by": person, "answered_at": now}
        # The state is checked by the update itself: of two phones in a flat the first answer counts.
        with self._book.engine.begin() as connection:
            if connection.execute(sa.update(RINGS).where(*mine, *is_open).values(**answered)).rowcount != 1:
                raise CommunityRefused(message("community.refused.ring_over"))

    def _found(self, which: sa.ColumnElement[bool]) -> list[Ring]:
        now = self._book.now()
        query = sa.select(RINGS).where(which, rang_lately(RINGS, now, SHOWN_SECONDS))
        with self._book.looking() as connection:
            rows = connection.execute(query.order_by(RINGS.c.rang_at.desc(), RINGS.c.id).limit(MOST_SHOWN))
            return [
                Ring(row.id, row.door, row.flat, row.rang_at, _shown(row.state, row.rang_at, now), row.why)
                for row in rows
            ]


def _shown(state: str, rang_at: int, now: int) -> RingState:
    """Return a state as it is told: a ring that nobody answered in its minute is over."""
    found = RingState(state)
    return RingState.OVER if found is RingState.RINGING and not is_ringing(rang_at, now) else found


def rang_lately(table: sa.Table, now: float, seconds: float) -> sa.ColumnElement[bool]:
    """Return which rings of a table are less than so many seconds old.

    One that lies further ahead is from before the clock went back: nobody knows how long ago that was, and it
    must not take the place of a ring of now.
    """
    return (table.c.rang_at > now - seconds) & (table.c.rang_at < now + seconds)


def is_ringing(rang_at: float, now: float) -> bool:
    """Return whether a ring may still be answered; see `rang_lately` for one that lies ahead."""
    return abs(now - rang_at) < RING_SECONDS
