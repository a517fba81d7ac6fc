"""Visitors: residents wish for passes on their phones; the hub, which holds the key, grants within limits.

The page only writes wishes. The hub checks each again by itself (`facegate_hub.visitors`): whoever takes the
page over gets what residents could get, at their rates, and everybody sees it. No name and no number of a
visitor is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.errors import CommunityRefused
from edge.words import message
from facegate_hub.community.book import SYSTEM, Change
from facegate_hub.community.people import new_id
from facegate_hub.community.schema import CONTENTS, PASS_DOORS, PASSES, PEOPLE, TIES
from facegate_hub.database import insert_missing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.engine import Connection, Row

    from facegate_hub.community.book import Book, Writing
    from facegate_hub.community.parts import Asker
    from facegate_hub.community.terms import Terms

DAY, HOUR = 86_400, 3600
KEEP_DAYS = 7
"""How long staff and maker see a pass that is over."""
AHEAD_DAYS = 30
WISH_SECONDS = 600
"""A wish that no hub has looked at for so long is refused: its maker knows, and makes a new one."""


class VisitKind(StrEnum):
    """Whom a pass is for."""

    VISITOR = "visitor"
    COURIER = "courier"
    CLEANER = "cleaner"
    WORKER = "worker"


class PassState(StrEnum):
    """What became of a wish."""

    WISHED = "wished"
    GRANTED = "granted"
    REFUSED = "refused"
    ENDED = "ended"


class DoorWord(StrEnum):
    """What a door knows of a pass that was ended."""

    CONFIRMED = "confirmed"
    WAITING = "waiting"
    """It is there and has not confirmed yet."""
    OFFLINE = "offline"


COURIER_SECONDS = 2 * HOUR
MOST_USES = 20


@dataclass(frozen=True, slots=True)
class VisitWish:
    """What somebody wishes for; times are UTC seconds, `uses` 1 to 20."""

    flat: str
    kind: VisitKind
    begins: int
    ends: int
    uses: int = 1


@dataclass(frozen=True, slots=True)
class VisitPass:
    """A pass as its maker and the guard see it; only its maker gets `text`, the code itself."""

    id: str
    maker: str
    flat: str
    kind: VisitKind
    state: PassState
    begins: int
    ends: int
    uses: int
    why: str | None
    doors: tuple[str, ...] = ()
    text: str | None = None
    told: Mapping[str, DoorWord] = field(default_factory=dict)
    """Of a pass that was ended before its time: what each of its doors knows of that."""

    @property
    def still_opens(self) -> tuple[str, ...]:
        """Doors that have not confirmed yet that it was ended: until its own end it opens there."""
        return tuple(door for door, word in self.told.items() if word is not DoorWord.CONFIRMED)


class VisitorPasses:
    """Everybody's passes. Any thread."""

    def __init__(self, book: Book, terms: Terms) -> None:
        self._book = book
        self._terms = terms

    def wish(self, asker: Asker, wish: VisitWish) -> str:
        """Wish for a pass and return its id. Raises `CommunityRefused` for what would be refused anyway."""
        with self._book.writing() as writing:
            maker = asker.doer.id
            if asker.doer.kind != "person":
                raise CommunityRefused(message("community.refused.not_yours"))
            if why := breach(writing.connection, self._terms, maker, wish, writing.at):
                raise CommunityRefused(message(f"community.pass_refused.{why}", **_limits(self._terms)))
            identity = new_id()
            values: dict[str, str | int | None] = {
                "maker": maker,
                "flat": wish.flat,
                "kind": wish.kind.value,
                "state": PassState.WISHED.value,
                "begins": wish.begins,
                "ends": wish.ends,
                "uses": wish.uses,
                "wished_at": writing.at,
            }
            writing.enter(asker.doer, "pass.wished", f"pass:{identity}", Change(PASSES, identity, values))
        return identity

    def end(self, asker: Asker, identity: str) -> None:
        """End a pass of one's own: its code is gone for good. Raises `CommunityRefused`."""
        with self._book.writing() as writing:
            mine = (PASSES.c.id == identity, PASSES.c.maker == asker.doer.id)
            alive = PASSES.c.state.in_([PassState.WISHED.value, PassState.GRANTED.value])
            row = writing.connection.execute(sa.select(PASSES).where(*mine, alive)).first()
            if row is None:
                raise CommunityRefused(message("community.refused.gone"))
            _end(writing, row, asker)

    def of_person(self, person: str) -> list[VisitPass]:
        """Return a person's own passes with their codes, the newest first."""
        recent = PASSES.c.ends > self._book.now() - KEEP_DAYS * DAY
        with self._book.looking() as connection:
            query = sa.select(PASSES).where(PASSES.c.maker == person, recent)
            rows = connection.execute(query.order_by(PASSES.c.wished_at.desc(), PASSES.c.id)).all()
            texts = self._book.texts(connection, {row.text for row in rows if row.text})
            told = self._told(connection, rows)
        return [_pass(row, texts.get(row.text or ""), told.get(row.pass_id or "")) for row in rows]

    def _told(self, connection: Connection, rows: Iterable[Row[Any]]) -> dict[str, dict[str, DoorWord]]:
        """Return what doors know of passes that were ended before their time, by pass and door."""
        now = self._book.now()
        ended = (row for row in rows if row.state == PassState.ENDED.value and row.ends > now and row.pass_id)
        found = {row.pass_id: dict.fromkeys(_doors(row), DoorWord.WAITING) for row in ended}
        query = sa.select(PASS_DOORS).where(PASS_DOORS.c.pass_id.in_(list(found)))
        for row in connection.execute(query) if found else ():
            if row.door in found[row.pass_id]:
                found[row.pass_id][row.door] = DoorWord(row.word)
        return found

    def forget_over(self) -> int:
        """Drop the codes of passes that are over, refuse wishes nobody looked at; return how many."""
        count = 0
        with self._book.writing() as writing:
            over = (PASSES.c.text.is_not(None), PASSES.c.ends <= writing.at)
            for row in writing.connection.execute(sa.select(PASSES).where(*over)).all():
                _end(writing, row, None)
                count += 1
            stale = (PASSES.c.state == "wished", PASSES.c.wished_at < writing.at - WISH_SECONDS)
            for row in writing.connection.execute(sa.select(PASSES).where(*stale)).all():
                refuse(writing, row.id, "no_hub")
                count += 1
        return count


