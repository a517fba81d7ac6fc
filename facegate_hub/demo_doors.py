"""Doors of a compound that does not exist: what they would have told the hub today, told to its own parts.

There is no door and no broker: each message is what such a door sends, with its proof, handed over as if it
had come. So the console shows what the hub makes of it, and nothing that was written for it.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from edge.domain import EventDraft, Reason
from edge.entry_facts import EntryFacts
from edge.events import Kind
from edge.site.provision import Site
from edge.store.chain import Link, Stamp, forge
from edge.store.ids import uuid7
from edge.wire.messages import Availability, Message, batch
from edge.wire.names import ROOT
from edge.wire.proof import EVENTS_PURPOSE, BatchHead, Identity
from facegate_hub.community.database import open_book
from facegate_hub.community.demo import RESIDENTS
from facegate_hub.community.faults import Faults
from facegate_hub.community.staff_store import FOLDER as STAFF_FOLDER
from facegate_hub.community.terms import read_terms
from facegate_hub.devices import Attendance
from facegate_hub.fault_watch import FaultWatch
from facegate_hub.inbox import InboxKind, InboxState
from facegate_hub.ingest import Ingest
from facegate_hub.service import notary
from facegate_hub.staff import Staff
from facegate_hub.tables import open_tables

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge.runtime.clock import ManualClock

NAME = "阳光花园"
GUARD = "gao"
"""Who may give commands at the demo's doors, as the signer knows them."""
HOUR, MINUTE = 3600.0, 60.0
BEGINS = 10 * HOUR
"""So long before now the story begins."""
LOOK_MINUTES = 10
"""Between two looks at faults: one that lasts for longer is a ticket."""
PEOPLE = tuple((number, name) for name, *_, number in RESIDENTS if number)
DOORS = {
    "gate-south": ("南门", "小区南侧"),
    "lobby-3": ("三号楼大堂", "3 号楼 1 层"),
    "lobby-5": ("五号楼大堂", "5 号楼 1 层"),
    "garage": ("地库入口", "地下一层"),
}
TERMS = """[name]
zh = "阳光花园"
en = "Sunny Garden"

[doors]
3 = ["lobby-3"]
5 = ["lobby-5"]
"""
WELL: dict[str, Any] = {
    "mode": "normal",
    "camera": "ok",
    "liveness": "full",
    "door": {"contact": "closed", "lock": "locked", "secured": "secured", "alarms": []},
    "outbox": {"waiting": 0, "oldest_seconds": None, "problem": None},
}

HELD = "door_open_too_long"

Happened = tuple[float, Kind, str | None, Reason | None, dict[str, Any]]
"""Minutes after the story's beginning, and what an event says."""


@dataclass(frozen=True, slots=True)
class _Day:
    """What one door tells: its events, its state at the end, and how long before now it fell silent."""

    events: Sequence[Happened]
    state: dict[str, Any]
    silent_minutes: float = 0.0


def fill_doors(site: Path, url: str, clock: ManualClock) -> None:
    """Provision a site in a folder with a community, and have four doors tell their day.

    `clock` stands at `BEGINS` before the time that the console will show as now.
    """
    made = Site.create(site, NAME, "127.0.0.1")
    doors = [_Door(door, made.add_door(door), clock) for door in DOORS]
    staff = Staff(site, url)
    try:
        for door, (name, place) in DOORS.items():
            staff.name_door(door, name, place)
        rev = staff.import_people([{"id": one, "name": name} for one, name in PEOPLE]).rev
        _Telling(site, url, clock).tell(doors, rev)
        for item in staff.inbox.items(InboxKind.ALARMS, [InboxState.OPEN]):
            staff.hand_over(InboxKind.ALARMS, item.id, GUARD, "去现场看一下，门口有搬家的车")
        staff.signer.change("add", name=GUARD, kind="person", account=None)
        staff.signer.change("grant", name=GUARD, role="desk", doors="*", wanted={})
    finally:
        staff.close()


def new_password(staff: Staff) -> str:
    """Return a new password with which the guard says to the signer who they are."""
    password = secrets.token_urlsafe(9)
    staff.signer.change("password", name=GUARD, password=password)
    return password


