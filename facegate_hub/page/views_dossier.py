"""A ticket's dossier: to be printed, or taken along as a file that can be checked by anybody."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from starlette.responses import Response

from facegate_hub.community.dossier import dossier_of, require_dossier
from facegate_hub.web.ticket_pages import number_of, ticket_page

if TYPE_CHECKING:
    from facegate_hub.web.asking import PageAsk


def dossier(ask: PageAsk) -> Response:
    """Return every step of a ticket on one page for paper, with the numbers and hashes of its entries."""
    number = number_of(ask)
    sheet = ask.office.tickets.sheet(ask.asker, number)
    require_dossier(sheet.parts)
    with ask.office.book.looking() as connection:
        head = ask.office.book.head(connection)
    return ticket_page(ask, sheet, "/tickets", template="dossier.html", head=head)


def dossier_file(ask: PageAsk) -> Response:
    """Return the dossier as a file, with texts, pictures and what proves them."""
    number = number_of(ask)
    found = dossier_of(ask.office.book, ask.office.tickets, ask.asker, number)
    text = json.dumps(found, ensure_ascii=False, indent=1)
    named = {"Content-Disposition": f'attachment; filename="ticket-{number}.json"'}
    return Response(text, media_type="application/json", headers=named)
