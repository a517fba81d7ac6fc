"""Tells residents who rings for them, and has doors opened for what they answer, checked again here.

What counts stands in the hub's own database, which the page cannot reach: the ring as its door has proven it,
the flat that was named, the one answer, and the request that came of it. Whoever takes the page over can
answer, within its minute, a ring that there was, in the name of somebody of that flat whom the roster knows;
the signer grants it once for each ring, at the doors that the site's rules name, and writes down in whose
name. An answer that a hub could not carry out comes to nothing.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.errors import FacegateError, SyncError
from edge.events import Kind
from edge.wire.commands import CommandType
from edge.wire.records import parse_record
from edge.words import say
from facegate_hub.community.rings import (
    KEEP_SECONDS,
    RING_SECONDS,
    SHOWN_SECONDS,
    RingState,
    is_ringing,
    rang_lately,
)
from facegate_hub.community.schema import FLATS, PEOPLE, RINGS, TIES
from facegate_hub.database import in_parts, insert_missing, reading
from facegate_hub.heard_rings import TOLD
from facegate_hub.looking import LookingThread
from facegate_hub.requests import OPEN, PENDING, outcome, rows_of, withdraw
from facegate_hub.signer.rights import NotPermitted
from facegate_hub.tables import EVENTS, REQUESTS, RINGS_HEARD, ROSTER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy.engine import Connection, Engine

    from facegate_hub.community.book import Book
    from facegate_hub.community.terms import Terms
    from facegate_hub.signer.client import SignerClient
    from facegate_hub.signer.desk import Permit

LOG = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
LAST_SECONDS = RING_SECONDS - 2 * LOOK_SECONDS
"""How old a ring may be when its order leaves; the door carries one out within ten seconds, or never."""
CLOCK_SECONDS = 60.0
"""How far a door's clock may be off: a ring that a door tells of later is over, and rings nowhere."""
MOST_A_MINUTE = 6
"""Rings of one door that reach anybody: a display that somebody leans on wakes nobody all night."""
MOST_NAMED = 80
CLEAN_SECONDS = 3600.0


