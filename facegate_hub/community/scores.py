"""The property's work month by month, by one published method. A person is never scored.

Method 1. A month has what happened between its first and last midnight in the compound's time. *In time*: of
the promised times that were met or broken in the month, the share met before they were due. *Satisfied*: of
the answers about tickets that ended in the month, the share of 4 and 5, with its 95 % Wilson interval, from
five answers on; the response rate is answers out of tickets asked about. A changed method gets a new number.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from facegate_hub.community.machine import TicketAct, TicketState
from facegate_hub.community.schema import CLOCKS, LEDGER, TICKETS
from facegate_hub.community.surveys import Surveys
from facegate_hub.community.ticket_clocks import ANSWER, DONE

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from facegate_hub.community.book import Book
    from facegate_hub.community.surveys import Satisfaction
    from facegate_hub.community.terms import Terms

METHOD = 1
MONTHS = 12


@dataclass(frozen=True, slots=True)
class KeptPromises:
    """Promised times of a month: how many were met or broken, and how many of them were met in time."""

    all: int
    in_time: int

    @property
    def percent(self) -> int | None:
        """The share in time, rounded down; None for none."""
        return 100 * self.in_time // self.all if self.all else None


@dataclass(frozen=True, slots=True)
class MonthScore:
    """One month, as 2026-03; the first of all is still going on."""

    month: str
    opened: int
    answer: KeptPromises
    done: KeptPromises
    reopened: int
    silent: int
    rating: Satisfaction

    @property
    def response_percent(self) -> int | None:
        """Answers out of tickets asked about; None when nobody was asked."""
        return 100 * self.rating.answered // self.rating.asked if self.rating.asked else None


def read_scores(book: Book, terms: Terms) -> list[MonthScore]:
    """Return the scores as they are now."""
    here = datetime.fromtimestamp(book.now(), UTC).astimezone(terms.zone)
    surveys, found = Surveys(book), []
    with book.looking() as connection:
        begun = connection.execute(sa.select(sa.func.min(LEDGER.c.at))).scalar()
    for back in range(MONTHS):
        first, last = _month(here, -back), _month(here, 1 - back)
        begins, ends = int(first.timestamp()), int(last.timestamp())
        if begun is None or ends <= begun:
            break
        rating = surveys.satisfaction(begins, ends)
        with book.looking() as connection:
            found.append(_score(connection, f"{first:%Y-%m}", (begins, ends), rating))
    return found


def _month(here: datetime, more: int) -> datetime:
    """Return the first midnight of the month so many months on."""
    months = here.year * 12 + here.month - 1 + more
    return datetime(months // 12, months % 12 + 1, 1, tzinfo=here.tzinfo)


def _score(connection: Connection, month: str, span: tuple[int, int], rating: Satisfaction) -> MonthScore:
    def count(table: sa.Table, *conditions: sa.ColumnElement[bool]) -> int:
        return int(
            connection.execute(sa.select(sa.func.count()).select_from(table).where(*conditions)).scalar_one()
        )

    def within(column: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        return column.between(span[0], span[1] - 1)

    def kept(kind: str) -> KeptPromises:
        # A broken promise counts in the month in which it was due, whenever the work was done after all.
        settled = sa.func.coalesce(CLOCKS.c.breached_at, CLOCKS.c.met_at)
        mine = (CLOCKS.c.kind == kind, within(settled))
        return KeptPromises(count(CLOCKS, *mine), count(CLOCKS, *mine, CLOCKS.c.breached_at.is_(None)))

    silent = (TICKETS.c.state == TicketState.SILENT.value, within(TICKETS.c.ended_at))
    reopened = (LEDGER.c.kind == f"ticket.{TicketAct.REOPEN.value}", within(LEDGER.c.at))
    return MonthScore(
        month=month,
        opened=count(TICKETS, within(TICKETS.c.opened_at)),
        answer=kept(ANSWER),
        done=kept(DONE),
        reopened=count(LEDGER, *reopened),
        silent=count(TICKETS, *silent),
        rating=rating,
    )
