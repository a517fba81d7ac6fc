"""Turns faults that doors report about themselves into tickets: one open ticket for each door and rule.

The door is the requester. When it reports that all is well again, a ticket that nobody has begun is
withdrawn, one in progress gets an entry, and a resolved one is confirmed. No event of a resident and no alarm
gets here: `facegate_hub.fault_watch` has the list of kinds.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from edge.words import LANGUAGES, say
from facegate_hub.community.book import SYSTEM, Change
from facegate_hub.community.doors import called_doors
from facegate_hub.community.machine import (
    OPEN,
    Audience,
    TicketAct,
    TicketKind,
    TicketState,
)
from facegate_hub.community.parts import Asker
from facegate_hub.community.schema import FAULTS, TICKETS
from facegate_hub.community.tickets import Report, Tickets, TicketWish

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Connection

    from facegate_hub.community.book import Book, Writing
    from facegate_hub.community.terms import Terms

DOOR = Asker(SYSTEM)
MOST_KEY = 80
WRITTEN_IN = tuple(reversed(LANGUAGES))
"""The languages of a fault's ticket, a line each: the book keeps one text for readers of all of them."""


@dataclass(frozen=True, slots=True)
class DoorFault:
    """What is known of one door and rule: `ticket` is the number of the newest one."""

    door: str
    rule: str
    ticket: int
    is_open: bool
    since: int


class Faults:
    """Keeps one ticket for each fault. One thread."""

    def __init__(self, book: Book, terms: Terms) -> None:
        self.book = book
        self._tickets = Tickets(book, terms)

    def all(self) -> list[DoorFault]:
        """Return what doors told of themselves, by door."""
        with self.book.looking() as connection:
            rows = connection.execute(sa.select(FAULTS).order_by(FAULTS.c.id))
            return [
                DoorFault(row.door, row.rule, int(row.ticket), row.state == "open", row.since) for row in rows
            ]

    def update(self, faulty: Mapping[tuple[str, str], bool]) -> int:
        """Take what is faulty now, by (door, rule); return how many tickets were opened or moved on.

        What is not named is as it was.
        """
        known = {(one.door, one.rule): one for one in self.all()}
        moved = 0
        for (door, rule), is_faulty in sorted(faulty.items()):
            old = known.get((door, rule))
            if is_faulty and (old is None or not old.is_open):
                self._open(door, rule, old)
                moved += 1
            elif not is_faulty and old is not None and old.is_open:
                with self.book.writing() as writing:
                    _set(writing, door, rule, old.ticket, "cleared")
                moved += 1
        return moved + self._settle()

    def _open(self, door: str, rule: str, old: DoorFault | None) -> None:
        name = called_doors(self.book).get(door, door)
        told = ((language, _told(rule, language)) for language in WRITTEN_IN)
        text = "\n".join(say("community.pair", language, name=name, what=what) for language, what in told)
        report = Report(TicketKind.FAULT, "door", text, place=name, audience=Audience.ALL)
        # One commit: a ticket that no line of a fault names would stay open for ever, beside a second one.
        with self.book.writing() as writing:
            # Faulty again while the ticket is still open: the same ticket goes on.
            if old is not None and _state(writing.connection, old.ticket) in OPEN:
                number = old.ticket
            else:
                number = self._tickets.open_in(writing, DOOR, report)
            _set(writing, door, rule, number, "open")

    def _settle(self) -> int:
        """End what is resolved or was never begun where the door says that all is well."""
        moved = 0
        for one in self.all():
            state = None if one.is_open else self._state(one.ticket)
            if state is TicketState.RESOLVED:
                self._tickets.take(DOOR, one.ticket, TicketWish(TicketAct.CONFIRM))
            elif state in {TicketState.NEW, TicketState.ASSIGNED}:
                self._tickets.take(DOOR, one.ticket, TicketWish(TicketAct.WITHDRAW))
            else:
                continue
            moved += 1
        return moved

    def _state(self, number: int) -> TicketState | None:
        with self.book.looking() as connection:
            return _state(connection, number)


def _state(connection: Connection, number: int) -> TicketState | None:
    state = connection.execute(sa.select(TICKETS.c.state).where(TICKETS.c.id == str(number))).scalar()
    return None if state is None else TicketState(state)


def _set(writing: Writing, door: str, rule: str, ticket: int, state: str) -> None:
    values: dict[str, str | int | None] = {"door": door, "rule": rule, "ticket": str(ticket)}
    values |= {"state": state, "since": writing.at}
    changed = Change(FAULTS, _fault_id(door, rule), values)
    kind = "ticket.faulty" if state == "open" else "ticket.cleared"
    writing.enter(SYSTEM, kind, f"ticket:{ticket}", changed, rule=rule)


def _fault_id(door: str, rule: str) -> str:
    """Return the key of a door's rule; PostgreSQL refuses one that is wider than its column."""
    key = f"{door}:{rule}"
    return key if len(key) <= MOST_KEY else f"{hashlib.sha256(door.encode()).hexdigest()[:32]}:{rule}"


def _told(rule: str, language: str) -> str:
    """Return what is wrong: a part of the door that has a fault, or what stands for itself (`door.away`)."""
    what = say(f"community.rule.{rule}", language)
    return say("community.part_faulty", language, part=what) if rule.startswith("health.") else what


def in_own_language(kind: TicketKind, text: str, language: str) -> str:
    """Return of a ticket's text what its reader is shown: of a fault the line in their language."""
    lines = text.split("\n")
    if kind is not TicketKind.FAULT or len(lines) != len(WRITTEN_IN):
        return text
    return lines[WRITTEN_IN.index(language)]