class _Door:
    """One door: its journal, its certificate, and what it sends."""

    def __init__(self, name: str, bundle: Path, clock: ManualClock) -> None:
        self.name = name
        self._identity = Identity.load(bundle / "door.crt", bundle / "door.key")
        self._clock = clock
        self._stamp = Stamp(str(uuid7(clock.now())), "demo", "synced", name)
        self._link = Link()

    def event(self, kind: Kind, resident: str | None, reason: Reason | None, data: dict[str, Any]) -> Message:
        now = self._clock.now()
        draft = EventDraft(kind, now, self._clock.monotonic(), resident, reason, data)
        row = forge(draft, uuid7(now), self._stamp, self._link)
        self._link = Link(row.seq, row.hash)
        upto, payload = batch([(row.seq, row.envelope)])
        head = BatchHead.of(self.name, (self._stamp.stream, row.seq, upto), row.seq - 1, payload)
        proof = self._identity.prove(head.body, EVENTS_PURPOSE)
        return Message(f"{ROOT}/{self.name}/evt", payload, retained=False, done=row.seq - 1, proof=proof)

    def says(self, topic: str, payload: bytes) -> Message:
        return Message(f"{ROOT}/{self.name}/{topic}", payload, retained=False)


class _Telling:
    """Hands over what doors say in the order of time, as the hub gets it."""

    def __init__(self, site: Path, url: str, clock: ManualClock) -> None:
        self._clock = clock
        self._begun = clock.now().timestamp()
        engine = open_tables(url)
        now = lambda: clock.now().timestamp()  # noqa: E731
        self._ingest = Ingest(engine, notary=notary(site), now=now)
        self._attendance = Attendance(engine, now=now)
        book, terms = open_book(site, None, clock), read_terms(site / STAFF_FOLDER)
        self._watch = FaultWatch(engine, Faults(book, terms), now)

    def tell(self, doors: Sequence[_Door], rev: int) -> None:
        """Let the day pass: what each door says of its entries and of itself, with looks at their faults."""
        looks = range(LOOK_MINUTES, int(BEGINS / MINUTE) + 1, LOOK_MINUTES)
        moments: list[tuple[float, Callable[[], object]]] = [(minutes, self._watch.look) for minutes in looks]
        for door in doors:
            day = _DAYS[door.name]
            knows: Happened = (1, Kind.ROSTER_CHANGED, None, None, {"rev": rev})
            moments += [(one[0], partial(self._happened, door, one)) for one in (knows, *day.events)]
            moments.append((BEGINS / MINUTE - day.silent_minutes, partial(self._said, door, day)))
        for minutes, act in sorted(moments, key=lambda one: one[0]):
            self._until(minutes)
            act()

    def _happened(self, door: _Door, what: Happened) -> None:
        self._ingest.handle(door.event(*what[1:]))

    def _said(self, door: _Door, day: _Day) -> None:
        self._attendance.handle(door.says("avail", Availability("online", "demo").encode()))
        self._attendance.handle(door.says("state", json.dumps(day.state).encode()))
        if day.silent_minutes:
            self._attendance.handle(door.says("avail", Availability("offline", "demo").encode()))

    def _until(self, minutes: float) -> None:
        wanted = datetime.fromtimestamp(self._begun + minutes * MINUTE, UTC)
        self._clock.advance(max(0.0, (wanted - self._clock.now()).total_seconds()))


def _came(minutes: float, who: str) -> Happened:
    return (
        minutes,
        Kind.ACCESS_GRANTED,
        who,
        Reason.GRANTED,
        EntryFacts("face", 3.0, more={"similarity": 0.71}).stored(),
    )


def _stranger(minutes: float) -> Happened:
    return minutes, Kind.ACCESS_DENIED, None, Reason.UNKNOWN_CREDENTIAL, EntryFacts("face").stored()


_DAYS = {
    "gate-south": _Day(
        (_came(20, "3-302-1"), _came(34, "5-101-1"), _stranger(150), _came(412, "3-1203-1")), WELL
    ),
    "lobby-3": _Day(
        (
            _came(31, "3-1203-1"),
            _came(388, "3-601-1"),
            (560, Kind.DOOR_HELD, None, None, {"alarms": [HELD], "open_seconds": 30.0, "level": 1}),
        ),
        WELL | {"door": WELL["door"] | {"contact": "opened", "secured": "unsecured", "alarms": [HELD]}},
    ),
    "lobby-5": _Day((_came(41, "5-101-1"),), WELL, silent_minutes=95),
    "garage": _Day(
        (
            _came(52, "1-202-1"),
            (430, Kind.HEALTH_CAMERA, None, None, {"state": "lost", "error": "no picture"}),
        ),
        WELL | {"camera": "lost"},
    ),
}
