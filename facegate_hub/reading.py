"""Stored events read back: a history, and the news since the last look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from facegate_hub.database import reading
from facegate_hub.tables import EVENTS, STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Engine

PAGE = 1000
OVERLAP_SECONDS = 60.0
"""How much later than it says a commit may be seen: clocks of hubs differ, and a disk may be slow."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event of a door; `at` is the door's own time as it was sent, `body` the event as JSON."""

    device: str
    stream: str
    seq: int
    at: str | None
    kind: str
    resident: str | None
    reason: str | None
    body: str


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events: all that are given must fit. `since` and `until` (not included) are ISO times in UTC."""

    device: str | None = None
    kind: str | None = None
    since: str | None = None
    until: str | None = None
    resident: str | None = None
    reason: str | None = None
    devices: tuple[str, ...] | None = None
    """Of these doors only, as somebody may look at (`Known.rights`); None: of all."""


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events, newest first, and where the next page begins (None: there are no more)."""

    events: list[StoredEvent]
    then: tuple[str, str, str, int] | None


SELECTED: sa.Select[Any] = sa.select(*(EVENTS.c[name] for name in StoredEvent.__slots__))


def page(
    engine: Engine, wanted: EventFilter, count: int, then: tuple[str, str, str, int] | None = None
) -> EventPage:
    """Return `count` events by the doors' time, newest first; `then` is what the page before ended with.

    However far back, a page costs as much as the first: it begins at its place in an index.
    """
    order = (EVENTS.c.at, EVENTS.c.device, EVENTS.c.stream, EVENTS.c.seq)
    query = _narrowed(SELECTED, wanted).where(EVENTS.c.at.is_not(None))
    if then is not None:
        # The first column alone as well: SQLite finds its place in the index by that.
        query = query.where(EVENTS.c.at <= then[0], sa.tuple_(*order) < sa.tuple_(*then))
    query = query.order_by(*(column.desc() for column in order)).limit(count + 1)
    with reading(engine) as connection:
        rows = [StoredEvent(*row) for row in connection.execute(query)]
    found = rows[:count]
    if len(rows) <= count:
        return EventPage(found, None)
    last = found[-1]
    return EventPage(found, (last.at or "", last.device, last.stream, last.seq))


def history(engine: Engine, wanted: EventFilter | None = None) -> Iterator[StoredEvent]:
    """Yield events by the doors' time, oldest first, a page at a time: millions fit into any memory."""
    order = (EVENTS.c.at, EVENTS.c.device, EVENTS.c.stream, EVENTS.c.seq)
    query = _narrowed(SELECTED, wanted or EventFilter()).order_by(*order)
    with reading(engine).execution_options(yield_per=PAGE) as connection:
        for row in connection.execute(query):
            yield StoredEvent(*row)


def latest(engine: Engine, count: int) -> list[StoredEvent]:
    """Return the last events by the doors' time, oldest first."""
    query = SELECTED.order_by(EVENTS.c.at.desc(), EVENTS.c.device, EVENTS.c.seq.desc()).limit(count)
    with reading(engine) as connection:
        return [StoredEvent(*row) for row in connection.execute(query)][::-1]


class News:
    """Events stored since the last look, each once, whichever hub stored them.

    Follows how far each stream has no gap, so that nothing is skipped when two hubs commit in
    another order than they began. One thread.
    """

    def __init__(self, engine: Engine, *, from_the_start: bool = False) -> None:
        self._engine = engine
        self._moved_at, uptos = self._uptos(0.0)
        self._seen: dict[tuple[str, str], int] = {} if from_the_start else uptos
        if from_the_start:
            self._moved_at = 0.0

    def look(self) -> list[StoredEvent]:
        """Return what is new, at most a page from each stream."""
        found: list[StoredEvent] = []
        moved_at, uptos = self._uptos(self._moved_at - OVERLAP_SECONDS)
        for (device, stream), upto in uptos.items():
            seen = self._seen.get((device, stream), 0)
            if upto > seen:
                found += self._between(device, stream, seen, upto)
        if all(self._seen.get(key) == upto for key, upto in uptos.items()):
            self._moved_at = max(self._moved_at, moved_at)
        return sorted(found, key=lambda event: (event.at or "", event.device, event.seq))

    def _between(self, device: str, stream: str, seen: int, upto: int) -> list[StoredEvent]:
        mine = (EVENTS.c.device == device, EVENTS.c.stream == stream, EVENTS.c.seq > seen)
        query = SELECTED.where(*mine, EVENTS.c.seq <= upto).order_by(EVENTS.c.seq).limit(PAGE)
        with reading(self._engine) as connection:
            found = [StoredEvent(*row) for row in connection.execute(query)]
        self._seen[device, stream] = found[-1].seq if len(found) == PAGE else upto
        return found

    def _uptos(self, since: float) -> tuple[float, dict[tuple[str, str], int]]:
        """Return how far streams are that grew at that moment or later, and when the last of them did."""
        query = sa.select(STREAMS.c.device, STREAMS.c.stream, STREAMS.c.upto, STREAMS.c.moved_at)
        if since > 0:
            query = query.where(STREAMS.c.moved_at >= since)
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        last = max((row.moved_at or 0.0 for row in rows), default=0.0)
        return last, {(row.device, row.stream): row.upto for row in rows}


def _narrowed(query: sa.Select[Any], wanted: EventFilter) -> sa.Select[Any]:
    if wanted.device is not None:
        query = query.where(EVENTS.c.device == wanted.device)
    if wanted.devices is not None:
        query = query.where(EVENTS.c.device.in_(wanted.devices))
    if wanted.kind is not None:
        query = query.where(EVENTS.c.kind == wanted.kind)
    if wanted.resident is not None:
        query = query.where(EVENTS.c.resident == wanted.resident)
    if wanted.reason is not None:
        query = query.where(EVENTS.c.reason == wanted.reason)
    if wanted.since is not None:
        query = query.where(EVENTS.c.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(EVENTS.c.at < wanted.until)
    return query
