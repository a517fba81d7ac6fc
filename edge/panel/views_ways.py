"""A person's ways in beside the face, given and taken back on their sheet."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from edge.enrol.ways_in import PassWish
from edge.errors import PanelRefused
from edge.events import Kind
from edge.identity import narrow
from edge.panel.pictures import png_source
from edge.panel.views_people import sheet
from edge.panel.views_person import PASS_HOURS, PASS_USES, person_of, unknown_cards
from edge.policy.passes import PassKind
from edge.words import message

if TYPE_CHECKING:
    from edge.enrol.ways_in import WaysIn
    from edge.panel.asking import Ask


def set_pin(ask: Ask) -> Response:
    """Give a PIN and show it once."""
    person, ways = person_of(ask), _ways(ask)
    number, chosen = narrow(ask.form.get("number", "")), narrow(ask.form.get("pin", ""))
    ways.check_pin(person.id, number, chosen)
    told = {"by": ask.session.user, "method": "pin", "number": number}
    with ask.desk.doing(Kind.CREDENTIAL_GIVEN, about=person.id, **told):
        pin = ways.set_pin(person.id, number, chosen)
    return ask.page("pin_once.html", person=person, number=number, pin=pin)


def clear_pin(ask: Ask) -> Response:
    """Take a person's PIN back."""
    person, ways = person_of(ask), _ways(ask)
    # What is taken back goes first, here and below: a lost card must not open while the journal fails.
    ways.clear_pin(person.id, ask.session.user)
    return ask.to(f"{sheet(person.id)}#pin", message("panel.pin_cleared", who=person.name))


def give_card(ask: Ask) -> Response:
    """Give a card: one that was just held to the reader, or one that was written down."""
    person, ways = person_of(ask), _ways(ask)
    with ask.about("card"):
        card = ways.free_card(ask.form.get("card", ""), person.id)
    # The journal is plain text, and who reads a card's number can copy the card: only that there is one.
    with ask.desk.doing(Kind.CREDENTIAL_GIVEN, about=person.id, by=ask.session.user, method="card"):
        ways.give_card(card, person.id)
    return ask.to(f"{sheet(person.id)}#card", message("panel.card_given", who=person.name))


def take_card(ask: Ask) -> Response:
    """Take a card back."""
    person, ways = person_of(ask), _ways(ask)
    # The page may have been open while somebody else got the card; the journal would name the wrong one.
    card = ways.held_card(ask.form.get("card", ""), person.id)
    ways.take_card(card, ask.session.user)
    return ask.to(f"{sheet(person.id)}#card", message("panel.card_taken", who=person.name))


def shown_cards(ask: Ask) -> Response:
    """Return the unknown cards that were held to the reader just now, as JSON."""
    return JSONResponse({"cards": unknown_cards(ask)})


def issue_pass(ask: Ask) -> Response:
    """Issue a visitor pass and show its code once."""
    person, ways = person_of(ask), _ways(ask)
    form, now = ask.form, ask.desk.clock.now().replace(microsecond=0)
    hours, uses, kind = form.get("hours", ""), form.get("uses", ""), form.get("kind", "").upper()
    if (
        hours not in map(str, PASS_HOURS)
        or uses not in map(str, PASS_USES)
        or kind not in PassKind.__members__
    ):
        raise PanelRefused(message("panel.choose_from_list"))
    wish = PassWish(now, now + timedelta(hours=int(hours)), int(uses), PassKind[kind])
    told = {"by": ask.session.user, "method": "pass", "kind": kind.lower(), "max_uses": wish.max_uses}
    with ask.desk.doing(Kind.CREDENTIAL_GIVEN, about=person.id, **told, valid_until=wish.end.isoformat()):
        drawn = ways.issue_pass(ask.desk.door_id, person.id, wish)
    return ask.page("pass_once.html", person=person, wish=wish, code=png_source(drawn.png), text=drawn.text)


def end_pass(ask: Ask) -> Response:
    """Take a visitor pass back."""
    person, ways = person_of(ask), _ways(ask)
    issued = ways.issued_pass(ask.form.get("pass", ""), person.id)
    ways.end_pass(issued.id.hex(), ask.session.user)
    return ask.to(f"{sheet(person.id)}#pass", message("panel.pass_ended", who=person.name))


def _ways(ask: Ask) -> WaysIn:
    if ask.desk.ways is None:
        raise PanelRefused(message("panel.no_ways"))
    return ask.desk.ways
