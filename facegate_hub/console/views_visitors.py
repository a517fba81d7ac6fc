"""Who is expected today, and who rings now: for the guard, without names, numbers or pictures of visitors."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.responses import Response

    from facegate_hub.web.asking import PageAsk


def visitors(ask: PageAsk) -> Response:
    """Return the passes that are good within the next day, and the rings of the last minutes."""
    return ask.page("visitors.html", passes=ask.office.visits.expected(), rings=ask.office.rings.all())
