"""The promised times of a ticket: begun, stopped, gone on, met. What was broken stays broken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from facegate_hub.community.book import Change
from facegate_hub.community.schema import CLOCKS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

    from facegate_hub.community.book import Writing
    from facegate_hub.community.terms import Terms
    from facegate_hub.community.ticket_row import Ticket

ANSWER, DONE = "answer", "done"


@dataclass(frozen=True, slots=True)
class TicketClock:
    """One promise: `due_at` is None while it stands still, with `left` seconds to go."""

    id: str
    ticket: str
    kind: str
    hours: str
    seconds: int
    left: int | None
    begun_at: int
    due_at: int | None
    met_at: int | None
    breached_at: int | None

    @property
    def round(self) -> int:
        """How often the ticket had been taken up again when it began."""
        return int(self.id.rpartition(":")[2])

    @property
    def is_running(self) -> bool:
        """Whether it is neither met nor standing still."""
        return self.met_at is None and self.due_at is not None


def begin_clocks(writing: Writing, terms: Terms, ticket: Ticket, round_: int = 0) -> list[Change]:
    """Return the clocks of a new ticket, or in a later round the one that is done again."""
    promised = terms.promised(ticket.kind, ticket.urgency)
    changes = []
    # Who opens a ticket again has had an answer.
    for kind in (ANSWER, DONE) if round_ == 0 else (DONE,):
        promise = promised[kind]
        due = terms.hours(promise.hours).after(writing.at, promise.seconds)
        values: dict[str, str | int | None] = {"ticket": ticket.id, "kind": kind, "hours": promise.hours}
        values |= {"seconds": promise.seconds, "begun_at": writing.at, "due_at": due}
        changes.append(Change(CLOCKS, f"{ticket.id}:{kind}:{round_}", values))
    return changes


def clocks_of(connection: Connection, tickets: Sequence[str]) -> list[TicketClock]:
    """Return the clocks of some tickets, in order."""
    query = sa.select(CLOCKS).where(CLOCKS.c.ticket.in_(tickets)).order_by(CLOCKS.c.begun_at, CLOCKS.c.id)
    return [TicketClock(**row._mapping) for row in connection.execute(query)]  # noqa: SLF001 - documented


def meet(clocks: Sequence[TicketClock], kinds: set[str], at: int) -> list[Change]:
    """Return what meets the clocks of these kinds now; one that is late is broken, and stays so."""
    changes = []
    for clock in clocks:
        if clock.kind in kinds and clock.met_at is None:
            is_late = clock.due_at is not None and clock.due_at < at
            broken = {"breached_at": clock.due_at} if is_late and clock.breached_at is None else {}
            changes.append(Change(CLOCKS, clock.id, {"met_at": at, **broken}))
    return changes


def stop(clocks: Sequence[TicketClock], terms: Terms, at: int) -> list[Change]:
    """Return what lets the running clocks stand still."""
    return [
        Change(
            CLOCKS,
            clock.id,
            {"due_at": None, "left": _left(clock, terms, at), **_broken(clock, at)},
        )
        for clock in clocks
        if clock.is_running
    ]


def go_on(clocks: Sequence[TicketClock], terms: Terms, at: int) -> list[Change]:
    """Return what lets standing clocks go on with the time they had left."""
    return [
        Change(
            CLOCKS, clock.id, {"due_at": terms.hours(clock.hours).after(at, clock.left or 0), "left": None}
        )
        for clock in clocks
        if clock.met_at is None and clock.due_at is None and clock.left is not None
    ]


def _left(clock: TicketClock, terms: Terms, at: int) -> int:
    return terms.hours(clock.hours).open_seconds(at, clock.due_at or at)


def _broken(clock: TicketClock, at: int) -> dict[str, str | int | None]:
    is_late = clock.due_at is not None and clock.due_at < at and clock.breached_at is None
    return {"breached_at": clock.due_at} if is_late else {}
