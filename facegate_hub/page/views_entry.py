"""Getting in by an invitation, the own devices, and paper slips."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import CommunityRefused
from edge.words import LANGUAGES, message
from facegate_hub.community.entry import Arrival
from facegate_hub.web.passkey_pages import device_label
from facegate_hub.web.ticket_pages import number_of, wish_of
from facegate_hub.web.ticket_turn import last_words, what_next

if TYPE_CHECKING:
    from starlette.responses import Response

    from facegate_hub.community.tickets import TicketSheet
    from facegate_hub.web.asking import PageAsk


def enter(ask: PageAsk) -> Response:
    """Return the form for a code, or what the code invites to; neither uses anything up."""
    if ask.person is not None:
        return ask.to("/")
    if ask.request.method == "GET":
        return ask.page("enter.html", wrong="")
    if (waiting := ask.waiting()) is not None:
        return ask.page("enter.html", 429, wrong=waiting)
    code = ask.form.get("code", "")[:64]
    invitation = ask.office.invitations.look(code)
    if invitation is None:
        return ask.page("enter.html", 403, wrong=ask.tell(message("community.refused.code")))
    ask.office.logins.succeeded(ask.address)
    person = ask.office.register.one(invitation.person) if invitation.person else None
    return ask.page("accept.html", invitation=invitation, code=code, person=person)


def accept(ask: PageAsk) -> Response:
    """Use the code up and let the browser in."""
    if (waiting := ask.waiting()) is not None:
        return ask.page("enter.html", 429, wrong=waiting)
    arrival = Arrival(ask.form.get("name", ""), ask.language, device_label(ask))
    _, token = ask.office.invitations.accept(ask.form.get("code", "")[:64], arrival)
    ask.office.logins.succeeded(ask.address)
    return ask.enter(token, "/")


def me(ask: PageAsk) -> Response:
    """Return what is known of somebody: their flats, language and devices."""
    assert ask.person is not None  # noqa: S101 - the table lets nobody else in
    devices = ask.office.devices.all(ask.asker.doer)
    return ask.page(
        "me.html",
        person=ask.person,
        devices=devices,
        here=ask.device,
        looks=ask.office.register.looks(ask.person.id),
    )


def end_device(ask: PageAsk) -> Response:
    """Log one of the own devices out."""
    ask.office.devices.end(ask.asker.doer, ask.form.get("device", ""))
    return ask.to("/me")


def own_language(ask: PageAsk) -> Response:
    """Note the language that somebody wants to be told things in."""
    language = ask.form.get("language", "")
    if language not in LANGUAGES or ask.person is None:
        raise CommunityRefused(message("community.refused.field"))
    ask.office.register.change(ask.asker.doer, ask.person.id, language=language)
    return ask.to(f"/language/{language}?back=/me")


def leave(ask: PageAsk) -> Response:
    """Log this device out."""
    if ask.device is not None:
        ask.office.devices.end(ask.asker.doer, ask.device.id)
    return ask.leave("/enter")


def slip(ask: PageAsk) -> Response:
    """Return the form for a paper slip's number and code, or the ticket it is of."""
    if ask.request.method == "GET":
        return ask.page("slip.html", wrong="")
    if (waiting := ask.waiting()) is not None:
        return ask.page("slip.html", 429, wrong=waiting)
    number, code = ask.form.get("number", "").strip().lstrip("#"), ask.form.get("code", "")[:64]
    holder = (
        ask.office.tickets.by_slip(int(number), code) if number.isdecimal() and len(number) < 12 else None
    )
    if holder is None:
        return ask.page("slip.html", 403, wrong=ask.say("wrong_slip"))
    ask.office.logins.succeeded(ask.address)
    return _slip_page(ask, ask.office.tickets.sheet(holder, int(number)), code)


def slip_ticket(ask: PageAsk) -> Response:
    """Take the step that the holder of a slip asks for."""
    if ask.request.method == "GET":
        return ask.to("/slip")
    if (waiting := ask.waiting()) is not None:
        return ask.page("slip.html", 429, wrong=waiting)
    number, code = number_of(ask), ask.form.get("code", "")[:64]
    holder = ask.office.tickets.by_slip(number, code)
    if holder is None:
        return ask.page("slip.html", 403, wrong=ask.say("wrong_slip"))
    ask.office.logins.succeeded(ask.address)
    ask.office.tickets.take(holder, number, wish_of(ask))
    return _slip_page(ask, ask.office.tickets.sheet(holder, number), code)


def _slip_page(ask: PageAsk, sheet: TicketSheet, code: str) -> Response:
    next_ = what_next(ask, sheet)
    return ask.page("slip_ticket.html", sheet=sheet, code=code, next=next_, said=last_words(sheet))
