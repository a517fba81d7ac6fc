"""Who is expected today, and who rings now: for the guard, without names, numbers or pictures of visitors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import CommunityRefused
from edge.words import message
from facegate_hub.community.pass_desk import EndReason, PassDesk
from facegate_hub.community.visits import PassState

if TYPE_CHECKING:
    from starlette.responses import Response

    from facegate_hub.console.doors_desk import DoorsDesk
    from facegate_hub.signed_passes import GuestPass
    from facegate_hub.web.asking import PageAsk


class VisitorPages:
    """The guard's pages: what the hub has heard and signed, never the word of the residents' page.

    Where the folder is no provisioned site (`desk` None) nobody rings and no pass is ever signed.
    """

    def __init__(self, desk: DoorsDesk | None) -> None:
        self._desk = desk

    def visitors(self, ask: PageAsk) -> Response:
        """Return the passes that are good within the next day, and the rings of the last minutes."""
        rings = [] if self._desk is None else self._desk.looking.rings.lately(ask.now)
        return ask.page("visitors.html", passes=self._passes(ask), rings=rings, reasons=list(EndReason))

    def end(self, ask: PageAsk) -> Response:
        """End a resident's pass, with a reason that its maker reads."""
        assert ask.account is not None  # noqa: S101 - the table lets nobody else in
        why, pass_id = ask.form.get("why", ""), str(ask.request.path_params["pass_id"])
        if why not in set(EndReason):
            raise CommunityRefused(message("community.refused.field"))
        if pass_id not in {one.id for one in self._passes(ask) if one.state is PassState.GRANTED}:
            raise CommunityRefused(message("community.refused.gone"))
        PassDesk(ask.office.staff).end(ask.account, pass_id, EndReason(why))
        return ask.to("/visitors")

    def _passes(self, ask: PageAsk) -> list[GuestPass]:
        if self._desk is None:
            return []
        return self._desk.looking.passes.expected(ask.now, PassDesk(ask.office.staff).ended())
