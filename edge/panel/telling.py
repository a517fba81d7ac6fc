"""Events for people: which ones a page shows, to whom, and in which words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.events import Tone, facts_of, tone_of
from edge.panel.asking import PEOPLE
from edge.policy.explain import Explanation, explain

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def seen_events(ask: Ask, before: int | None, wanted: EventGroup | Tone | None = None) -> Iterator[DoorEvent]:
    """Yield the events of a group or tone (None: all) that this reader may see, newest first."""
    read = 0
    while read < MOST_READ and (batch := ask.desk.events(before, BATCH)):
        yield from (one for one in batch if _is_wanted(one, wanted) and _may_see(ask, one))
        read += len(batch)
        before = batch[-1].seq


def _is_wanted(event: DoorEvent, wanted: EventGroup | Tone | None) -> bool:
    if wanted is None:
        return True
    if isinstance(wanted, Tone):
        return tone_of(event.kind, event.data.get("state")) is wanted
    return facts_of(event.kind).group is wanted


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
    return ask.session.role in PEOPLE and age_seconds >= QUIET_SECONDS
