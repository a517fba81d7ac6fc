"""Stored events read back: a history, and the news since the last look."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import sqlalchemy as sa

from facegate_hub.database import reading
from facegate_hub.tables import EVENTS, STREAMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import Connection, Engine

Place: TypeAlias = "tuple[str, str, str, int]"
"""Time, door, journal and number of the event with which a page ended."""
PAGE = 1000
BESIDE_DEVICE = {
    "time": "device",
    "kind": "device_and_kind",
    "reason": "device_and_reason",
    "person": "resident_and_device",
}
"""Indices of events by what is asked of one door."""
MOST_APART = 30
"""Doors of which a page is put together, each from its own place in an index; of more, all doors' events are
read in order, and those of others left out."""


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


ORDER = (EVENTS.c.at, EVENTS.c.device, EVENTS.c.stream, EVENTS.c.seq)
SELECTED: sa.Select[Any] = sa.select(*(EVENTS.c[name] for name in StoredEvent.__slots__))
PLACES: sa.Select[Any] = sa.select(*ORDER)


def page(
    engine: Engine, wanted: EventFilter, count: int, then: tuple[str, str, str, int] | None = None
) -> EventPage:
    """Return `count` events by the doors' time, newest first; `then` is what the page before ended with.

    However far back, a page costs as much as the first: it begins at its place in an index.
    """
    with reading(engine) as connection:
        is_scattered = wanted.resident is not None or len(_of_doors(wanted)) > 0
        find = _swept if is_scattered and engine.dialect.name == "postgresql" else _found
        rows = [StoredEvent(*row) for row in find(connection, wanted, count + 1, then)]
    found = rows[:count]
    if len(rows) <= count:
        return EventPage(found, None)
    last = found[-1]
    return EventPage(found, (last.at or "", last.device, last.stream, last.seq))


def _found(
    connection: Connection,
    wanted: EventFilter,
    count: int,
    then: Place | None,
    what: sa.Select[Any] = SELECTED,
) -> list[Any]:
    return _of_all([_part(what, one, count, then) for one in _apart(wanted)], connection, count)


def _of_all(parts: list[sa.Select[Any]], connection: Connection, count: int) -> list[Any]:
    if not parts:
        return []
    return list(connection.execute(parts[0] if len(parts) == 1 else _together(parts, count)))


def _swept(connection: Connection, wanted: EventFilter, count: int, then: Place | None) -> list[Any]:
    """Return the same from PostgreSQL: where the page ends by the index alone, then its rows in one sweep.

    The rows of a person or a door lie all over the table. Read in their order each would wait for the disk by
    itself; a bitmap scan asks for the next ones while it waits.
    """
    places = _found(connection, wanted, count, then, PLACES)
    if not places:
        return []
    # Until the end of this transaction only: the planner is left with the bitmap scan.
    connection.exec_driver_sql("SET LOCAL enable_indexscan = off")
    first, last = places[0], places[-1]
    # Not as a comparison of rows, of which the planner takes any for a third of the table.
    before = sa.and_(EVENTS.c.at == first.at, sa.tuple_(*ORDER[1:]) > sa.tuple_(*first[1:]))
    fits = (EVENTS.c.at <= first.at, sa.not_(before))
    parts = _apart(replace(wanted, since=last.at, until=None))
    return _of_all(
        [_ordered(_narrowed(SELECTED, one).where(*fits), count) for one in parts], connection, count
    )


def _of_doors(wanted: EventFilter) -> tuple[str, ...]:
    """Return the few doors that are asked for, none where they are all or many."""
    if wanted.device is not None:
        return (wanted.device,)
    return wanted.devices if wanted.devices is not None and len(wanted.devices) <= MOST_APART else ()


def _apart(wanted: EventFilter) -> list[EventFilter]:
    """Return what each door is asked for: SQLite and PostgreSQL sort all there is of several doors."""
    if wanted.devices is None or wanted.device is not None or len(wanted.devices) > MOST_APART:
        return [wanted]
    return [replace(wanted, device=device, devices=None) for device in sorted(set(wanted.devices))]


def _part(what: sa.Select[Any], wanted: EventFilter, count: int, then: Place | None) -> sa.Select[Any]:
    query = _narrowed(what, wanted).where(EVENTS.c.at.is_not(None))
    return _ordered(_after(query, wanted, then), count)


def _after(query: sa.Select[Any], wanted: EventFilter, then: Place | None) -> sa.Select[Any]:
    # PostgreSQL starts reading the index at `then`; if that lies after `until`, it would read everything
    # between.
    if then is not None and (wanted.until is None or then[0] < wanted.until):
        # The first column alone as well: SQLite finds its place in the index by that.
        query = query.where(EVENTS.c.at <= then[0], sa.tuple_(*ORDER) < sa.tuple_(*then))
    return query


def _ordered(query: sa.Select[Any], count: int) -> sa.Select[Any]:
    return query.order_by(*(column.desc() for column in ORDER)).limit(count)


def _together(parts: list[sa.Select[Any]], count: int) -> sa.Select[Any]:
    found = sa.union_all(*(sa.select(part.subquery()) for part in parts)).subquery()
    return sa.select(found).order_by(*(found.c[column.name].desc() for column in ORDER)).limit(count)


def history(engine: Engine, wanted: EventFilter | None = None) -> Iterator[StoredEvent]:
    """Yield events by the doors' time, oldest first, a page at a time: millions fit into any memory.

    Each page is read by itself, from where the one before ended: whoever takes them may be slow. A reading
    that stays open keeps SQLite's log growing, and PostgreSQL ends it when nobody reads on for a minute.
    """
    query = _narrowed(SELECTED, wanted or EventFilter())
    # Of an older version, without any time: they have no place among the others.
    yield from _pages(engine, query.where(EVENTS.c.at.is_(None)), ORDER[1:])
    yield from _pages(engine, query.where(EVENTS.c.at.is_not(None)), ORDER)


def _pages(engine: Engine, query: sa.Select[Any], order: tuple[sa.Column[Any], ...]) -> Iterator[StoredEvent]:
    names, page = [column.name for column in order], query.order_by(*order).limit(PAGE)
    while True:
        with reading(engine) as connection:
            found = [StoredEvent(*row) for row in connection.execute(page)]
        yield from found
        if len(found) < PAGE:
            return
        last = [getattr(found[-1], name) for name in names]
        # The first column alone as well: SQLite finds its place in the index by that.
        later = (order[0] >= last[0], sa.tuple_(*order) > sa.tuple_(*last))
        page = query.where(*later).order_by(*order).limit(PAGE)


def latest(engine: Engine, count: int) -> list[StoredEvent]:
    """Return the last events by the doors' time, oldest first."""
    # Not by an order of its own: PostgreSQL would begin with what older versions stored without a time.
    return page(engine, EventFilter(), count).events[::-1]


