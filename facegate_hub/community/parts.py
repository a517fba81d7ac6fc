"""Which roles somebody has in a ticket: the one place that decides who may read it and take which steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from facegate_hub.community.duties import Duty
from facegate_hub.community.machine import Audience, Part, TicketKind, TicketState
from facegate_hub.community.schema import FLATS, WATCHERS

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from facegate_hub.community.book import Doer
    from facegate_hub.community.ticket_row import Ticket

COMMITTEE_LEVEL = 2
"""From here on the committee sees a ticket."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: a person with their flats, an account with its duty, the holder of a slip, or time."""

    doer: Doer
    duty: Duty | None = None
    flats: frozenset[str] = frozenset()


def parts_in(connection: Connection, ticket: Ticket, asker: Asker) -> frozenset[Part]:
    """Return all roles that `asker` has in a ticket; with none they may not even see it."""
    match asker.doer.kind:
        case "person":
            return frozenset(_of_person(connection, ticket, asker))
        case "slip":
            return frozenset({Part.REQUESTER} if asker.doer.id == ticket.id else ())
        case "account":
            return frozenset(_of_account(ticket, asker))
        case "system":
            is_the_doors = ticket.kind is TicketKind.FAULT and ticket.requester is None
            return frozenset({Part.TIME, Part.REQUESTER} if is_the_doors else {Part.TIME})
    return frozenset()


def _of_person(connection: Connection, ticket: Ticket, asker: Asker) -> set[Part]:
    found: set[Part] = set()
    if ticket.requester == asker.doer.id:
        found.add(Part.REQUESTER)
    mine = (WATCHERS.c.ticket == ticket.id, WATCHERS.c.person == asker.doer.id)
    if connection.execute(sa.select(WATCHERS.c.id).where(*mine)).first() is not None:
        found.add(Part.FOLLOWER)
    # Only somebody without another role is a reader: "me too" is offered to readers alone.
    if not found and _may_read(connection, ticket, asker):
        found.add(Part.READER)
    return found


def _may_read(connection: Connection, ticket: Ticket, asker: Asker) -> bool:
    match ticket.audience:
        case Audience.ALL:
            return bool(asker.flats)
        case Audience.FLAT:
            return ticket.flat in asker.flats
        case Audience.BUILDING:
            same = sa.select(FLATS.c.building).where(FLATS.c.id == ticket.flat).scalar_subquery()
            mine = sa.select(FLATS.c.id).where(FLATS.c.id.in_(asker.flats), FLATS.c.building == same)
            return connection.execute(mine).first() is not None
        case Audience.PRIVATE:
            return False


def _of_account(ticket: Ticket, asker: Asker) -> set[Part]:
    """Return the roles of an account. Nobody has a role in a complaint about themselves."""
    name = asker.doer.id
    found: set[Part] = set()
    if ticket.about == name:
        return found
    if ticket.assignee == name:
        found.add(Part.ASSIGNEE)
    # A private complaint about somebody is the manager's; the desk sees it if it wrote it down itself.
    is_kept_from_desk = (
        ticket.kind is TicketKind.COMPLAINT
        and ticket.about is not None
        and ticket.audience is Audience.PRIVATE
        and ticket.via != name
    )
    match asker.duty:
        case Duty.DESK if not is_kept_from_desk:
            found.add(Part.DESK)
        case Duty.MANAGER:
            found.add(Part.MANAGER)
        case Duty.GUARD if ticket.via == name:
            found.add(Part.WRITER)
        case Duty.COMMITTEE if _has_climbed(ticket):
            found.add(Part.COMMITTEE)
    return found


def _has_climbed(ticket: Ticket) -> bool:
    return ticket.level >= COMMITTEE_LEVEL or ticket.appeals > 0 or ticket.state is TicketState.APPEALED
