"""Events for people: which ones a page shows, to whom, and in which words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.events import Tone, facts_of, tone_of
from edge.panel.asking import PEOPLE
from edge.policy.explain import Explanation, explain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from edge.domain import DoorEvent
    from edge.events import EventGroup
    from edge.panel.asking import Ask

QUIET_SECONDS = 3600.0
"""A robber may stand beside the resident and have somebody open the page. The property is alarmed over
its broker at once; no page says so for an hour, and then only to those who look after people."""

BATCH, MOST_READ = 200, 4000
"""How many events are read at once, and at most for one page: a filter that finds little must end."""


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event on a page.

    `day` and `time` are what the site's clocks showed, `told` is the event in the reader's words, `tone`
    how to show it.
    """

    event: DoorEvent
    day: str
    time: str
    told: Explanation
    tone: Tone


@dataclass(frozen=True, slots=True)
class EventSearch:
    """What to look for; everything that is empty or None fits. `since` is taken in, `until` is not (UTC)."""

    group: EventGroup | Tone | None = None
    person: str = ""
    reason: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def fits(self, event: DoorEvent) -> bool:
        """Return whether an event is looked for."""
        if self.person and event.resident_id != self.person:
            return False
        if self.reason and event.reason != self.reason:
            return False
        if (self.since and event.at < self.since) or (self.until and event.at >= self.until):
            return False
        if isinstance(self.group, Tone):
            return tone_of(event.kind, event.data.get("state")) is self.group
        return self.group is None or facts_of(event.kind).group is self.group


@dataclass(frozen=True, slots=True)
class FoundEvents:
    """Events, newest first. `read_to` is the number down to which was read; None: there is no more."""

    events: list[DoorEvent]
    read_to: int | None


def seen_events(ask: Ask, before: int | None, group: EventGroup | Tone | None = None) -> Iterator[DoorEvent]:
    """Yield the events of a group or tone (None: all) that this reader may see, newest first."""
    return (event for event in _read(ask, before, MOST_READ) if _is_seen(ask, event, EventSearch(group)))


def search_events(
    ask: Ask, before: int | None, wanted: EventSearch, count: int, most_read: int = MOST_READ
) -> FoundEvents:
    """Return up to `count` events that are looked for and that this reader may see.

    At most `most_read` events are read; whoever wants to go on begins at `read_to`.
    """
    found: list[DoorEvent] = []
    last = None
    for event in _read(ask, before, most_read):
        last = event.seq
        if _is_seen(ask, event, wanted):
            found.append(event)
        if len(found) == count:
            break
    # Entry 1 is the journal's first: there is nothing further back to offer.
    return FoundEvents(found, last if last is not None and last > 1 else None)


def _read(ask: Ask, before: int | None, most: int) -> Iterator[DoorEvent]:
    read = 0
    while read < most and (batch := ask.desk.events(before, BATCH)):
        yield from batch
        read += len(batch)
        before = batch[-1].seq


def _is_seen(ask: Ask, event: DoorEvent, wanted: EventSearch) -> bool:
    return wanted.fits(event) and _may_see(ask, event)


def told(ask: Ask, events: list[DoorEvent]) -> list[EventRow]:
    """Return these events in the reader's language."""
    return [_told(ask, event) for event in events]


def _told(ask: Ask, event: DoorEvent) -> EventRow:
    return EventRow(
        event,
        ask.local(event.at, "%Y-%m-%d"),
        ask.local(event.at, "%H:%M:%S"),
        explain(event, ask.language, ask.desk.zone),
        tone_of(event.kind, event.data.get("state")),
    )


def _may_see(ask: Ask, event: DoorEvent) -> bool:
    if not facts_of(event.kind).is_silent:
        return True
    age_seconds = (ask.desk.clock.now() - event.at).total_seconds()
    return ask.session.role in PEOPLE and age_seconds >= QUIET_SECONDS and not _is_of_just_now(ask, event)


def _is_of_just_now(ask: Ask, event: DoorEvent) -> bool:
    """Return whether an event of this run is younger than its date says: the clock was set since."""
    if not 0 <= ask.desk.clock.monotonic() - event.mono_ns / 1e9 < QUIET_SECONDS:
        return False
    # Seconds of another run may be those of another start of the machine, and tell nothing.
    newest = ask.desk.events(None, 1)
    return bool(newest) and newest[0].boot == event.boot
