"""The desk's tickets: what is to be done, one of them, a new one for somebody who came by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facegate_hub.community.machine import ENDED, OPEN, TicketState
from facegate_hub.web.ticket_pages import (
    number_of,
    picture,
    report_of,
    take_step,
    ticket_page,
)
from facegate_hub.web.ticket_turn import left_by

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.responses import Response

    from facegate_hub.web.asking import PageAsk

MOST_SHOWN = 100
"""Tickets of a page."""
MOST_COUNTED = 100
"""What is beyond is told by a sign."""
SHOWN = {
    "open": OPEN,
    "new": frozenset({TicketState.NEW, TicketState.REOPENED, TicketState.APPEALED}),
    "working": frozenset({TicketState.ASSIGNED, TicketState.WORKING, TicketState.WAITING}),
    "resolved": frozenset({TicketState.RESOLVED}),
    "ended": ENDED,
}


def home(ask: PageAsk) -> Response:
    """Return the first page of whoever logged in."""
    if ask.may("tickets"):
        return ask.to("/tickets")
    return ask.to("/accounts" if ask.may("accounts") else "/counts")


def tickets(ask: PageAsk) -> Response:
    """Return tickets: what is late first, then what is due next."""
    wish = ask.request.query_params.get("show", "open")
    show = wish if wish in SHOWN else "open"
    skip = _skipped(ask.request.query_params.get("after", ""))
    in_order = ask.office.tickets.lines if show == "ended" else ask.office.tickets.urgent
    lines = in_order(ask.asker, SHOWN[show], MOST_SHOWN + 1, skip)
    then = skip + MOST_SHOWN if len(lines) > MOST_SHOWN else 0
    lines = lines[:MOST_SHOWN]
    counts = {name: _shown_count(ask, states) for name, states in SHOWN.items()}
    left = left_by(ask, (line.ticket for line in lines))
    return ask.page("tickets.html", lines=lines, show=show, counts=counts, left=left, then=then)


def _skipped(text: str) -> int:
    """Return how many tickets stand on the pages before; what makes no sense is the first page."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 0


def _shown_count(ask: PageAsk, states: Iterable[TicketState]) -> str:
    """Return how many tickets are in a list, as far as anybody wants to know."""
    count = ask.office.tickets.count(ask.asker, states, MOST_COUNTED + 1)
    return f"{MOST_COUNTED}+" if count > MOST_COUNTED else str(count)


def ticket(ask: PageAsk) -> Response:
    """Return one ticket; that staff read a private complaint is entered."""
    number = number_of(ask)
    sheet = ask.office.tickets.sheet(ask.asker, number)
    ask.office.tickets.note_look(ask.asker, number)
    return ticket_page(ask, sheet, "/tickets")


def step(ask: PageAsk) -> Response:
    """Take a step."""
    return take_step(ask, "/tickets")


def photo(ask: PageAsk) -> Response:
    """Return a picture of a ticket."""
    return picture(ask)


def new(ask: PageAsk) -> Response:
    """Return the form for a ticket on somebody's behalf, or open it and show the slip."""
    if ask.request.method == "GET":
        return ask.page("new.html", accounts=_staff(ask))
    report = report_of(ask, ask.form.get("flat", "").strip() or None, None)
    number, code = ask.once(lambda: ask.office.tickets.report(ask.asker, report))
    return ask.page("slip_paper.html", number=number, code=code, url=f"{ask.office.url}/slip")


def _staff(ask: PageAsk) -> list[str]:
    return [account.name for account in ask.office.accounts.all() if account.state == "active"]
