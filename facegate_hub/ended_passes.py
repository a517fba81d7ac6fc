"""Carries ended visitor passes to the doors that they would open, and notes which doors have confirmed it.

Residents end passes on their page, which only writes that down. A pass is ended here when this hub has signed
it itself: whoever takes the page over can end what residents could end, and fills no door's list with more.
"""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.wire.ended_passes import MOST_ENDED, PURPOSE, EndedPass, PassEnds
from facegate_hub.community.pass_desk import PassDesk
from facegate_hub.community.schema import PASSES
from facegate_hub.community.visits import DoorWord, PassState, note_doors
from facegate_hub.database import insert_missing, reading
from facegate_hub.retained import RetainedTeller
from facegate_hub.tables import DEVICES, GRANTED_PASSES, PASS_END_SETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy.engine import Engine

    from edge.policy.passes import Pass
    from facegate_hub.community.staff_store import StaffStore
    from facegate_hub.community.terms import Terms
    from facegate_hub.signer.asking import Signs

LOG = logging.getLogger(__name__)
DAY = 86_400
KEEP_SECONDS = 7.0 * DAY
"""How long a pass is remembered after its end."""
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
        self._end(self._desk.ended())
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
        with reading(self._engine) as connection:
            sets = {row.device: row for row in connection.execute(sa.select(PASS_END_SETS))}
            query = sa.select(DEVICES.c.id, DEVICES.c.avail, DEVICES.c.state)
            doors = {row.id: row for row in connection.execute(query)}
        words: dict[tuple[str, str], DoorWord] = {}
        for door, ended in self._ended.items():
            row, told = doors.get(door), sets.get(door)
            confirmed: set[str] = set()
            if row is not None and told is not None and _confirmed_rev(row.state) == told.rev:
                confirmed = {one.id for one in PassEnds.parse(told.body.encode()).ended}
            is_there = row is not None and row.avail == "online"
            for one in ended:
                word = DoorWord.WAITING if is_there else DoorWord.OFFLINE
                words[one.id, door] = DoorWord.CONFIRMED if one.id in confirmed else word
        new = {key: word for key, word in words.items() if self._noted.get(key) != word}
        if new:
            note_doors(self._book, new)
        self._noted = words


def note_granted(engine: Engine, granted: Pass, doors: Sequence[str], now: float) -> None:
    """Remember a pass that is being signed, for whom and when; drop those that ended long ago."""
    until = int(granted.valid_until.timestamp())
    row = {"id": granted.id.hex(), "doors": ",".join(doors), "until": until}
    row |= {"host": granted.host_id, "granted_at": now}
    with engine.begin() as connection:
        insert_missing(connection, GRANTED_PASSES, [row])
        old = GRANTED_PASSES.c.until < now - KEEP_SECONDS
        connection.execute(sa.delete(GRANTED_PASSES).where(old))


def breached(engine: Engine, host: str, terms: Terms, now: float) -> str | None:
    """Return which limit one more pass of a resident would break, by what this hub has signed; None: none.

    The page counts, too, in a table that whoever takes it over can write.
    """
    theirs = sa.select(sa.func.count()).where(GRANTED_PASSES.c.host == host)
    today = theirs.where(GRANTED_PASSES.c.granted_at > now - DAY)
    alive = theirs.where(GRANTED_PASSES.c.until > now, GRANTED_PASSES.c.ended_at.is_(None))
    with reading(engine) as connection:
        for query, most, why in ((today, terms.passes_a_day, "today"), (alive, terms.passes_alive, "alive")):
            if connection.execute(query).scalar_one() >= most:
                return why
    return None


def granted_lately(engine: Engine, now: float) -> int:
    """Return how many passes were signed within a minute, for whomever."""
    count = sa.select(sa.func.count()).where(GRANTED_PASSES.c.granted_at > now - 60)
    with reading(engine) as connection:
        return int(connection.execute(count).scalar_one())


def _ended_alive(engine: Engine, now: float) -> list[Any]:
    """Return passes that were ended and would still open, the one that was ended first at the head."""
    columns = (GRANTED_PASSES.c.id, GRANTED_PASSES.c.doors, GRANTED_PASSES.c.until)
    alive = (GRANTED_PASSES.c.ended_at.is_not(None), GRANTED_PASSES.c.until > now)
    query = sa.select(*columns).where(*alive)
    with reading(engine) as connection:
        return list(connection.execute(query.order_by(GRANTED_PASSES.c.ended_at, GRANTED_PASSES.c.id)))


def _confirmed_rev(state: str | None) -> int | None:
    """Return which list a door says that it keeps; what it says is checked when it comes."""
    rev = json.loads(state).get("passes_ended") if state else None
    return rev if type(rev) is int else None