class RingBridge(LookingThread):
    """Looks at rings and answers twice a second, in a thread of its own. `now` is seconds since 1970."""

    def __init__(
        self,
        engine: Engine,
        community: tuple[Book, Terms],
        signer: SignerClient,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._book, self._terms = community
        self._signer = signer
        self._now = now
        self._cleaned_at = 0.0
        super().__init__("hub-rings", LOOK_SECONDS, "rings could not be looked at")

    def look(self) -> None:
        """Tell of new rings, carry out what was answered, and tell what came of it."""
        self._hear()
        self._show()
        for answered in self._answers():
            self._decide(answered)
        self._follow()
        # On either side of the hour: a clock that went back must not put the cleaning off for as long.
        if not 0.0 <= self._now() - self._cleaned_at <= CLEAN_SECONDS:
            self._forget()

    def _hear(self) -> None:
        """Take rings that doors have proven, a minute old at most, and show them to whom they are for."""
        now = self._now()
        since, until = (
            f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S}"
            for at in (now - RING_SECONDS - CLOCK_SECONDS, now + CLOCK_SECONDS)
        )
        # What a door dates ahead rings nowhere, and any number of that would be read again at each look.
        fresh = (EVENTS.c.at.between(since, until), EVENTS.c.stored_at > now - RING_SECONDS)
        query = sa.select(EVENTS).where(EVENTS.c.kind == str(Kind.DOOR_BELL), EVENTS.c.proven == 1, *fresh)
        with reading(self._engine) as connection:
            heard = {_ring_id(row): row for row in connection.execute(query.order_by(EVENTS.c.stored_at))}
            there = _known(connection, RINGS_HEARD, heard)
        # Of a door that rings without end, those that cannot be among its first are not even looked at: each
        # look for a flat reads all flats.
        rows, of_door = list[dict[str, Any]](), Counter[str]()
        for ring, row in heard.items():
            if ring not in there:
                of_door[row.device] += 1
                if of_door[row.device] <= MOST_A_MINUTE:
                    rows.append(self._row(ring, row))
        if rows:
            self._keep(rows)

    def _show(self) -> None:
        """Show rings of the last minute to whom they are for."""
        with reading(self._engine) as connection:
            recent = sa.select(RINGS_HEARD).where(rang_lately(RINGS_HEARD, self._now(), RING_SECONDS))
            heard = {row.id: row for row in connection.execute(recent)}
        if not heard:
            return
        # The book's own table says what was shown already; residents' pages read it, and never the hub's.
        with self._book.looking() as connection:
            new = [heard[one] for one in heard.keys() - _known(connection, RINGS, heard)]
        if new:
            state = RingState.RINGING.value
            rows = [
                {
                    "id": row.id,
                    "door": row.door,
                    "flat": row.flat,
                    "rang_at": int(row.rang_at),
                    "state": state,
                }
                for row in new
            ]
            with self._book.engine.begin() as connection:
                insert_missing(connection, RINGS, rows)

    def _row(self, ring: str, row: Any) -> dict[str, Any]:
        return {
            "id": ring,
            "door": row.device,
            "flat": self._flat(row.device, row.body),
            "rang_at": _rang_at(row.at, row.stored_at),
        }

    def _keep(self, rows: list[dict[str, Any]]) -> None:
        """Keep rings for good; of a door that rings all the time, the first few."""
        with self._engine.begin() as connection:
            minute = rang_lately(RINGS_HEARD, self._now(), RING_SECONDS)
            query = sa.select(RINGS_HEARD.c.door, sa.func.count()).where(minute).group_by(RINGS_HEARD.c.door)
            rung = {row[0]: int(row[1]) for row in connection.execute(query)}
            taken = []
            for row in rows:
                rung[row["door"]] = rung.get(row["door"], 0) + 1
                if rung[row["door"]] <= MOST_A_MINUTE and row["rang_at"] > self._now() - RING_SECONDS:
                    taken.append(row)
            insert_missing(connection, RINGS_HEARD, taken)

    def _flat(self, door: str, body: str) -> str | None:
        """Return the flat that a visitor named, at a door on its way; None: none, or none that there is."""
        try:
            typed = json.loads(body)["data"].get("flat")
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        if not isinstance(typed, str) or not 0 < len(typed) <= MOST_NAMED:
            return None
        with self._book.looking() as connection:
            flats = connection.execute(sa.select(FLATS.c.id, FLATS.c.building, FLATS.c.unit)).all()
        near = [row for row in flats if door in self._doors_of(str(row.building))]
        # A whole name first ("3-1201"), then the flat's own number ("1201"); a number that several flats on
        # the way have names nobody.
        exact = [row.id for row in near if typed in {row.id, _digits(row.id)}]
        found = exact or [row.id for row in near if typed in {row.unit, _digits(str(row.unit))}]
        return found[0] if len(found) == 1 else None

    def _doors_of(self, building: str) -> tuple[str, ...]:
        return self._terms.doors.get(building, ())

    def _answers(self) -> list[Any]:
        """Return what residents answered and was not looked at yet, the first answer first."""
        states = (RingState.WISHED.value, RingState.NO.value)
        late = RINGS.c.rang_at > int(self._now()) - SHOWN_SECONDS
        with self._book.looking() as connection:
            query = sa.select(RINGS).where(RINGS.c.state.in_(states), late)
            return list(connection.execute(query.order_by(RINGS.c.answered_at, RINGS.c.id)))

    def _decide(self, answered: Any) -> None:
        """Let the first answer to a ring count: nothing is opened after a no, or twice."""
        opens = answered.state == RingState.WISHED.value
        # Claimed before the signer is asked: with two hubs or two residents one answer wins. A hub that dies
        # after this has opened nothing, and the ring is reported as failed.
        if not self._claim(answered.id, "open" if opens else "no"):
            if opens and (was := self._what_was(answered.id)):
                self._tell(answered.id, *was)
            return
        if not opens:
            return
        ring, resident, why = self._ring(answered.id), None, "over"
        if ring is not None:
            resident, why = self._resident(str(answered.answered_by or ""), ring)
        if ring is None or resident is None:
            self._tell(answered.id, RingState.REFUSED, why)
            return
        try:
            permit = self._signer.answer_ring(ring.id, ring.door, resident)
        except NotPermitted:
            self._tell(ring.id, RingState.REFUSED, "not_allowed")
            return
        except SyncError as error:
            LOG.warning("a ring at %s cannot be answered: %s", ring.door, error)
            self._tell(ring.id, RingState.FAILED, None)
            return
        if permit.id is None:
            self._tell(ring.id, RingState.REFUSED, "often" if permit.refused else "two_people")
            return
        if self._enter(ring.id, permit):
            self._tell(ring.id, RingState.OPENING, None)

    def _enter(self, ring: str, permit: Permit) -> bool:
        """Leave the order for the part that carries commands; False when the ring is over by now."""
        mine = (RINGS_HEARD.c.id == ring, RINGS_HEARD.c.request.is_(None), self._is_fresh())
        with self._engine.begin() as connection:
            noted = sa.update(RINGS_HEARD).where(*mine).values(request=permit.id)
            if connection.execute(noted).rowcount != 1:
                return False
            rows = [row | {"asked_at": self._now()} for row in rows_of([permit], CommandType.UNLOCK, {})]
            connection.execute(sa.insert(REQUESTS), rows)
        return True

    def _is_fresh(self) -> sa.ColumnElement[bool]:
        return rang_lately(RINGS_HEARD, self._now(), LAST_SECONDS)

    def _claim(self, ring: str, answer: str) -> bool:
        """Note the one answer to a ring that is not over; False when there was one, or it is over.

        A no counts whenever it comes.
        """
        known = self._ring(ring)
        if known is None or known.answer is not None:
            return False
        is_in_time = sa.true() if answer == "no" else self._is_fresh()
        unanswered = (RINGS_HEARD.c.id == ring, RINGS_HEARD.c.answer.is_(None), is_in_time)
        with self._engine.begin() as connection:
            claimed = sa.update(RINGS_HEARD).where(*unanswered).values(answer=answer)
            return connection.execute(claimed).rowcount == 1

    def _what_was(self, ring: str) -> tuple[RingState, str | None] | None:
        """Return what became of a ring that is over, or was answered by somebody else or before a restart.

        None while another hub may still be about to have it opened: what was told failed never happens later.
        """
        known = self._ring(ring)
        if known is None or known.answer is None:
            return RingState.REFUSED, "over"
        if known.answer == "no":
            return RingState.NO, None
        if known.request is not None:
            return RingState.OPENING, None
        return None if is_ringing(known.rang_at, self._now()) else (RingState.FAILED, None)

    def _ring(self, ring: str) -> Any:
        with reading(self._engine) as connection:
            return connection.execute(sa.select(RINGS_HEARD).where(RINGS_HEARD.c.id == ring)).first()

    def _resident(self, person: str, ring: Any) -> tuple[str | None, str]:
        """Return the id in the roster of who may open for this ring, and why nobody may."""
        ties = (TIES.c.person == person, TIES.c.flat == ring.flat, TIES.c.until.is_(None))
        with self._book.looking() as connection:
            query = sa.select(PEOPLE.c.state, PEOPLE.c.resident).where(PEOPLE.c.id == person)
            row = connection.execute(query).first()
            is_home = connection.execute(sa.select(TIES.c.id).where(*ties)).first() is not None
            named = None if row is None else self._book.text(connection, row.resident)
            building = connection.execute(sa.select(FLATS.c.building).where(FLATS.c.id == ring.flat)).scalar()
        if row is None or row.state != "active" or not is_home or ring.flat is None:
            return None, "flat"
        if ring.door not in self._doors_of(str(building)):
            return None, "door"
        with reading(self._engine) as connection:
            text = connection.execute(sa.select(ROSTER.c.text).where(ROSTER.c.id == named)).scalar()
        if named is None or text is None or not self._is_valid(text):
            return None, "no_resident"
        return named, ""

    def _is_valid(self, text: str) -> bool:
        """Say whether a record of the roster counts now."""
        try:
            resident, _ = parse_record(json.loads(text))
        except (ValueError, FacegateError):
            return False
        now = datetime.fromtimestamp(self._now(), UTC)
        begins, ends = resident.valid_from, resident.valid_until
        return (begins is None or begins <= now) and (ends is None or now < ends)

    def _follow(self) -> None:
        """Tell what came of orders, and call back what has not left when its ring's minute is over."""
        recent = RINGS_HEARD.c.rang_at > self._now() - SHOWN_SECONDS
        with reading(self._engine) as connection:
            asked = sa.select(RINGS_HEARD).where(recent, RINGS_HEARD.c.request.is_not(None))
            rows = list(connection.execute(asked))
        for row in rows:
            status, _ = outcome(self._engine, row.request)
            # Also one that lies ahead: our clock went back since, and nobody knows how old it is.
            if status in PENDING and abs(self._now() - row.rang_at) >= LAST_SECONDS:
                self._call_back(row.request)
                status, _ = outcome(self._engine, row.request)
            self._tell(row.id, RingState.OPENING if status in OPEN else TOLD[status], None)

    def _call_back(self, request: str) -> None:
        if withdraw(self._engine, request, say("order.ring_over")):
            with suppress(SyncError):
                self._signer.void([request])

    def _tell(self, ring: str, state: RingState, why: str | None) -> None:
        """Show what became of a ring; the same again costs a look."""
        other = (RINGS.c.id == ring, RINGS.c.state != state.value)
        with self._book.looking() as connection:
            if connection.execute(sa.select(RINGS.c.id).where(*other)).first() is None:
                return
        with self._book.engine.begin() as connection:
            connection.execute(sa.update(RINGS).where(*other).values(state=state.value, why=why))

    def _forget(self) -> None:
        """Forget rings of more than a week ago."""
        self._cleaned_at = self._now()
        for engine, table in ((self._engine, RINGS_HEARD), (self._book.engine, RINGS)):
            with engine.begin() as connection:
                old = table.c.rang_at < self._now() - KEEP_SECONDS
                connection.execute(sa.delete(table).where(old))


def _known(connection: Connection, table: sa.Table, rings: Iterable[str]) -> set[str]:
    """Return which of these rings a table has."""
    found: set[str] = set()
    for some in in_parts(rings):
        found.update(connection.execute(sa.select(table.c.id).where(table.c.id.in_(some))).scalars())
    return found


def _ring_id(row: Any) -> str:
    return hashlib.sha256(f"{row.device}\n{row.stream}\n{row.seq}".encode()).hexdigest()


def _rang_at(at: str | None, stored_at: float) -> float:
    """Return when it rang by the hub's clock: as the door says, unless that is later than it was heard."""
    try:
        told = datetime.fromisoformat(at or "").timestamp()
    except ValueError:
        return 0.0
    return min(told, stored_at) if abs(told - stored_at) < CLOCK_SECONDS else 0.0


def _digits(text: str) -> str:
    """Return what can be typed at a display of a flat's name."""
    return "".join(one for one in text if one.isdecimal())
