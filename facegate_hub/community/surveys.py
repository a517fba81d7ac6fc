"""One question after each finished ticket: how was the property's work? No person is ever scored.

It can be answered, and the answer changed, for seven days. No answer never counts as "satisfied".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from edge.errors import CommunityRefused
from edge.words import message
from facegate_hub.community.book import Change
from facegate_hub.community.machine import DONE
from facegate_hub.community.schema import ANSWERS, TICKETS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from facegate_hub.community.book import Book
    from facegate_hub.community.parts import Asker

DAY = 86_400
ASKED_DAYS = 7
BEST = 5
GOOD = 4
"""From here on an answer counts as satisfied."""
LEAST_SHOWN = 5
"""Fewer answers would tell of single people."""
Z = 1.96
"""Of a 95 % interval."""
MOST_TEXT = 500


@dataclass(frozen=True, slots=True)
class Satisfaction:
    """What was answered about tickets that were done: `low` and `high` are a 95 % Wilson interval, percent.

    None where fewer than five answered.
    """

    asked: int
    answered: int
    satisfied: int | None
    low: int | None
    high: int | None


class Surveys:
    """Answers of requesters. Any thread."""

    def __init__(self, book: Book) -> None:
        self._book = book

    def may_answer(self, asker: Asker, number: int) -> bool:
        """Return whether `asker` is asked about this ticket now."""
        with self._book.looking() as connection:
            row = connection.execute(sa.select(TICKETS).where(TICKETS.c.id == str(number))).first()
        return row is not None and _is_asked(row, asker, self._book.now())

    def own(self, asker: Asker, number: int) -> int | None:
        """Return what `asker` answered; None: nothing yet."""
        mine = (ANSWERS.c.id == str(number), ANSWERS.c.person == asker.doer.id)
        with self._book.looking() as connection:
            return connection.execute(sa.select(ANSWERS.c.score).where(*mine)).scalar()

    def answer(self, asker: Asker, number: int, score: int, text: str = "") -> None:
        """Note an answer, 1 to 5, or another one in its place. Raises `CommunityRefused`."""
        if not 1 <= score <= BEST or len(text) > MOST_TEXT:
            raise CommunityRefused(message("community.refused.field"))
        with self._book.writing() as writing:
            query = sa.select(TICKETS).where(TICKETS.c.id == str(number))
            row = writing.connection.execute(query).first()
            if row is None or not _is_asked(row, asker, writing.at):
                raise CommunityRefused(message("community.refused.step"))
            values: dict[str, str | int | None] = {"ticket": str(number), "person": asker.doer.id}
            kept = writing.keep(text.strip(), str(asker.doer)) if text.strip() else None
            values |= {"score": score, "text": kept, "at": writing.at}
            answered = Change(ANSWERS, str(number), values)
            writing.enter(asker.doer, "ticket.answered", f"ticket:{number}", answered)

    def satisfaction(self, since: int = 0, until: int | None = None) -> Satisfaction:
        """Return how many were satisfied with what was done since a moment, and before another."""
        before = self._book.now() + 1 if until is None else until
        states = TICKETS.c.state.in_([state.value for state in DONE])
        done = (states, TICKETS.c.ended_at >= since, TICKETS.c.ended_at < before)
        by_person = TICKETS.c.requester.is_not(None)
        with self._book.looking() as connection:
            asked = sa.select(sa.func.count()).select_from(TICKETS).where(*done, by_person)
            # As a query within the query: the tickets of some years are more values than a statement takes.
            theirs = ANSWERS.c.ticket.in_(sa.select(TICKETS.c.id).where(*done, by_person))
            scores = connection.execute(sa.select(ANSWERS.c.score).where(theirs)).scalars()
            return _summed(int(connection.execute(asked).scalar_one()), list(scores))


def wilson(good: int, count: int) -> tuple[int, int]:
    """Return the 95 % Wilson interval of a share, in whole percent, outwards."""
    share, squared = good / count, Z * Z
    middle = share + squared / (2 * count)
    reach = Z * math.sqrt(share * (1 - share) / count + squared / (4 * count * count))
    low, high = ((middle + sign * reach) / (1 + squared / count) for sign in (-1, 1))
    return math.floor(100 * low), math.ceil(100 * high)


def _summed(asked: int, scores: Sequence[int]) -> Satisfaction:
    if len(scores) < LEAST_SHOWN:
        return Satisfaction(asked, len(scores), None, None, None)
    good = sum(score >= GOOD for score in scores)
    return Satisfaction(asked, len(scores), round(100 * good / len(scores)), *wilson(good, len(scores)))


def _is_asked(row: sa.Row[tuple[object, ...]], asker: Asker, now: int) -> bool:
    is_done = row.state in {state.value for state in DONE} and row.ended_at is not None
    is_theirs = asker.doer.kind == "person" and row.requester == asker.doer.id
    return is_done and is_theirs and now - row.ended_at <= ASKED_DAYS * DAY
