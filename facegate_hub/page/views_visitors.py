"""A resident's visitors: passes made, shown, ended."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from edge.errors import CommunityRefused
from edge.words import message
from facegate_hub.community.visits import MOST_USES, PassState, VisitKind, VisitWish
from facegate_hub.web.codes import qr_picture
from facegate_hub.web.ticket_pages import chosen

if TYPE_CHECKING:
    from starlette.responses import Response

    from facegate_hub.web.asking import PageAsk

HOUR = 3600
LENGTHS = (2, 4, 8, 24, 48, 72)
"""Hours that the form offers."""


def visitors(ask: PageAsk) -> Response:
    """Return a resident's passes and the form of a new one, or wish for it."""
    assert ask.person is not None  # noqa: S101 - the table lets nobody else in
    if ask.request.method == "POST":
        wish = _wish(ask)
        identity = ask.once(lambda: ask.office.visits.wish(ask.asker, wish))
        return ask.to(f"/visitors/{identity}")
    found = ask.office.visits.of_person(ask.person.id)
    lengths = [hours for hours in LENGTHS if hours <= ask.office.terms.pass_hours]
    return ask.page(
        "visitors.html",
        passes=found,
        kinds=list(VisitKind),
        lengths=lengths,
        uses=MOST_USES,
        flats=ask.person.flats,
    )


def one(ask: PageAsk) -> Response:
    """Return one pass with its code, or end it."""
    assert ask.person is not None  # noqa: S101 - the table lets nobody else in
    identity = str(ask.request.path_params["pass_id"])
    if ask.request.method == "POST":
        ask.office.visits.end(ask.asker, identity)
        return ask.to(f"/visitors/{identity}")
    found = next((one for one in ask.office.visits.of_person(ask.person.id) if one.id == identity), None)
    if found is None:
        raise CommunityRefused(message("community.refused.gone"))
    qr = qr_picture(found.text) if found.text else ""
    is_waiting = found.state is PassState.WISHED
    return ask.page("visitor.html", visit=found, qr=qr, is_waiting=is_waiting, digits=_digits(found.flat))


def _digits(flat: str) -> str:
    """Return what a visitor types at a display that rings a flat: the number of the building goes along."""
    return "".join(one for one in flat if one.isdecimal())


def _wish(ask: PageAsk) -> VisitWish:
    form = ask.form
    flats = ask.person.flats if ask.person else ()
    flat = form.get("flat") or (flats[0] if flats else "")
    begins, hours, uses = ask.now, form.get("hours", ""), form.get("uses", "1")
    if text := form.get("begins", "").strip():
        try:
            given = datetime.fromisoformat(text)
            moment = given.replace(tzinfo=given.tzinfo or ask.office.terms.zone).astimezone(UTC)
            begins = int(moment.timestamp())
        except (ValueError, OverflowError) as error:
            raise CommunityRefused(message("community.refused.until")) from error
    if hours not in {str(one) for one in LENGTHS} or not (
        uses.isascii() and uses.isdecimal() and len(uses) < 4
    ):
        raise CommunityRefused(message("community.refused.field"))
    kind = chosen(VisitKind, form.get("kind", ""), VisitKind.VISITOR)
    return VisitWish(flat, kind, begins, begins + int(hours) * HOUR, int(uses))
