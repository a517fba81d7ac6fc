"""Everybody whom the doors know and the residents' page does not: moved in at once, looked at before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import CommunityRefused
from edge.identity import tidied
from edge.wire.roster import MOST_RECORDS
from edge.words import message
from facegate_hub.community.moving_in import MOST_AT_ONCE, MovingIn
from facegate_hub.community.people import TieKind
from facegate_hub.console.views_people import printed
from facegate_hub.web.ticket_pages import chosen

if TYPE_CHECKING:
    from starlette.responses import Response

    from facegate_hub.console.doors_desk import DoorsDesk
    from facegate_hub.web.asking import PageAsk

MOST_LEFT_OUT = 200
"""Of those who are left out, as many are shown."""


class RosterMovePages:
    """The page that moves people of the roster in, over the desk of a site's doors."""

    def __init__(self, desk: DoorsDesk) -> None:
        self._desk = desk

    def move(self, ask: PageAsk) -> Response:
        """Return who would move in, of those whose number begins so; or move them in, with a slip each."""
        moving = MovingIn(ask.office.book)
        if ask.request.method == "POST":
            return self._moved(ask, moving)
        beginning = tidied(ask.request.query_params.get("q", ""))[:64]
        plan = moving.plan(self._people(beginning))
        return ask.page(
            "roster_move.html",
            beginning=beginning,
            newcomers=plan.newcomers[:MOST_AT_ONCE],
            count=len(plan.newcomers),
            flats=len(plan.flats),
            left_out=plan.left_out[:MOST_LEFT_OUT],
            ties=tuple(TieKind),
        )

    def _moved(self, ask: PageAsk, moving: MovingIn) -> Response:
        """Move in who was looked at: their numbers come back with the form, their names from the roster."""
        wanted = set(ask.form.get("people", "").splitlines())
        people = [one for one in self._people("") if one[0] in wanted]
        kind = chosen(TieKind, ask.form.get("kind", ""), TieKind.OWNER)
        moved = moving.carry_out(ask.asker.doer, people, kind, ask.language)
        if not moved:
            raise CommunityRefused(message("community.refused.moved_in"))
        return printed(ask, [(f"{one.flat} · {one.name}", one.code) for one in moved])

    def _people(self, beginning: str) -> list[tuple[str, str]]:
        """Return (number, name) of the roster, of those whose number begins so."""
        found = self._desk.looking.people.page(MOST_RECORDS, beginning=beginning)
        return [(one.id, str(one.record.get("name", ""))) for one in found]
