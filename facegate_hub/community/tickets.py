"""Tickets: every step checked against the machine, written with its entry, and seen by whose ticket it is."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.errors import CommunityRefused
from edge.web.accounts import new_code, plain_code
from edge.words import message
from facegate_hub.community.book import Change, Doer
from facegate_hub.community.duties import Right, may
from facegate_hub.community.flats import flat_called
from facegate_hub.community.machine import (
    OPEN,
    Audience,
    Part,
    TicketAct,
    TicketKind,
    TicketState,
    Urgency,
    steps,
)
from facegate_hub.community.parts import Asker, parts_in
from facegate_hub.community.photos import MOST_PHOTOS, clean_photo
from facegate_hub.community.schema import ACCOUNTS, CLOCKS, LEDGER, TICKETS, WATCHERS
from facegate_hub.community.shaming import require_no_debtor
from facegate_hub.community.stepping import Stepping
from facegate_hub.community.ticket_clocks import TicketClock, begin_clocks, clocks_of
from facegate_hub.community.ticket_row import Ticket, ticket_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy.engine import Connection

    from facegate_hub.community.book import Book, LedgerEntry, Writing
    from facegate_hub.community.terms import Terms

DAY = 86_400
MOST_TEXT = 4000
READ_ROWS = 200
"""At once: whoever may see most of them needs no more."""
CATEGORIES = (
    *("water", "power", "lift", "door", "common", "cleaning", "greenery"),
    *("parking", "noise", "animals", "security", "fees", "service", "other"),
)


@dataclass(frozen=True, slots=True)
class Report:
    """What is reported. `requester` is the person it is of; None: somebody without one, who gets a slip."""

    kind: TicketKind
    category: str
    text: str
    place: str = ""
    flat: str | None = None
    requester: str | None = None
    urgency: Urgency = Urgency.NORMAL
    audience: Audience = Audience.PRIVATE
    about: str | None = None
    linked: str | None = None
    photos: Sequence[bytes] = ()


@dataclass(frozen=True, slots=True)
class TicketStep:
    """One step as whoever reads it sees it: `text` is None without one, "" when it was erased."""

    seq: int
    at: int
    actor: str
    act: str
    say: Mapping[str, Any]
    text: str | None
    photos: tuple[str, ...]
    hash: str


@dataclass(frozen=True, slots=True)
class TicketSheet:
    """A ticket with its texts, steps and clocks, and what its reader may do now."""

    ticket: Ticket
    text: str
    place: str
    steps: tuple[TicketStep, ...]
    clocks: tuple[TicketClock, ...]
    parts: frozenset[Part]
    acts: tuple[TicketAct, ...]
    watchers: int = 0


MOST_MERGED = 20
"""Of tickets that were merged into another one, as many are named."""


@dataclass(frozen=True, slots=True)
class TicketLine:
    """A ticket in a list: `text` is None for a reader who may not see it."""

    ticket: Ticket
    text: str | None
    due_at: int | None
    is_late: bool


@dataclass(frozen=True, slots=True)
class TicketWish:
    """A step somebody wants to take, with what it needs."""

    act: TicketAct
    fields: Mapping[str, str] = field(default_factory=dict)
    photos: Sequence[bytes] = ()


class Tickets:
    """All tickets of a compound. Any thread."""

    def __init__(self, book: Book, terms: Terms) -> None:
        self._book = book
        self._terms = terms

    def report(self, asker: Asker, report: Report) -> tuple[int, str | None]:
        """Open a ticket; return its number, and the slip's code when staff wrote it down.

        Raises `CommunityRefused` for what is missing, too much for a day, or not theirs to report.
        """
        # Before the commit begins: decoding pictures takes long, and the book has one writer.
        photos = [clean_photo(photo) for photo in report.photos[:MOST_PHOTOS]]
        code = new_code() if asker.doer.kind == "account" else None
        with self._book.writing() as writing:
            return self.open_in(writing, asker, replace(report, photos=photos), code), code

    def open_in(self, writing: Writing, asker: Asker, report: Report, code: str | None = None) -> int:
        """Open a ticket within a commit and return its number; its photos are clean, `code` is its slip's."""
        if report.flat is not None:
            report = replace(report, flat=flat_called(writing.connection, report.flat))
        self._require_reportable(writing, asker, report)
        # The book has one writer at a time, so that two reports at once get two numbers.
        number = 1 + (writing.connection.execute(sa.select(sa.func.max(TICKETS.c.number))).scalar() or 0)
        identity = str(number)
        # Whose text it is: erasing the person erases it. On a paper slip nobody is known, so it goes with the
        # ticket.
        owner = f"person:{report.requester}" if report.requester else f"ticket:{identity}"
        row = _new_row(writing, report, asker, owner) | {"number": number}
        row["slip"] = slip_digest(identity, code) if code else None
        kept = [writing.keep(photo, owner) for photo in report.photos]
        clocks = begin_clocks(writing, self._terms, Ticket.of(identity, row))
        rows = (Change(TICKETS, identity, row), *clocks)
        writing.enter(asker.doer, "ticket.new", f"ticket:{identity}", *rows, text=row["text"], photos=kept)
        return number

    def take(self, asker: Asker, number: int, act: TicketWish) -> None:
        """Take a step. Raises `CommunityRefused` when it is not theirs, not now, or lacks something."""
        photos = [clean_photo(photo) for photo in act.photos[:MOST_PHOTOS]]
        with self._book.writing() as writing:
            ticket = _require(writing.connection, number)
            parts = parts_in(writing.connection, ticket, asker)
            Stepping(writing, self._terms, ticket, asker).take(parts, act.act, act.fields, photos)

    def sheet(self, asker: Asker, number: int) -> TicketSheet:
        """Return everything of one ticket that `asker` may see. Raises `CommunityRefused`: nothing."""
        with self._book.looking() as connection:
            ticket = _require(connection, number)
            parts = parts_in(connection, ticket, asker)
            if not parts:
                raise CommunityRefused(message("community.refused.ticket"))
            entries = self._book.entries(connection, f"ticket:{ticket.id}")
            texts = self._book.texts(connection, _marks(entries) | {ticket.text, ticket.place})
            clocks = tuple(clocks_of(connection, [ticket.id]))
            count = sa.select(sa.func.count()).where(WATCHERS.c.ticket == ticket.id)
            watchers = int(connection.execute(count).scalar_one())
        acts = tuple(dict.fromkeys(step.act for step in steps(ticket.state, parts)))
        taken = tuple(_step(entry, texts) for entry in entries)
        text, place = texts.get(ticket.text, ""), texts.get(ticket.place, "")
        return TicketSheet(ticket, text, place, taken, clocks, parts, acts, watchers)

    def merged(self, asker: Asker, number: int) -> list[int]:
        """Return the tickets that were merged into this one, as far as `asker` has a part in them."""
        into = sa.select(TICKETS).where(TICKETS.c.merged_into == str(number)).order_by(TICKETS.c.number)
        with self._book.looking() as connection:
            return [ticket.number for ticket in islice(_with_part(connection, asker, into), MOST_MERGED)]

    def lines(
        self, asker: Asker, states: Iterable[TicketState] = OPEN, most: int = 100, skip: int = 0
    ) -> list[TicketLine]:
        """Return tickets that `asker` has a part in after the first `skip`, the last changed first."""
        query = _in(states).order_by(TICKETS.c.changed_at.desc(), TICKETS.c.number.desc())
        with self._book.looking() as connection:
            return self._lined(
                connection, list(islice(_with_part(connection, asker, query), skip, skip + most))
            )

    def urgent(
        self, asker: Asker, states: Iterable[TicketState], most: int = 100, skip: int = 0
    ) -> list[TicketLine]:
        """Return tickets that `asker` has a part in after the first `skip`: what is late, then what is due.

        Sorted by the database, of all there are: by the last change the oldest ones, which are late, would
        be those that do not fit.
        """
        with self._book.looking() as connection:
            found = _with_part(connection, asker, _by_urgency(_in(states), self._book.now()))
            return self._lined(connection, list(islice(found, skip, skip + most)))

    def count(self, asker: Asker, states: Iterable[TicketState], most: int = 100) -> int:
        """Return how many tickets `asker` has a part in; counting ends at `most`."""
        with self._book.looking() as connection:
            return sum(1 for _ in islice(_with_part(connection, asker, _in(states)), most))

    def of_person(self, person: str) -> list[TicketLine]:
        """Return a person's own tickets and those they follow, the newest first."""
        followed = sa.select(WATCHERS.c.ticket).where(WATCHERS.c.person == person)
        mine = sa.or_(TICKETS.c.requester == person, TICKETS.c.id.in_(followed))
        with self._book.looking() as connection:
            rows = connection.execute(sa.select(TICKETS).where(mine).order_by(TICKETS.c.number.desc()))
            return self._lined(connection, [ticket_of(row) for row in rows])

    def alike(self, asker: Asker, report: Report) -> list[TicketLine]:
        """Return open tickets of the same kind and category that others have and `asker` may read."""
        same = (TICKETS.c.kind == report.kind.value, TICKETS.c.category == report.category)
        is_open = TICKETS.c.state.in_([state.value for state in OPEN])
        shared = TICKETS.c.audience.in_([Audience.BUILDING.value, Audience.ALL.value])
        with self._book.looking() as connection:
            rows = connection.execute(sa.select(TICKETS).where(*same, is_open, shared)).all()
            found = [ticket_of(row) for row in rows]
            # A reader and nothing else: their own tickets are no news to them.
            readable = [one for one in found if parts_in(connection, one, asker) == {Part.READER}]
            return self._lined(connection, readable[:3])

    def photo(self, asker: Asker, number: int, mark: str) -> bytes | None:
        """Return a picture of a ticket for somebody who may see the ticket."""
        if all(mark not in step.photos for step in self.sheet(asker, number).steps):
            return None
        with self._book.looking() as connection:
            return self._book.picture(connection, mark)

    def by_slip(self, number: int, code: str) -> Asker | None:
        """Return who the holder of a paper slip is; None for a wrong code."""
        with self._book.looking() as connection:
            row = connection.execute(sa.select(TICKETS.c.slip).where(TICKETS.c.id == str(number))).first()
        if row is None or row.slip is None:
            return None
        is_right = secrets.compare_digest(row.slip, slip_digest(str(number), code))
        return Asker(Doer("slip", str(number))) if is_right else None

    def note_look(self, asker: Asker, number: int) -> None:
        """Enter that staff read a private complaint, once a day for each: its requester sees it."""
        with self._book.writing() as writing:
            ticket = _require(writing.connection, number)
            if ticket.kind is not TicketKind.COMPLAINT or ticket.audience is not Audience.PRIVATE:
                return
            mine = (LEDGER.c.subject == f"ticket:{ticket.id}", LEDGER.c.kind == "ticket.looked")
            # Up to now: a look that was entered while the clock was ahead is none of today.
            lately = LEDGER.c.at.between(writing.at - DAY + 1, writing.at)
            recent = (LEDGER.c.actor == str(asker.doer), lately)
            if writing.connection.execute(sa.select(LEDGER.c.seq).where(*mine, *recent)).first() is None:
                writing.enter(asker.doer, "ticket.looked", f"ticket:{ticket.id}")

    def _lined(self, connection: Connection, tickets: list[Ticket]) -> list[TicketLine]:
        texts = self._book.texts(connection, {ticket.text for ticket in tickets})
        now, clocks = self._book.now(), clocks_of(connection, [ticket.id for ticket in tickets])
        lines = []
        for ticket in tickets:
            running = [one for one in clocks if one.ticket == ticket.id and one.due_at and not one.met_at]
            due = min((one.due_at for one in running if one.due_at), default=None)
            lines.append(TicketLine(ticket, texts.get(ticket.text), due, due is not None and due < now))
        return lines

    def _require_reportable(self, writing: Writing, asker: Asker, report: Report) -> None:
        text = report.text.strip()
        if not text or len(text) > MOST_TEXT or len(report.place) > 200:
            raise CommunityRefused(message("community.refused.text", most=MOST_TEXT))
        if report.category not in CATEGORIES or not _is_about_staff(writing.connection, report):
            raise CommunityRefused(message("community.refused.field"))
        # A door's own words are ours, and its name was looked at: no name may keep faults from being told.
        if report.audience is not Audience.PRIVATE and asker.doer.kind != "system":
            require_no_debtor(f"{report.place}\n{text}")
        if asker.doer.kind == "account":
            if not may(asker.duty, Right.REPORT):
                raise CommunityRefused(message("community.refused.not_yours"))
            return
        if asker.doer.kind != "system" and (
            report.requester != asker.doer.id or (report.flat is not None and report.flat not in asker.flats)
        ):
            raise CommunityRefused(message("community.refused.not_yours"))
        if asker.doer.kind != "system":
            self._require_few(writing, report)

    def _require_few(self, writing: Writing, report: Report) -> None:
        # Up to now and not beyond: what was reported while the clock was ahead is no report of today.
        lately = TICKETS.c.opened_at.between(writing.at - DAY + 1, writing.at)
        today = (TICKETS.c.requester == report.requester, lately)
        alike = (TICKETS.c.kind == report.kind.value, TICKETS.c.category == report.category)
        for conditions, most in (
            (today, self._terms.tickets_a_day),
            ((*today, *alike), self._terms.alike_a_day),
        ):
            count = sa.select(sa.func.count()).select_from(TICKETS).where(*conditions)
            if writing.connection.execute(count).scalar_one() >= most:
                raise CommunityRefused(message("community.refused.too_many", most=most))


