"""The overview: the door now, who came in last, what is to be done; and news of it while it is open."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from edge.consent.rules import filing_notice
from edge.entry_facts import EntryFacts
from edge.errors import FacegateError
from edge.findings import worst
from edge.panel.asking import is_account_unchanged
from edge.panel.telling import seen_events, told
from edge.panel.views_people import enrolled
from edge.web.between import STREAM
from edge.words import has

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from edge.panel.asking import Ask

NEWEST = 8
SHOWN = ("contact", "lock")
"""What the overview tells of the door; the door test has the rest."""

TICK_SECONDS = 1.0
"""Between two looks whether there is a new event or the door has moved."""

LOOK_SECONDS = 10.0
"""Between two looks at everything else, so that findings are ten seconds old at most. A line is sent at least
this often, for only sending shows that a browser has left without closing its connection."""

STILL_HERE = ": still here\n\n"
OVER = "event: over\ndata: -\n\n"
"""The session has ended: the page loads itself anew, and asks for a login."""


@dataclass(frozen=True, slots=True)
class Entered:
    """Who came in last, on which way, and when (UTC). `id` is empty for somebody without a sheet here."""

    id: str
    name: str
    way: str
    at: datetime


def home(ask: Ask) -> Response:
    """Return the overview."""
    return ask.page("home.html", **_overview(ask))


def news(ask: Ask) -> Response:
    """Return server-sent events: the overview's text when it has changed, for as long as it is open.

    Whoever does not ask for a stream is sent to the overview: an answer without an end would keep one of the
    few places that requests have.
    """
    if ask.request.headers.get("accept") != STREAM:
        return ask.to("/")
    return ask.keep(StreamingResponse(OverviewNews(ask).told(), media_type=STREAM))


class OverviewNews:
    """What one browser is told that has the overview open. It holds no thread while it waits."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._clock = ask.desk.clock
        self._seen: object = None
        self._looked_at = float("-inf")
        self._last = ""

    async def told(self) -> AsyncIterator[str]:
        """Yield what is new, until the session or the server ends."""
        while not getattr(self._ask.request.app.state, "is_ending", False):
            if self._ask.office.sessions.get(self._ask.session.token, is_use=False) is None:
                yield OVER
                return
            try:
                line = await run_in_threadpool(self._line)
            except FacegateError:
                return  # the card gives nothing: the browser comes again, and the page says what is wrong
            if line:
                yield line
            if line == OVER:
                return
            await asyncio.sleep(TICK_SECONDS)

    def _line(self) -> str:
        """Return what to send now; nothing while neither event nor door is new. Worker thread."""
        newest = self._ask.desk.events(None, 1)
        seen = (newest[0].seq if newest else 0, self._ask.desk.door() if self._ask.desk.door else None)
        is_time = self._clock.monotonic() - self._looked_at >= LOOK_SECONDS
        if seen == self._seen and not is_time:
            return ""
        self._seen, self._looked_at = seen, self._clock.monotonic()
        if not is_account_unchanged(self._ask.session, self._ask.office):
            return OVER
        text = self._ask.text("overview.html", **_overview(self._ask))
        if text == self._last:
            return STILL_HERE
        self._last = text
        return f"data: {json.dumps(text)}\n\n"


def _overview(ask: Ask) -> dict[str, Any]:
    desk = ask.desk
    count = len(enrolled(desk))
    network = desk.network() if desk.network else None
    state = desk.door() if desk.door else {}
    findings = desk.findings()
    return {
        "count": count,
        "is_named": desk.operator.is_named,
        "filing": ask.tell(filing) if (filing := filing_notice(count)) else "",
        "again": len(desk.residents.other_models(desk.recogniser.model_id)),
        "unmatched": len(desk.unmatched()),
        "failing": desk.failing(),
        "liveness": desk.liveness,
        "findings": findings,
        "works": worst(findings),
        "door": [(ask.say(f"state_{one}"), ask.known(f"is_{state[one]}")) for one in SHOWN if one in state],
        "alarms": [ask.say_plain(f"value.alarm.{one}") for one in state.get("alarms", ())],
        "broker": network.broker if network else None,
        "last": _last_entry(ask),
        "shown": told(ask, list(islice(seen_events(ask, None), NEWEST))),
    }


def _last_entry(ask: Ask) -> Entered | None:
    event = ask.office.last_entry.find()
    if event is None:
        return None
    person = ask.desk.residents.get(event.resident_id) if event.resident_id else None
    word = f"value.method.{EntryFacts.read(event.data).method or 'face'}"
    way = ask.say_plain(word) if has(word) else ""
    name = (person.name if person else "") or event.resident_id or ask.say("last_entry_nobody")
    return Entered(person.id if person else "", name, way, event.at)
