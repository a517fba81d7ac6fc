"""What everybody may see: the wall of counts, and whether a receipt holds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from facegate_hub.community.scores import METHOD
from facegate_hub.community.wall import receipt_holds, share_done_silently

if TYPE_CHECKING:
    from starlette.responses import Response

    from facegate_hub.web.asking import PageAsk


def wall(ask: PageAsk) -> Response:
    """Return the counts of all tickets and what is promised; residents also see what others chose to show."""
    found = ask.office.wall.read()
    if ask.person is None:  # "everybody here" is who lives here, not whoever finds this address
        found = replace(found, public=())
    with ask.office.book.looking() as connection:
        head = ask.office.book.head(connection)
    promises = ask.office.terms.promises
    silently = share_done_silently(found)
    return ask.page(
        "wall.html",
        wall=found,
        head=head,
        promises=promises,
        silently=silently,
        satisfied=ask.office.surveys.satisfaction(),
        months=ask.office.scores.read(),
        method=METHOD,
    )


def check(ask: PageAsk) -> Response:
    """Return the form for a receipt, and whether the book still has its entry."""
    given = ask.request.query_params
    seq, digits = given.get("entry", "").strip(), given.get("hash", "")
    is_asked = bool(seq)
    is_number = seq.isascii() and seq.isdecimal() and len(seq) <= 12
    holds = is_number and receipt_holds(ask.office.book, int(seq), digits)
    return ask.page("check.html", is_asked=is_asked, holds=holds, entry=seq[:12], digits=digits[:64])
