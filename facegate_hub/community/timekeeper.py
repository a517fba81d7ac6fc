"""What time does to tickets: records broken promises, escalates late tickets, ends those without an answer.

The property cannot switch this off. Several processes may run it at once: each reads and writes within one
commit, so nothing is done twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from facegate_hub.community.book import SYSTEM, Change
from facegate_hub.community.machine import OPEN, Part, TicketAct, TicketState
from facegate_hub.community.notices import Notices
from facegate_hub.community.parts import COMMITTEE_LEVEL, Asker
from facegate_hub.community.schema import CLOCKS, TICKETS
from facegate_hub.community.stepping import Stepping
from facegate_hub.community.ticket_clocks import TicketClock
from facegate_hub.community.ticket_row import ticket_of
from facegate_hub.looking import LookingThread

if TYPE_CHECKING:
    from facegate_hub.community.book import Book, Writing
    from facegate_hub.community.terms import Terms

LOOK_SECONDS = 30.0
DAY = 86_400


def pass_time(book: Book, terms: Terms) -> int:
    """Write down what became of time up to now, and return how many entries that took."""
    with book.writing() as writing:
        return _break_promises(writing, terms) + _fall_silent(writing, terms)


class Timekeeper(LookingThread):
    """Does so from a thread of its own; a database that fails is asked again."""

    def __init__(self, book: Book, terms: Terms) -> None:
        self._book = book
        self._terms = terms
        super().__init__("timekeeper", LOOK_SECONDS, "the time of tickets could not be looked at")

    def look(self) -> None:
        """Let time pass, and forget who read what long ago."""
        pass_time(self._book, self._terms)
        Notices(self._book).forget_reads()


def _break_promises(writing: Writing, terms: Terms) -> int:
    late = sa.select(CLOCKS).where(CLOCKS.c.met_at.is_(None), CLOCKS.c.due_at < writing.at)
    count = 0
    for row in writing.connection.execute(late.order_by(CLOCKS.c.due_at, CLOCKS.c.id)).all():
        clock = TicketClock(**row._mapping)  # noqa: SLF001 - SQLAlchemy's documented name
        found = writing.connection.execute(sa.select(TICKETS).where(TICKETS.c.id == clock.ticket)).first()
        # A clock without its ticket is damage, which `verify` tells of: the other tickets' time goes on.
        if found is None or (ticket := ticket_of(found)).state not in OPEN:
            continue
        if clock.breached_at is None:
            broken = Change(CLOCKS, clock.id, {"breached_at": clock.due_at})
            climbed = Change(TICKETS, ticket.id, {"level": max(1, ticket.level)})
            say = {"clock": clock.kind, "due": clock.due_at}
            writing.enter(SYSTEM, "ticket.breached", f"ticket:{ticket.id}", broken, climbed, **say)
            count += 1
        again = terms.hours(clock.hours).after(clock.due_at or 0, clock.seconds)
        if ticket.level < COMMITTEE_LEVEL and again is not None and again < writing.at:
            climbed = Change(TICKETS, ticket.id, {"level": COMMITTEE_LEVEL})
            writing.enter(SYSTEM, "ticket.climbed", f"ticket:{ticket.id}", climbed, clock=clock.kind)
            count += 1
    return count


def _fall_silent(writing: Writing, terms: Terms) -> int:
    old = writing.at - terms.silent_days * DAY
    quiet = (TICKETS.c.state == TicketState.RESOLVED.value, TICKETS.c.resolved_at <= old)
    rows = writing.connection.execute(sa.select(TICKETS).where(*quiet).order_by(TICKETS.c.number)).all()
    for row in rows:
        stepping = Stepping(writing, terms, ticket_of(row), Asker(SYSTEM))
        stepping.take(frozenset({Part.TIME}), TicketAct.FALL_SILENT, {})
    return len(rows)
