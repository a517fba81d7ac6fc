"""A whole building at once, or the whole site: locked down, freed, back to normal; each answer is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import CommunityRefused, SyncError
from edge.wire.commands import MODES, CommandType
from edge.words import message
from facegate_hub.clerk import is_door
from facegate_hub.console.views_doors import in_words, tell_once, told

if TYPE_CHECKING:
    from starlette.responses import Response

    from facegate_hub.console.doors_desk import DoorsDesk
    from facegate_hub.web.asking import PageAsk

SITE = "*"
"""Every door that there is."""


class BuildingPages:
    """Commands to the doors of a building, over the desk of a site's doors."""

    def __init__(self, desk: DoorsDesk) -> None:
        self._desk = desk

    def act(self, ask: PageAsk) -> Response:
        """Ask whether it is meant; then have every door do it, and tell what physically came of each."""
        place, kind = ask.form.get("place", "")[:64], ask.form.get("act", "")
        if kind not in {str(one) for one in MODES}:
            raise CommunityRefused(message("community.refused.act"))
        act, doors = CommandType(kind), self._doors(ask, place)
        if "sure" not in ask.form:
            return ask.page("building_sure.html", place=place, act=act, doors=doors)
        title = ask.say("door.asked", act=ask.say(f"door.act.{act}"), door=place_name(ask, place))
        try:
            with self._desk.acting(ask.token) as staff:
                by = ask.account.name if ask.account else ""
                orders = list(staff.orders.follow(staff.orders.give(doors, act, by)))
        except SyncError as error:
            return told(ask, title, error, status=409)
        # First the doors that did not do it: somebody has to go there.
        orders.sort(key=lambda one: (one.status == "done", one.door))
        done = sum(one.status == "done" for one in orders)
        status = 200 if done == len(orders) else 409

        said = {one.text: "".join(in_words(ask, one.text)) for one in orders}
        page = {"title": title, "orders": orders, "done": done, "said": said}
        return tell_once(ask, self._desk, "building_told.html", status, page)

    def _doors(self, ask: PageAsk, place: str) -> list[str]:
        there = [door.id for door in self._desk.looking.doors() if is_door(door.id)]
        if place == SITE:
            doors = there
        else:
            doors = [door for door in ask.office.terms.doors.get(place, ()) if door in there]
        if not doors:
            raise CommunityRefused(message("community.refused.no_doors", building=place))
        return doors


def place_name(ask: PageAsk, place: str) -> str:
    """Return what a building is called on a page."""
    return ask.say("door.site") if place == SITE else ask.say("door.building", name=place)
