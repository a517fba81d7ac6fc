"""The doors' record over ninety days: the faults each reported, how long repairs took. No data of people.

It is computed from entries of the book (`ticket.faulty`, `ticket.cleared`), so nobody can embellish it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING

import sqlalchemy as sa

from facegate_hub.community.book import SYSTEM
from facegate_hub.community.schema import DOORS, FAULTS, LEDGER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

    from facegate_hub.community.book import Book

DAY = 86_400
DAYS = 90
SERVICED = "door.serviced"


@dataclass(frozen=True, slots=True)
class FaultTime:
    """A fault of a door: `until` None while it lasts. Times are UTC seconds."""

    rule: str
    ticket: int
    since: int
    until: int | None


@dataclass(frozen=True, slots=True)
class SignedService:
    """The last service that an installer signed at the door: of what, when, and when next (UTC seconds)."""

    part: str
    at: int
    due: int


@dataclass(frozen=True, slots=True)
class DoorRecord:
    """One door over ninety days, or since it was first heard of (`since`).

    `days` are the last ninety, the oldest first: seconds with a fault, None before the door was there.
    `well_percent` is the share of the time without any fault, rounded down; `repair_seconds` the median.
    """

    door: str
    since: int
    open: tuple[FaultTime, ...]
    faults: int
    days: tuple[int | None, ...]
    well_percent: int
    repair_seconds: int | None
    service: SignedService | None = None


def note_service(book: Book, door: str, part: str, when: tuple[int, int], event: str) -> bool:
    """Enter a service that an installer signed at a door (`when`: at, next); False: it is there already.

    `event` names the door's own entry of it.
    """
    with book.writing() as writing:
        query = sa.select(LEDGER.c.body).where(LEDGER.c.kind == SERVICED, LEDGER.c.subject == f"door:{door}")
        bodies = writing.connection.execute(query).scalars()
        if any(json.loads(body)["say"].get("event") == event for body in bodies):
            return False
        at, due = when
        writing.enter(SYSTEM, SERVICED, f"door:{door}", part=part, at=at, due=due, event=event)
    return True


def read_doors(book: Book) -> list[DoorRecord]:
    """Return every door as it is now."""
    now = book.now()
    with book.looking() as connection:
        since = {row.id: row.since for row in connection.execute(sa.select(DOORS))}
        kinds = LEDGER.c.kind.in_(["ticket.faulty", "ticket.cleared"])
        query = sa.select(LEDGER.c.at, LEDGER.c.body).where(kinds).order_by(LEDGER.c.seq)
        entries = [(row.at, json.loads(row.body)) for row in connection.execute(query)]
        services = _services(connection)
    times = _fault_times(entries)
    for door, faults in times.items():
        since[door] = min(since.get(door, now), *(one.since for one in faults))
    found = [_record(door, at, times.get(door, []), now) for door, at in since.items()]
    found = [replace(one, service=services.get(one.door)) for one in found]
    return sorted(found, key=lambda one: (not one.open, one.door))


def _services(connection: Connection) -> dict[str, SignedService]:
    """Return the newest service of each door."""
    query = sa.select(LEDGER.c.subject, LEDGER.c.body).where(LEDGER.c.kind == SERVICED)
    found: dict[str, SignedService] = {}
    for row in connection.execute(query.order_by(LEDGER.c.seq)):
        said, door = json.loads(row.body)["say"], row.subject.removeprefix("door:")
        if door not in found or said["at"] >= found[door].at:
            found[door] = SignedService(said["part"], said["at"], said["due"])
    return found


def _fault_times(entries: Sequence[tuple[int, dict[str, object]]]) -> dict[str, list[FaultTime]]:
    """Return the faults of each door, the oldest first."""
    running: dict[tuple[str, str], FaultTime] = {}
    found: dict[str, list[FaultTime]] = {}
    for at, body in entries:
        rows: object = body["rows"]
        for table, _, values in rows if isinstance(rows, list) else ():
            if table != FAULTS.name:
                continue
            key = (values["door"], values["rule"])
            if values["state"] == "open":
                running.setdefault(key, FaultTime(key[1], int(values["ticket"]), at, None))
            elif (fault := running.pop(key, None)) is not None:
                ended = FaultTime(fault.rule, fault.ticket, fault.since, at)
                found.setdefault(key[0], []).append(ended)
    for (door, _), fault in running.items():
        found.setdefault(door, []).append(fault)
    return found


def _record(door: str, since: int, faults: Sequence[FaultTime], now: int) -> DoorRecord:
    begin = max(since, now - DAYS * DAY)
    recent = [one for one in faults if one.until is None or one.until > begin]
    spans = _joined([(max(begin, one.since), one.until or now) for one in recent])
    days: list[int | None] = []
    for number in range(DAYS, 0, -1):
        first, last = now - number * DAY, now - (number - 1) * DAY
        days.append(None if last <= since else _within(spans, first, last))
    lasted, bad = max(1, now - begin), _within(spans, begin, now)
    repaired = [one.until - one.since for one in recent if one.until is not None]
    return DoorRecord(
        door=door,
        since=since,
        open=tuple(one for one in faults if one.until is None),
        faults=len(recent),
        days=tuple(days),
        well_percent=100 * (lasted - bad) // lasted,
        repair_seconds=int(median(repaired)) if repaired else None,
    )


def _joined(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans that do not overlap: two faults at once are one time that was not well."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined


def _within(spans: Sequence[tuple[int, int]], first: int, last: int) -> int:
    return sum(max(0, min(last, end) - max(first, begin)) for begin, end in spans)
