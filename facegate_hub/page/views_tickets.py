"""A resident's tickets: their list, a new one, one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facegate_hub.community.duties import Side
from facegate_hub.community.machine import OPEN, TicketState
from facegate_hub.community.rings import RingState
from facegate_hub.web.ticket_pages import (
    number_of,
    picture,
    report_of,
    take_step,
    ticket_page,
)

if TYPE_CHECKING:
    from starlette.responses import Response

    from facegate_hub.web.asking import PageAsk


def home(ask: PageAsk) -> Response:
    """Return a resident's first page: what waits for them, what is open, what is done."""
    assert ask.person is not None  # noqa: S101 - the table lets nobody else in
    lines = ask.office.tickets.of_person(ask.person.id)
    mine = [line for line in lines if line.ticket.requester == ask.person.id]
    waits = [line for line in mine if line.ticket.state is TicketState.RESOLVED]
    still_open = [line for line in lines if line.ticket.state in OPEN and line not in waits]
    done = [line for line in lines if line.ticket.state not in OPEN]
    notices = ask.office.notices.for_person(ask.person.id)
    mine_now = {"waits": waits, "open": still_open, "done": done[:20]}
    ringing = [one for one in ask.office.rings.of_flats(ask.person.flats) if one.state is RingState.RINGING]
    return ask.page("home.html", person=ask.person, notices=notices, lists=mine_now, ringing=ringing)


def new(ask: PageAsk) -> Response:
    """Return the form of a new ticket; show what is alike; or open it."""
    assert ask.person is not None  # noqa: S101 - the table lets nobody else in
    flats = ask.person.flats
    staff = [one.name for one in ask.office.accounts.all() if one.side is Side.PROPERTY]
    if ask.request.method == "GET":
        return ask.page("new.html", flats=flats, staff=staff, given={}, alike=[])
    flat = ask.form.get("flat") or (flats[0] if flats else None)
    report = report_of(ask, flat, ask.person.id)
    alike = [] if ask.form.get("anyway") else ask.office.tickets.alike(ask.asker, report)
    if alike:
        return ask.page("new.html", flats=flats, staff=staff, given=ask.form, alike=alike)
    number, _ = ask.once(lambda: ask.office.tickets.report(ask.asker, report))
    return ask.to(f"/tickets/{number}")


def ticket(ask: PageAsk) -> Response:
    """Return one ticket with every step."""
    number = number_of(ask)
    sheet = ask.office.tickets.sheet(ask.asker, number)
    surveys = ask.office.surveys
    question = (surveys.own(ask.asker, number) or 0) if surveys.may_answer(ask.asker, number) else None
    return ticket_page(ask, sheet, "/tickets", question)


def step(ask: PageAsk) -> Response:
    """Take a step."""
    return take_step(ask, "/tickets")


def answer(ask: PageAsk) -> Response:
    """Note how somebody found the work."""
    number, score = number_of(ask), ask.form.get("score", "")
    given = int(score) if score in {"1", "2", "3", "4", "5"} else 0
    ask.office.surveys.answer(ask.asker, number, given, ask.form.get("text", ""))
    return ask.to(f"/tickets/{number}")


def photo(ask: PageAsk) -> Response:
    """Return a picture of a ticket."""
    return picture(ask)
