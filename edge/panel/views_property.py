"""What the door's page does for the property: it invites to the residents' page, and signs for a service."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from edge.errors import PanelRefused
from edge.events import Kind
from edge.panel.pictures import qr_of
from edge.panel.views_person import person_of
from edge.web.accounts import new_code, plain_code
from edge.words import message

if TYPE_CHECKING:
    from starlette.responses import Response

    from edge.panel.asking import Ask

CODE_LETTERS = 20
"""99 bits, as the console's invitations have."""
VALID = timedelta(days=7)
PARTS = ("whole", "camera", "lock", "reader", "power", "network")
"""Which part of a door was serviced."""
NEXT_DAYS = (90, 180, 365)


def invite(ask: Ask) -> Response:
    """Show a code that lets a person onto the residents' page, once; only its digest is written down."""
    person, page = person_of(ask), ask.desk.residents_page
    if not page:
        raise PanelRefused(message("panel.no_residents_page"))
    code, until = new_code(CODE_LETTERS), ask.desk.clock.now() + VALID
    digest = hashlib.sha256(plain_code(code).encode()).hexdigest()
    told: dict[str, Any] = {"by": ask.session.user, "digest": digest, "until": int(until.timestamp())}
    ask.desk.note(Kind.INVITE_MADE, about=person.id, **told)
    address = f"{page}/enter"
    return ask.page(
        "invite_once.html", person=person, code=code, address=address, qr=qr_of(f"{address}#{code}")
    )


def service(ask: Ask) -> Response:
    """Sign that a door was serviced: residents see when last, and when next."""
    part, days = ask.form.get("part", ""), ask.form.get("days", "")
    if part not in PARTS or days not in map(str, NEXT_DAYS):
        raise PanelRefused(message("panel.choose_from_list"))
    due = ask.desk.clock.now() + timedelta(days=int(days))
    ask.desk.note(Kind.SERVICE_DONE, by=ask.session.user, part=part, next=int(due.timestamp()))
    return ask.to("/health", message("panel.service_signed"))
