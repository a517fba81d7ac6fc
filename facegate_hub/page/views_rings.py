"""Who rings for a resident's flat: answered with open or no, within the minute, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facegate_hub.community.rings import RING_SECONDS

if TYPE_CHECKING:
    from starlette.responses import Response

    from facegate_hub.web.asking import PageAsk

OPEN = "open"


def rings(ask: PageAsk) -> Response:
    """Return the rings of the last minutes, or answer one of them; the page asks for news by itself."""
    assert ask.person is not None  # noqa: S101 - the table lets nobody else in
    if ask.request.method == "POST":
        ring, opens = ask.form.get("ring", ""), ask.form.get("answer") == OPEN
        ask.office.rings.answer(ask.person.id, ask.person.flats, ring, opens=opens)
        return ask.to("/rings")
    return ask.page("rings.html", rings=ask.office.rings.of_flats(ask.person.flats), seconds=RING_SECONDS)
