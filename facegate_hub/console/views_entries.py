"""The desk's history: events by door, person, reason and day, page by page and as a table."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.responses import Response

from edge.domain import DoorEvent, Reason
from edge.errors import CommunityRefused, JournalTampered
from edge.events import tone_of
from edge.policy.explain import explain, explain_reason
from edge.store.chain import ChainRow, to_event
from edge.web.cells import harmless
from edge.words import message
from facegate_hub.console.views_doors import local_time
from facegate_hub.reading import EventFilter
from facegate_hub.signer.rights import Permission

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from facegate_hub.console.doors_desk import DoorsDesk
    from facegate_hub.reading import StoredEvent
    from facegate_hub.web.asking import PageAsk

PAGE_ROWS = 50
BATCH = 500
"""Events of a table whose people are looked up at once."""
# SQLite keeps no larger number, and Python raises OverflowError where one is asked for.
MOST_SEQ = 2**63
SECONDS = "%Y-%m-%d %H:%M:%S"
FIELDS = ("door", "person", "reason", "since", "until")
"""Of the form, and of the address."""


class EntryPages:
    """The pages of a site's events, over the desk of its doors."""

    def __init__(self, desk: DoorsDesk) -> None:
        self._desk = desk

    def entries(self, ask: PageAsk) -> Response:
        """Return events by door, person, reason and day, newest first, page by page."""
        wanted, query = _wish(ask)
        then = _place(ask.request.query_params.get("then", ""))
        found = self._desk.looking.page(wanted, PAGE_ROWS, then)
        actor = self._desk.known(ask.token)
        more = urlencode(query | {"then": json.dumps(found.then)}) if found.then else ""
        return ask.page(
            "entries.html",
            rows=self._named(ask, found.events),
            query={name: query.get(name, "") for name in FIELDS},
            more=more,
            actor=actor,
            may_take=actor is not None and actor.may(Permission.EXPORT),
            address=urlencode(query),
            doors=self._desk.looking.doors(),
            reasons=[(one.value, explain_reason(one.value, ask.language)) for one in Reason],
        )

    def table(self, ask: PageAsk) -> Response:
        """Return the events as CSV in the site's time; the signer notes who took them."""
        wanted, _ = _wish(ask)
        text = io.StringIO()
        writer = csv.writer(text)
        names = ("time", "door", "event", "person", "reason", "told", "door_name", "person_name")
        writer.writerow([ask.say(f"column.{name}") for name in names])
        with self._desk.acting(ask.token) as staff:
            for some in _batches(staff.events(wanted)):
                for event, row in zip(some, self._named(ask, some), strict=True):
                    # To the second: whoever asks for such a table compares it with a recording.
                    cells = (
                        local_time(ask, event.at, SECONDS),
                        event.device,
                        row["title"],
                        event.resident or "",
                        event.reason or "",
                    )
                    named = (row["sentence"], row["door"], row["who"])
                    writer.writerow([harmless(one) for one in (*cells, *named)])
        headers = {"Content-Disposition": 'attachment; filename="facegate-entries.csv"'}
        # The mark in front: without it spreadsheets read Chinese as another character set.
        return Response("\ufeff" + text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)

    def _named(self, ask: PageAsk, events: Sequence[StoredEvent]) -> list[dict[str, str]]:
        """Return events for a page, each with what its door and its person are called."""
        doors = {door.id: door.name or "" for door in self._desk.looking.doors()}
        ids = sorted({one.resident for one in events if one.resident})
        people = self._desk.looking.people.some(ids)
        called = {identity: str(one.record.get("name", "")) for identity, one in people.items()}
        return [
            _row(ask, one) | {"door": doors.get(one.device, ""), "who": called.get(one.resident or "", "")}
            for one in events
        ]


def _batches(events: Iterable[StoredEvent]) -> Iterator[list[StoredEvent]]:
    left = iter(events)
    while some := list(islice(left, BATCH)):
        yield some


def _wish(ask: PageAsk) -> tuple[EventFilter, dict[str, str]]:
    """Return what was looked for, and the same as the fields of the form. Raises `CommunityRefused`."""
    given = ask.request.query_params
    query = {name: value for name in FIELDS if (value := given.get(name, "").strip()[:128])}
    return EventFilter(
        device=query.get("door"),
        resident=query.get("person"),
        reason=query.get("reason"),
        since=_midnight(ask, query.get("since")),
        until=_midnight(ask, query.get("until"), more_days=1),
    ), query


def _midnight(ask: PageAsk, day: str | None, more_days: int = 0) -> str | None:
    """Return when the compound's day, or one so many days later, begins, in the form in which doors write.

    Texts of that form compare as times do. Raises `CommunityRefused` for a day that no calendar has.
    """
    if day is None:
        return None
    try:
        # Within the `try`: the first day of all and the last one have no moment in every zone.
        begins = date.fromisoformat(day) + timedelta(days=more_days)
        at = datetime.combine(begins, time(), tzinfo=ask.office.terms.zone).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise CommunityRefused(message("error.time", text=day[:40])) from error
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _place(text: str) -> tuple[str, str, str, int] | None:
    """Return where a page begins; what makes no sense is the first page."""
    try:
        at, device, stream, seq = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return None
    texts = (at, device, stream)
    if not all(isinstance(one, str) for one in texts) or type(seq) is not int or not 0 <= seq < MOST_SEQ:
        return None
    return at, device, stream, seq


def _row(ask: PageAsk, event: StoredEvent) -> dict[str, str]:
    """Return one event for a page, in the reader's words; one that was erased says only when and where."""
    local = local_time(ask, event.at)
    try:
        told = explain(_event(event), ask.language, ask.office.terms.zone)
    except (JournalTampered, ValueError, TypeError):
        return {"time": local, "title": event.kind, "sentence": "", "tone": "plain"}
    tone = tone_of(event.kind, json.loads(event.body)["data"].get("state"))
    return {"time": local, "title": told.title, "sentence": told.sentence, "tone": tone.value}


def _event(event: StoredEvent) -> DoorEvent:
    return to_event(ChainRow(event.seq, "", event.body, ""))
