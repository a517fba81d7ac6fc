"""What everybody may see: how many tickets there are in which state, how old, how often a promise was broken.

Counts of all tickets; texts only of those whose requester chose to show them to everybody.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from facegate_hub.community.machine import DONE, OPEN, Audience, TicketState
from facegate_hub.community.schema import CLOCKS, LEDGER, TICKETS
from facegate_hub.community.ticket_row import ticket_of

if TYPE_CHECKING:
    from facegate_hub.community.book import Book
    from facegate_hub.community.ticket_row import Ticket

DAY = 86_400
PUBLIC_LINES = 30
LEAST_DIGITS = 12
"""Of an entry's hash on a receipt."""


@dataclass(frozen=True, slots=True)
class Wall:
    """Counts over all tickets. Ages are days of those that are open."""

    by_state: tuple[tuple[TicketState, int], ...]
    by_category: tuple[tuple[str, int, int], ...]
    """Category, open, all."""
    open: int
    confirmed: int
    silent: int
    declined: int
    reopened: int
    oldest_days: int
    promises: int
    """Clocks that are met or broken."""
    broken: int
    public: tuple[tuple[Ticket, str], ...]


def read_wall(book: Book) -> Wall:
    """Return the wall as it is now."""
    now = book.now()
    with book.looking() as connection:
        tickets = [ticket_of(row) for row in connection.execute(sa.select(TICKETS))]
        settled = sa.or_(CLOCKS.c.met_at.is_not(None), CLOCKS.c.breached_at.is_not(None))
        promises = connection.execute(
            sa.select(sa.func.count()).select_from(CLOCKS).where(settled)
        ).scalar_one()
        late = CLOCKS.c.breached_at.is_not(None)
        broken = connection.execute(sa.select(sa.func.count()).select_from(CLOCKS).where(late)).scalar_one()
        shown = sorted((one for one in tickets if one.audience is Audience.ALL), key=lambda one: -one.number)
        texts = book.texts(connection, {one.text for one in shown[:PUBLIC_LINES]})
    states = Counter(one.state for one in tickets)
    still_open = [one for one in tickets if one.state in OPEN]
    in_category = Counter(one.category for one in tickets)
    open_in = Counter(one.category for one in still_open)
    return Wall(
        by_state=tuple((state, states[state]) for state in TicketState if states[state]),
        by_category=tuple((name, open_in[name], count) for name, count in in_category.most_common()),
        open=len(still_open),
        confirmed=states[TicketState.CONFIRMED],
        silent=states[TicketState.SILENT],
        declined=states[TicketState.DECLINED],
        reopened=sum(one.reopened > 0 for one in tickets),
        oldest_days=max(((now - one.opened_at) // DAY for one in still_open), default=0),
        promises=int(promises),
        broken=int(broken),
        public=tuple((one, texts.get(one.text, "")) for one in shown[:PUBLIC_LINES]),
    )


def share_done_silently(wall: Wall) -> int:
    """Return how many percent of what is done nobody confirmed; 0 while nothing is."""
    done = sum(count for state, count in wall.by_state if state in DONE)
    return round(100 * wall.silent / done) if done else 0


def receipt_holds(book: Book, seq: int, digits: str) -> bool:
    """Return whether an entry of this number has a hash that begins so (12 hex digits or more)."""
    wanted = digits.strip().lower()
    if len(wanted) < LEAST_DIGITS:
        return False
    with book.looking() as connection:
        found = connection.execute(sa.select(LEDGER.c.hash).where(LEDGER.c.seq == seq)).scalar()
    return found is not None and found.startswith(wanted)