def _in(states: Iterable[TicketState]) -> sa.Select[Any]:
    return sa.select(TICKETS).where(TICKETS.c.state.in_([state.value for state in states]))


def _by_urgency(query: sa.Select[Any], now: int) -> sa.Select[Any]:
    """Return a query of tickets in the order in which they are to be seen to."""
    running = (CLOCKS.c.ticket == TICKETS.c.id, CLOCKS.c.met_at.is_(None))
    due = sa.select(sa.func.min(CLOCKS.c.due_at)).where(*running).scalar_subquery()
    rank = sa.case((due < now, 0), (TICKETS.c.state != TicketState.RESOLVED.value, 1), else_=2)
    # What has no time goes behind everything that has one: 2**40 seconds are in the year 36812.
    return query.order_by(rank, sa.func.coalesce(due, 2**40), TICKETS.c.number)


def _with_part(connection: Connection, asker: Asker, query: sa.Select[Any]) -> Iterator[Ticket]:
    """Yield the tickets of a query that somebody has a part in; read in parts, as far as asked."""
    rows = connection.execute(query.execution_options(yield_per=READ_ROWS))
    return (ticket for ticket in map(ticket_of, rows) if parts_in(connection, ticket, asker))


def _is_about_staff(connection: Connection, report: Report) -> bool:
    """Return whether a report is about nobody, or a complaint about somebody who has an account."""
    if not report.about:
        return True
    known = (ACCOUNTS.c.id == report.about, ACCOUNTS.c.state != "ended")
    is_known = connection.execute(sa.select(ACCOUNTS.c.id).where(*known)).first() is not None
    return is_known and report.kind is TicketKind.COMPLAINT


