"""The door's events: searched, followed and taken along as a table."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.responses import Response

from edge.domain import Reason
from edge.errors import PanelRefused
from edge.events import EventGroup, Kind, Tone
from edge.panel.telling import EventSearch, FoundEvents, search_events, told
from edge.policy.explain import explain_reason
from edge.web.cells import harmless
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.panel.asking import Ask

PAGE_ROWS = 50
MOST_TAKEN = 20_000
"""Rows of one file: some months of a busy door, and a second of reading. A longer time is taken in parts."""

TABS: Mapping[EventGroup | Tone, str] = MappingProxyType(
    {
        EventGroup.ENTRIES: "entries",
        Tone.ALARM: "alarms",
        EventGroup.DOOR: "group_door",
        EventGroup.PEOPLE: "people",
        EventGroup.PANEL: "panel",
        EventGroup.HEALTH: "health",
    }
)
"""The lists of the page of events, and what each is called."""

COLUMNS = ("number", "time", "event", "person", "name", "reason", "told")


@dataclass(frozen=True, slots=True)
class EventQuery:
    """What was asked for, as the form has it: `since` and `until` are the site's days, both taken in."""

    group: str = ""
    person: str = ""
    reason: str = ""
    since: str = ""
    until: str = ""

    @classmethod
    def of(cls, ask: Ask) -> EventQuery:
        """Return what the address asks for; what is no list and no reason of ours is left out."""
        given = ask.request.query_params
        group = given.get("group", "")
        reason = given.get("reason", "")
        return cls(
            group if group in set(TABS) else "",
            given.get("person", "")[:128].strip(),
            reason if reason in set(Reason) else "",
            given.get("since", "")[:10],
            given.get("until", "")[:10],
        )

    def search(self, ask: Ask) -> EventSearch:
        """Return what to look for. Raises `PanelRefused` for a day that is none."""
        wanted = next((one for one in TABS if one == self.group), None)
        begin, after = _midnight(ask, self.since), _midnight(ask, self.until, more_days=1)
        if begin and after and begin >= after:
            raise PanelRefused(message("panel.days_crossed"))
        return EventSearch(wanted, self.person, self.reason, begin, after)

    def address(self, **more: object) -> str:
        """Return these wishes as the end of an address; `more` replaces some."""
        wishes = {name: getattr(self, name) for name in self.__dataclass_fields__} | more
        return urlencode({name: value for name, value in wishes.items() if value})


def events(ask: Ask) -> Response:
    """Return a page of events, newest first, each told in words."""
    before = ask.request.query_params.get("before", "")
    query, wrong = EventQuery.of(ask), ""
    try:
        wanted = query.search(ask)
        found = search_events(ask, int(before) if _is_number(before) else None, wanted, PAGE_ROWS)
    except PanelRefused as error:  # the other wishes stay as they were typed
        found, wrong = FoundEvents([], None), ask.tell(error.message)
    return ask.page(
        "events.html",
        HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK,
        wrong=wrong,
        shown=told(ask, found.events),
        older=query.address(before=found.read_to) if found.read_to else "",
        query=query,
        groups=TABS,
        reasons=[(reason.value, explain_reason(reason.value, ask.language)) for reason in Reason],
        is_newest=not before,
        is_narrowed=bool(query.address()),
    )


def table(ask: Ask) -> Response:
    """Return the events that were searched for as a CSV file, newest first, in the site's time.

    Logged before it is given out: it tells who went where when.
    """
    query = EventQuery.of(ask)
    read = search_events(ask, None, query.search(ask), MOST_TAKEN, most_read=10 * MOST_TAKEN)
    found = read.events
    ask.desk.note(Kind.EVENTS_EXPORTED, by=ask.session.user, entries=len(found), search=query.address())
    names = {one.id: one.name for one in ask.desk.residents.list()}
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow([ask.say(f"column_{name}") for name in COLUMNS])
    for row in told(ask, found):
        who = row.event.resident_id or ""
        cells = (row.event.seq, f"{row.day} {row.time}", row.told.title, who, names.get(who, ""))
        rows.writerow([harmless(one) for one in (*cells, row.event.reason or "", row.told.sentence)])
    if read.read_to is not None and ask.desk.events(read.read_to, 1):
        # Older ones were not looked at: without a word an empty day would look as if nobody had come.
        told_so = ask.say("csv_cut", entry=read.read_to, command="facegate events --json")
        rows.writerow([read.read_to, told_so])
    headers = {"Content-Disposition": 'attachment; filename="facegate-events.csv"'}
    # The mark in front: without it spreadsheets read Chinese as another character set.
    return Response("\ufeff" + text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _midnight(ask: Ask, day: str, more_days: int = 0) -> datetime | None:
    """Return when the site's day, or one so many days later, begins. Raises `PanelRefused`."""
    if not day.strip():
        return None
    try:
        # Added to the date and not to the moment: a day on which the clocks change has 23 or 25 hours.
        begins = datetime.combine(
            date.fromisoformat(day) + timedelta(days=more_days), time(), tzinfo=ask.desk.zone
        )
        return begins.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise PanelRefused(message("error.time", text=day)) from error


def _is_number(text: str) -> bool:
    """Return whether `text` is an event's number: SQLite counts to 2^63."""
    return text.isascii() and text.isdecimal() and len(text) <= 18