def breach(
    connection: Connection, terms: Terms, maker: str, wish: VisitWish, now: int, own: str | None = None
) -> str | None:
    """Return which limit a wish breaks, None: none. `own` is the wish itself where it is written already."""
    longest = COURIER_SECONDS if wish.kind is VisitKind.COURIER else terms.pass_hours * HOUR
    if not (wish.begins < wish.ends and wish.ends > now and wish.ends - wish.begins <= longest):
        return "courier_time" if wish.kind is VisitKind.COURIER else "time"
    if wish.begins > now + AHEAD_DAYS * DAY or wish.begins < now - DAY:
        return "ahead"
    if not 1 <= wish.uses <= MOST_USES or (wish.kind is VisitKind.COURIER and wish.uses != 1):
        return "uses"
    state = connection.execute(sa.select(PEOPLE.c.state).where(PEOPLE.c.id == maker)).scalar()
    ties = (TIES.c.person == maker, TIES.c.flat == wish.flat, TIES.c.until.is_(None))
    if state != "active" or connection.execute(sa.select(TIES.c.id).where(*ties)).first() is None:
        return "flat"
    # A wish that is already stored would otherwise count against its own limit.
    others = PASSES.c.id != (own or "")
    # Up to now and not beyond: what was wished for while the clock was ahead is no wish of today.
    today = (PASSES.c.maker == maker, PASSES.c.wished_at.between(now - DAY + 1, now), others)
    alive_states = PASSES.c.state.in_([PassState.WISHED.value, PassState.GRANTED.value])
    alive = (PASSES.c.maker == maker, PASSES.c.ends > now, alive_states, others)
    for conditions, most, why in ((today, terms.passes_a_day, "today"), (alive, terms.passes_alive, "alive")):
        count = sa.select(sa.func.count()).select_from(PASSES).where(*conditions)
        if connection.execute(count).scalar_one() >= most:
            return why
    return None


def refuse(writing: Writing, identity: str, why: str) -> None:
    """Refuse a wish within a commit."""
    refused = Change(PASSES, identity, {"state": PassState.REFUSED.value, "why": why})
    writing.enter(SYSTEM, "pass.refused", f"pass:{identity}", refused, why=why)


def _end(writing: Writing, row: Row[Any], asker: Asker | None) -> None:
    if row.text:
        writing.drop(CONTENTS.c.mark == row.text)
    ended = Change(PASSES, row.id, {"state": PassState.ENDED.value, "text": None})
    writing.enter(asker.doer if asker else SYSTEM, "pass.ended", f"pass:{row.id}", ended)


def note_doors(book: Book, words: Mapping[tuple[str, str], DoorWord]) -> None:
    """Note what doors know of ended passes, by pass and door; what was confirmed once stays so."""
    now = book.now()
    rows = [
        {"pass_id": one, "door": door, "word": word.value, "at": now} for (one, door), word in words.items()
    ]
    with book.engine.begin() as connection:
        connection.execute(
            sa.delete(PASS_DOORS).where(PASS_DOORS.c.at < now - (AHEAD_DAYS + KEEP_DAYS) * DAY)
        )
        # Insert, then update only other words: a door that has confirmed is never called waiting again.
        insert_missing(connection, PASS_DOORS, rows)
        for row in rows:
            mine = (PASS_DOORS.c.pass_id == row["pass_id"], PASS_DOORS.c.door == row["door"])
            other = (*mine, PASS_DOORS.c.word.not_in([DoorWord.CONFIRMED.value, row["word"]]))
            connection.execute(sa.update(PASS_DOORS).where(*other).values(word=row["word"], at=now))


def _pass(row: Row[Any], text: str | None = None, told: Mapping[str, DoorWord] | None = None) -> VisitPass:
    return VisitPass(
        id=row.id,
        maker=row.maker,
        flat=row.flat,
        kind=VisitKind(row.kind),
        state=PassState(row.state),
        begins=row.begins,
        ends=row.ends,
        uses=row.uses,
        why=row.why,
        doors=_doors(row),
        text=text,
        told=told or {},
    )


def _doors(row: Row[Any]) -> tuple[str, ...]:
    return tuple(row.doors.split(",")) if row.doors else ()


def _limits(terms: Terms) -> dict[str, int]:
    return {
        "hours": terms.pass_hours,
        "day": terms.passes_a_day,
        "alive": terms.passes_alive,
        "days": AHEAD_DAYS,
    }
