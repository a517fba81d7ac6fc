"""Who is expected today, and who rings now: for the guard, without names, numbers or pictures of visitors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import CommunityRefused
from edge.words import message
from facegate_hub.community.pass_desk import EndReason, PassDesk

if TYPE_CHECKING:
    from starlette.responses import Response

    from facegate_hub.web.asking import PageAsk


def visitors(ask: PageAsk) -> Response:
    """Return the passes that are good within the next day, and the rings of the last minutes."""
    passes, rings = ask.office.visits.expected(), ask.office.rings.all()
    return ask.page("visitors.html", passes=passes, rings=rings, reasons=list(EndReason))


def end(ask: PageAsk) -> Response:
    """End a resident's pass, with a reason that its maker reads."""
    assert ask.account is not None  # noqa: S101 - the table lets nobody else in
    why = ask.form.get("why", "")
    if why not in set(EndReason):
        raise CommunityRefused(message("community.refused.field"))
    PassDesk(ask.office.staff).end(ask.account, str(ask.request.path_params["pass_id"]), EndReason(why))
    return ask.to("/visitors")
