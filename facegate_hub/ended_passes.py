"""Carries ended visitor passes to the doors that they would open, and notes which doors have confirmed it.

Residents end passes on their page, which only writes that down. A pass is ended here when this hub has signed
it itself: whoever takes the page over can end what residents could end, and fills no door's list with more.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.wire.ended_passes import MOST_ENDED, PURPOSE, EndedPass, PassEnds
from facegate_hub.community.pass_desk import PassDesk
from facegate_hub.community.schema import PASSES
from facegate_hub.community.visits import PassState, note_doors
from facegate_hub.database import reading
from facegate_hub.retained import RetainedTeller
from facegate_hub.signed_passes import door_words
from facegate_hub.tables import GRANTED_PASSES, PASS_END_SETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy.engine import Engine

    from facegate_hub.community.staff_store import StaffStore
    from facegate_hub.community.visits import DoorWord
    from facegate_hub.signer.asking import Signs

LOG = logging.getLogger(__name__)
MOST_ASKED = 500
"""Ids that are asked for at once: databases take so many in one query."""


class PassEnder(RetainedTeller):
    """Tells doors of ended passes, and the community's book which doors know. `now` is seconds since 1970."""

    topic, purpose, table = "pass/ended", PURPOSE, PASS_END_SETS

    def __init__(
        self,
        engine: Engine,
        signer: Signs,
        staff: StaffStore,
        doors: Callable[[], Iterable[str]],
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(engine, "hub-passes", signer, doors)
        self._book = staff.book
        self._desk = PassDesk(staff)
        self._now = now
        self._ended: dict[str, list[EndedPass]] = {}
        self._noted: dict[tuple[str, str], DoorWord] = {}

    def begin_again(self) -> None:
        """Tell everything again, to the page as well."""
        super().begin_again()
        self._noted = {}

    def look(self) -> None:
        """Take over what residents and staff have ended, and see which doors have it."""
        # Staff's first, and by itself: the book, which the page may spoil, must not hold up what staff have
        # ended.
        self._end(set(self._desk.ended()))
        try:
            self._end(self._by_residents())
        except sa.exc.SQLAlchemyError as error:
            self._tell_of_the_book(error)
        rows = _ended_alive(self._engine, self._now())
        self._ended = {}
        for row in rows:
            for door in row.doors.split(","):
                one = EndedPass(row.id, datetime.fromtimestamp(row.until, UTC))
                self._ended.setdefault(door, []).append(one)
        try:
            self._note_doors()
        except sa.exc.SQLAlchemyError as error:
            self._tell_of_the_book(error)

    def compose(self, device: str, rev: int, old: bytes | None) -> bytes | None:
        """Return a door's ended passes, None when they are those of `old`, or there never were any."""
        ended = self._ended.get(device, [])
        if len(ended) > MOST_ENDED and self.is_worth_a_line():
            LOG.warning("%s: %d ended passes wait until others are over", device, len(ended) - MOST_ENDED)
        told = PassEnds(device, 0, ()) if old is None else PassEnds.parse(old)
        new = PassEnds(device, rev, tuple(ended[:MOST_ENDED]))
        return None if new.ended == told.ended else new.encode()

    def _tell_of_the_book(self, error: sa.exc.SQLAlchemyError) -> None:
        """Log that the page keeps the book from us, or spoilt it: what staff ended goes out all the same."""
        if self.is_worth_a_line():
            LOG.warning("residents' ended passes wait for the book: %s", str(error).splitlines()[0])

    def _by_residents(self) -> set[str]:
        gone = (PASSES.c.state == PassState.ENDED.value, PASSES.c.pass_id.is_not(None))
        query = sa.select(PASSES.c.pass_id).where(*gone, PASSES.c.ends > self._now())
        with self._book.looking() as connection:
            return set(connection.execute(query).scalars())

    def _end(self, ids: set[str]) -> None:
        """Have passes end that this hub has signed. An end is never taken back."""
        now = self._now()
        ours = (GRANTED_PASSES.c.ended_at.is_(None), GRANTED_PASSES.c.until > now)
        with reading(self._engine) as connection:
            alive = set(connection.execute(sa.select(GRANTED_PASSES.c.id).where(*ours)).scalars())
        fresh = sorted(alive & ids)
        for start in range(0, len(fresh), MOST_ASKED):
            named = GRANTED_PASSES.c.id.in_(fresh[start : start + MOST_ASKED])
            with self._engine.begin() as connection:
                connection.execute(sa.update(GRANTED_PASSES).where(named, *ours).values(ended_at=now))

    def _note_doors(self) -> None:
        """Write down, for the page, what each door knows of the passes that were ended there."""
        named = {door: [one.id for one in ended] for door, ended in self._ended.items()}
        with reading(self._engine) as connection:
            words = door_words(connection, named)
        new = {key: word for key, word in words.items() if self._noted.get(key) != word}
        if new:
            note_doors(self._book, new)
        self._noted = words


def _ended_alive(engine: Engine, now: float) -> list[Any]:
    """Return passes that were ended and would still open, the one that was ended first at the head."""
    columns = (GRANTED_PASSES.c.id, GRANTED_PASSES.c.doors, GRANTED_PASSES.c.until)
    alive = (GRANTED_PASSES.c.ended_at.is_not(None), GRANTED_PASSES.c.until > now)
    query = sa.select(*columns).where(*alive)
    with reading(engine) as connection:
        return list(connection.execute(query.order_by(GRANTED_PASSES.c.ended_at, GRANTED_PASSES.c.id)))