class News:
    """Events stored since the last look, each once, whichever hub stored them.

    Follows how far each stream has no gap, so that nothing is skipped when two hubs commit in
    another order than they began. One thread.
    """

    def __init__(self, engine: Engine, *, from_the_start: bool = False) -> None:
        self._engine = engine
        self._seen: dict[tuple[str, str], int] = {} if from_the_start else self._uptos()

    def look(self) -> list[StoredEvent]:
        """Return what is new, at most a page from each stream."""
        found: list[StoredEvent] = []
        seen = dict(self._seen)
        # All streams at each look, a row for each door and journal. By the time at which a stream last grew
        # everything would be left out that is stored after the clock of a hub was set back.
        for key, upto in self._uptos().items():
            if upto > seen.get(key, 0):
                events = self._between(*key, seen.get(key, 0), upto)
                seen[key] = events[-1].seq if len(events) == PAGE else upto
                found += events
        # Only now: a database that fails on the way has shown nobody anything.
        self._seen = seen
        return sorted(found, key=lambda event: (event.at or "", event.device, event.seq))

    def _between(self, device: str, stream: str, seen: int, upto: int) -> list[StoredEvent]:
        mine = (EVENTS.c.device == device, EVENTS.c.stream == stream, EVENTS.c.seq > seen)
        query = SELECTED.where(*mine, EVENTS.c.seq <= upto).order_by(EVENTS.c.seq).limit(PAGE)
        with reading(self._engine) as connection:
            return [StoredEvent(*row) for row in connection.execute(query)]

    def _uptos(self) -> dict[tuple[str, str], int]:
        """Return how far each stream is."""
        query = sa.select(STREAMS.c.device, STREAMS.c.stream, STREAMS.c.upto)
        with reading(self._engine) as connection:
            return {(row.device, row.stream): row.upto for row in connection.execute(query)}


def _narrowed(query: sa.Select[Any], wanted: EventFilter) -> sa.Select[Any]:
    """Add what must fit; SQLite, which counts nothing, is told which index narrows most."""
    columns = {EVENTS.c.resident: wanted.resident, EVENTS.c.reason: wanted.reason, EVENTS.c.kind: wanted.kind}
    given = [column for column, value in columns.items() if value is not None]
    narrow = ("person" if given[0] is EVENTS.c.resident else given[0].name) if given else "time"
    if wanted.device is not None:
        narrow = BESIDE_DEVICE[narrow]
        query = query.where(EVENTS.c.device == wanted.device)
    if wanted.devices is not None:
        query = query.where(EVENTS.c.device.in_(wanted.devices))
    query = query.where(*(column == columns[column] for column in given))
    if wanted.since is not None:
        query = query.where(EVENTS.c.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(EVENTS.c.at < wanted.until)
    return query.with_hint(EVENTS, f"INDEXED BY events_by_{narrow}", "sqlite")
