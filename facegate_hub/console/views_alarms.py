"""The desk's inboxes: alarms of doors, and doubts about their journals; taken, handed over, closed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import CommunityRefused, SyncError
from edge.words import has, message, say
from facegate_hub.console.views_doors import NOT_CLOSED, told
from facegate_hub.inbox import InboxKind, InboxState

if TYPE_CHECKING:
    from starlette.responses import Response

    from facegate_hub.console.doors_desk import DoorsDesk
    from facegate_hub.inbox import InboxItem
    from facegate_hub.web.asking import PageAsk

PAGE_ROWS = 50


class AlarmPages:
    """The pages of a site's inboxes, over the desk of its doors."""

    def __init__(self, desk: DoorsDesk) -> None:
        self._desk = desk

    def alarms(self, ask: PageAsk) -> Response:
        """Return what somebody has to look at: alarms of doors, and doubts about their journals."""
        which = _inbox(ask.request.query_params.get("inbox", ""))
        states = (InboxState.CLOSED,) if ask.request.query_params.get("show") == "closed" else NOT_CLOSED
        found = self._desk.looking.inbox.items(which, states, PAGE_ROWS + 1, _before(ask))
        items = found[:PAGE_ROWS]
        return ask.page(
            "alarms.html",
            items=items,
            inbox=which,
            inboxes=tuple(InboxKind),
            shows_closed=states != NOT_CLOSED,
            then=items[-1].id if len(found) > PAGE_ROWS else 0,
            names={door.id: door.name for door in self._desk.looking.doors()},
            people=self._desk.looking.people.some(sorted({one.resident for one in items if one.resident})),
            words=lambda item: _words(ask, which, item),
            actor=self._desk.known(ask.token),
        )

    def see_to(self, ask: PageAsk) -> Response:
        """Take a step with an item: see to it, hand it over, take it over, or close it."""
        which, number = _inbox(ask.form.get("inbox", "")), ask.form.get("item", "")
        # `isdecimal` takes digits of every script, and SQLite no number of more than 63 bits.
        if not (number.isascii() and number.isdecimal() and len(number) < 16):
            raise CommunityRefused(message("community.refused.act"))
        note = ask.form.get("note", "").strip()[:500]
        try:
            with self._desk.acting(ask.token) as staff:
                match ask.form.get("step"):
                    case "hand_over":
                        staff.hand_over(which, int(number), ask.form.get("to", "").strip()[:64], note)
                    case "take_over":
                        staff.take_over(which, int(number), ask.form.get("holder", "")[:64])
                    case "close":
                        staff.close_item(which, int(number), note)
                    case _:
                        staff.see_to(which, int(number))
        except SyncError as error:
            return told(ask, ask.say("failed"), error, status=409)
        return ask.to(f"/alarms?inbox={which}")


def _before(ask: PageAsk) -> int | None:
    """Return which item the page before ended with; what makes no sense is the first page."""
    text = ask.request.query_params.get("before", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None


def _inbox(name: str) -> InboxKind:
    return InboxKind.DOUBTS if name == InboxKind.DOUBTS else InboxKind.ALARMS


def _words(ask: PageAsk, which: InboxKind, item: InboxItem) -> str:
    # A doubt's own text is English, for logs and programs, and stands below.
    name = f"community.doubt.{item.kind}" if which is InboxKind.DOUBTS else f"event.{item.kind}"
    return say(name, ask.language) if has(name) else item.what or item.kind
