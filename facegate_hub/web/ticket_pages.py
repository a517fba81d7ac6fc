"""What both sides do with tickets on a page: read a form, show a sheet, hand out a picture."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.responses import Response

from edge.errors import CommunityRefused
from edge.words import message
from facegate_hub.community.dossier import may_have_dossier
from facegate_hub.community.duties import Duty
from facegate_hub.community.machine import (
    ENDED,
    Audience,
    Cause,
    DeclineReason,
    TicketAct,
    TicketKind,
    Urgency,
    WaitWhy,
)
from facegate_hub.community.stepping import WORKERS
from facegate_hub.community.tickets import CATEGORIES, Report, TicketWish
from facegate_hub.web.ticket_turn import aside_of, last_words, left_by, turn_of, what_next

if TYPE_CHECKING:
    from facegate_hub.community.tickets import TicketSheet
    from facegate_hub.web.asking import PageAsk

REPORTED = tuple(kind for kind in TicketKind if kind is not TicketKind.FAULT)
"""Kinds that people choose; doors report faults themselves."""

CHOICES = {
    "kinds": REPORTED,
    "categories": CATEGORIES,
    "urgencies": tuple(Urgency),
    "audiences": tuple(Audience),
    "whys": tuple(WaitWhy),
    "causes": tuple(Cause),
    "reasons": tuple(DeclineReason),
}

E = TypeVar("E", bound=StrEnum)


def chosen(kind: type[E], value: str, otherwise: E) -> E:
    """Return the member of a list that a form names. Raises `CommunityRefused` for another value."""
    if not value:
        return otherwise
    if value not in set(kind):
        raise CommunityRefused(message("community.refused.field"))
    return kind(value)


def report_of(ask: PageAsk, flat: str | None, requester: str | None) -> Report:
    """Return the report that a form holds."""
    form = ask.form
    kind = chosen(TicketKind, form.get("kind", ""), TicketKind.REPAIR)
    if kind not in REPORTED:
        raise CommunityRefused(message("community.refused.field"))
    return Report(
        kind,
        form.get("category", "other"),
        form.get("text", ""),
        form.get("place", ""),
        flat=flat,
        requester=requester,
        urgency=chosen(Urgency, form.get("urgency", ""), Urgency.NORMAL),
        audience=chosen(Audience, form.get("audience", ""), Audience.PRIVATE),
        about=form.get("about") or None,
        photos=ask.files,
    )


def number_of(ask: PageAsk) -> int:
    """Return the ticket's number in the path. Raises `CommunityRefused`."""
    text = str(ask.request.path_params["number"])
    if not (text.isascii() and text.isdecimal() and len(text) <= 12):
        raise CommunityRefused(message("community.refused.ticket"))
    return int(text)


def wish_of(ask: PageAsk) -> TicketWish:
    """Return the step that a form asks for. Raises `CommunityRefused`."""
    name = ask.form.get("act", "")
    if name not in set(TicketAct):
        raise CommunityRefused(message("community.refused.field"))
    return TicketWish(TicketAct(name), ask.form, ask.files)


def take_step(ask: PageAsk, back: str) -> Response:
    """Take the step that a form asks for, and show the ticket again."""
    number = number_of(ask)
    ask.office.tickets.take(ask.asker, number, wish_of(ask))
    return ask.to(f"{back}/{number}")


def ticket_page(
    ask: PageAsk,
    sheet: TicketSheet,
    back: str,
    question: int | None = None,
    template: str = "ticket.html",
    **more: Any,
) -> Response:
    """Return the page of one ticket; `question` is the answer so far (0: none) of who is asked how it was.

    Another `template` gets `more` beside the same values.
    """
    people = {step.actor.partition(":")[2] for step in sheet.steps if step.actor.startswith("person:")}
    names = ask.office.register.names(people | {sheet.ticket.requester or ""}) if ask.account else {}
    workers = [
        (account.name, account.duty)
        for account in ask.office.accounts.all()
        if account.state == "active" and account.duty in WORKERS and account.name != sheet.ticket.about
    ]
    workers.sort(key=lambda one: (one[1] is not Duty.TECHNICIAN, one[0]))

    is_left = ask.account is not None and bool(left_by(ask, [sheet.ticket]))
    turn = turn_of(sheet, is_left=is_left)

    def who(actor: str) -> str:
        kind, _, identity = actor.partition(":")
        if kind == "account":
            return identity
        if kind == "person" and ask.person is not None:
            return ask.say("you" if identity == ask.person.id else "neighbour")
        return names.get(identity) or ask.known(f"actor.{kind}")

    return ask.page(
        template,
        sheet=sheet,
        has_dossier=ask.person is not None and may_have_dossier(sheet.parts),
        who=who,
        back=back,
        merged=ask.office.tickets.merged(ask.asker, sheet.ticket.number),
        is_over=sheet.ticket.state in ENDED,
        question=question,
        next=what_next(ask, sheet, is_left=is_left),
        said=last_words(sheet),
        turn=turn,
        aside=aside_of(sheet, turn),
        workers=workers if ask.account else [],
        requester=names.get(sheet.ticket.requester or "", ""),
        has_left=_has_left(ask, sheet.ticket.requester),
        **more,
    )


def _has_left(ask: PageAsk, requester: str | None) -> bool:
    """Return whether staff read a ticket of somebody who moved out: nobody answers it any more."""
    return (
        ask.account is not None
        and bool(requester)
        and ask.office.register.one(requester or "").state == "left"
    )


def picture(ask: PageAsk) -> Response:
    """Return a picture of a ticket."""
    found = ask.office.tickets.photo(ask.asker, number_of(ask), str(ask.request.path_params["mark"]))
    if found is None:
        return ask.failed(404, message("panel.not_found"))
    return Response(found, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=86400"})
