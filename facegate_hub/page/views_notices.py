"""A notice as a resident reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facegate_hub.web.ticket_pages import number_of

if TYPE_CHECKING:
    from starlette.responses import Response

    from facegate_hub.web.asking import PageAsk


def notice(ask: PageAsk) -> Response:
    """Return one notice with what it corrected, and note that it was opened; of an old one its correction."""
    assert ask.person is not None  # noqa: S101 - the table lets nobody else in
    number = number_of(ask)
    if (newest := ask.office.notices.newest(ask.person.id, number)) != number:
        return ask.to(f"/notices/{newest}")
    found = ask.office.notices.open(ask.person.id, number)
    return ask.page("notice.html", notice=found, earlier=ask.office.notices.earlier(found))
