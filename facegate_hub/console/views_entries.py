"""The desk's history: events by door, person, reason and day, page by page and as a table."""

from __future__ import annotations

import csv
import io
import json
from contextlib import ExitStack
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain, islice
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.responses import Response, StreamingResponse

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
    from collections.abc import Iterable, Iterator, Mapping, Sequence

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
        """Return the events as CSV in the site's time, as they are read; the signer notes who took them.

        A year of a large site is millions of events: as a whole they would fit into no memory, and the first
        byte would come later than anybody waits.
        """
        wanted, _ = _wish(ask)
        with ExitStack() as opening:
            staff = opening.enter_context(self._desk.acting(ask.token))
            batches = _batches(staff.events(wanted))
            # Read before the answer begins: what fails here is told on a page.
            first = next(batches, [])
            lines = self._lines(ask, chain([first], batches), opening.pop_all())
        headers = {"Content-Disposition": 'attachment; filename="facegate-entries.csv"'}
        return StreamingResponse(lines, media_type="text/csv; charset=utf-8", headers=headers)

    def _lines(
        self, ask: PageAsk, batches: Iterable[list[StoredEvent]], open_meanwhile: ExitStack
    ) -> Iterator[str]:
        """Yield the table, a batch at a time. What fails on the way breaks the answer off.

        A browser then says that the download failed: it must not pass for the whole table.
        """
        names = ("time", "door", "event", "person", "reason", "told", "door_name", "person_name")
        with open_meanwhile:
            # The mark in front: without it spreadsheets read Chinese as another character set.
            yield "\ufeff" + _csv([[ask.say(f"column.{name}") for name in names]])
            for some in batches:
                rows = zip(some, self._named(ask, some), strict=True)
                yield _csv([harmless(one) for one in _cells(ask, event, row)] for event, row in rows)

    def _named(self, ask: PageAsk, events: Sequence[StoredEvent]) -> list[dict[str, str]]:
        """Return events for a page, each with what its door and its person are called."""
        doors = self._desk.looking.door_names()
        ids = sorted({one.resident for one in events if one.resident})
        people = self._desk.looking.people.some(ids)
        called = {identity: str(one.record.get("name", "")) for identity, one in people.items()}
        return [
            _row(ask, one) | {"door": doors.get(one.device, ""), "who": called.get(one.resident or "", "")}
            for one in events
        ]


def _cells(ask: PageAsk, event: StoredEvent, row: Mapping[str, str]) -> tuple[str, ...]:
    """Return a line of the table."""
    # To the second: whoever asks for such a table compares it with a recording.
    at = local_time(ask, event.at, SECONDS)
    told = (at, event.device, row["title"], event.resident or "", event.reason or "")
    return *told, row["sentence"], row["door"], row["who"]


def _csv(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


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
