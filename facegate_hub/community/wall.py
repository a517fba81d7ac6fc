"""What everybody may see: how many tickets are in which state, how old they are, and how many promises broke.

All tickets are counted; texts are shown only where the requester chose to show them to everybody.
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

_COUNTED = sa.select(
    TICKETS.c.state,
    TICKETS.c.category,
    sa.func.count().label("tickets"),
    sa.func.sum(sa.case((TICKETS.c.reopened > 0, 1), else_=0)).label("reopened"),
    sa.func.min(TICKETS.c.opened_at).label("oldest"),
).group_by(TICKETS.c.state, TICKETS.c.category)
_PROMISES = (
    sa.select(sa.func.count(), sa.func.count(CLOCKS.c.breached_at))
    .select_from(CLOCKS)
    .where(sa.or_(CLOCKS.c.met_at.is_not(None), CLOCKS.c.breached_at.is_not(None)))
)
_PUBLIC = (
    sa.select(TICKETS)
    .where(TICKETS.c.audience == Audience.ALL.value)
    .order_by(TICKETS.c.number.desc())
    .limit(PUBLIC_LINES)
)


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
    """Return the wall as it is now; the database counts, only what is shown in words is read."""
    states, in_category, open_in = (Counter[str]() for _ in range(3))
    now, reopened, oldest = book.now(), 0, None
    with book.looking() as connection:
        for row in connection.execute(_COUNTED):
            states[row.state] += row.tickets
            in_category[row.category] += row.tickets
            reopened += row.reopened
            if row.state in OPEN:
                open_in[row.category] += row.tickets
                oldest = row.oldest if oldest is None else min(oldest, row.oldest)
        promises, broken = connection.execute(_PROMISES).one()
        shown = [ticket_of(row) for row in connection.execute(_PUBLIC)]
        texts = book.texts(connection, {one.text for one in shown})
    return Wall(
        by_state=tuple((state, states[state]) for state in TicketState if states[state]),
        by_category=tuple((name, open_in[name], count) for name, count in in_category.most_common()),
        open=open_in.total(),
        confirmed=states[TicketState.CONFIRMED],
        silent=states[TicketState.SILENT],
        declined=states[TicketState.DECLINED],
        reopened=reopened,
        oldest_days=0 if oldest is None else max(0, (now - oldest) // DAY),
        promises=int(promises),
        broken=int(broken),
        public=tuple((one, texts.get(one.text, "")) for one in shown),
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