def slip_digest(ticket: str, code: str) -> str:
    """Return what is stored of a slip's code."""
    return hashlib.sha256(f"{ticket}:{plain_code(code)}".encode()).hexdigest()


def _new_row(writing: Writing, report: Report, asker: Asker, owner: str) -> dict[str, Any]:
    return {
        "kind": report.kind.value,
        "category": report.category,
        "place": writing.keep(report.place.strip(), owner) if report.place.strip() else None,
        "flat": report.flat,
        "requester": report.requester,
        "via": asker.doer.id if asker.doer.kind == "account" else None,
        "about": report.about or None,
        "audience": report.audience.value,
        "state": TicketState.NEW.value,
        "urgency": report.urgency.value,
        "text": writing.keep(report.text.strip(), owner),
        "opened_at": writing.at,
        "changed_at": writing.at,
        "linked": report.linked,
        "appeals": 0,
        "reopened": 0,
        "level": 0,
    }


def _require(connection: Connection, number: int) -> Ticket:
    row = connection.execute(sa.select(TICKETS).where(TICKETS.c.id == str(number))).first()
    if row is None:
        raise CommunityRefused(message("community.refused.ticket"))
    return ticket_of(row)


def _marks(entries: list[LedgerEntry]) -> set[str]:
    return {entry.say["text"] for entry in entries if entry.say.get("text")}


def _step(entry: LedgerEntry, texts: Mapping[str, str]) -> TicketStep:
    mark = entry.say.get("text")
    return TicketStep(
        *(entry.seq, entry.at, entry.actor, entry.kind.removeprefix("ticket."), entry.say),
        *(texts.get(mark, "") if mark else None, tuple(entry.say.get("photos", ())), entry.hash),
    )
