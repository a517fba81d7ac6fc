"""Opens and ends tickets from what doors report about their own health in stored events.

Only a door's reports about its own parts are read, never an event of a resident or an alarm: a silent alarm
must not become visible anywhere.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, TypeAlias

import sqlalchemy as sa

from edge.events import KINDS, Kind
from facegate_hub.clerk import is_door
from facegate_hub.community.doors import NETWORK as ALL_DOORS
from facegate_hub.community.doors import meet_doors
from facegate_hub.database import reading
from facegate_hub.door_names import door_names
from facegate_hub.looking import LookingThread
from facegate_hub.tables import DEVICES, EVENTS, STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection, Engine, Row

    from facegate_hub.community.faults import Faults

Journal: TypeAlias = "tuple[str, str]"
"""Whose it is, and its name."""

WATCHED = (
    Kind.HEALTH_CAMERA,
    Kind.HEALTH_PICTURE,
    Kind.HEALTH_READER,
    Kind.HEALTH_CREDENTIALS,
    Kind.HEALTH_CLOCK,
)
"""Each says in `state` whether all is well again."""
JUDGED_ANEW = (Kind.HEALTH_CAMERA, Kind.HEALTH_PICTURE, Kind.HEALTH_READER, Kind.HEALTH_CLOCK)
"""What a door that starts tells anew where it is still wrong; what was mended while it was off is not."""
JOURNALS = sa.select(STREAMS.c.device, STREAMS.c.stream, STREAMS.c.upto, STREAMS.c.top).order_by(
    # A door has several after its card was damaged: the one that it writes now speaks last.
    sa.func.coalesce(STREAMS.c.moved_at, 0.0)
)
REPORTS: sa.Select[Any] = (
    sa.select(EVENTS.c.device, EVENTS.c.stream, EVENTS.c.kind, EVENTS.c.body)
    .where(EVENTS.c.kind.in_([str(kind) for kind in (*WATCHED, Kind.SERVICE_STARTED)]))
    .order_by(EVENTS.c.device, EVENTS.c.stream, EVENTS.c.seq)
)
LOOK_SECONDS = 5.0
LASTS_SECONDS = 120.0
"""A fault that is over sooner is no work for anybody."""
BACK_DAYS = 7
"""How far back a hub that starts anew looks, by its own clock."""
DAY_SECONDS = 86_400.0
MOST_BEHIND_A_GAP = 1000
"""Events behind a gap that are read again at each look, until the gap is filled."""
AWAY_SECONDS = 600.0
"""How long a door may be offline before somebody should look."""
AWAY, NETWORK = "door.away", "site.network"
"""Rules for a door that is offline, and for most of them being so at once: one ticket for what they share."""
LEAST_TOGETHER = 3


class FaultWatch(LookingThread):
    """Keeps the tickets of faults up to date, in a thread of its own."""

    def __init__(self, engine: Engine, faults: Faults, now: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._faults = faults
        self._now = now
        self._states: dict[tuple[str, str], bool] = {}
        """By door and kind: whether it was faulty when the door last spoke of it."""
        self._faulty_since: dict[tuple[str, str], float] = {}
        self._ends: dict[Journal, tuple[int, int]] = {}
        """How far each journal was read: up to its first gap, and to its end."""
        super().__init__("hub-faults", LOOK_SECONDS, "faults of doors could not be looked at")

    def look(self) -> int:
        """Read what is new, move tickets on, and return how many."""
        self._read()
        now = self._now()
        lasting = self._away(now)
        for key, is_faulty in self._states.items():
            if not is_faulty:
                self._faulty_since.pop(key, None)
                lasting[key] = False
            else:
                # Counted from when this hub first saw it, by our own clock: the door's may be wrong. Never
                # from later than now, where our own clock went back.
                since = self._faulty_since[key] = min(now, self._faulty_since.get(key, now))
                if now - since >= LASTS_SECONDS:
                    lasting[key] = True
        return self._faults.update(lasting)

    def _away(self, now: float) -> dict[tuple[str, str], bool]:
        """Return which doors have been offline for long; most of them at once is one fault of the network."""
        with reading(self._engine) as connection:
            rows = connection.execute(sa.select(DEVICES.c.id, DEVICES.c.avail, DEVICES.c.heard_at)).all()
        doors = {row.id: row for row in rows if is_door(row.id)}
        names = door_names(self._engine)
        meet_doors(self._faults.book, {door: names.get(door, "") for door in doors})
        gone = {
            door
            for door, row in doors.items()
            # A time ahead is from before our clock went back: nobody knows how long the door has been gone.
            if row.avail == "offline" and row.heard_at is not None and abs(now - row.heard_at) >= AWAY_SECONDS
        }
        is_network = len(gone) >= LEAST_TOGETHER and 2 * len(gone) > len(doors)
        if is_network:  # what single doors said of themselves before stays as it is
            return {(ALL_DOORS, NETWORK): True}
        return {(ALL_DOORS, NETWORK): False} | {(door, AWAY): door in gone for door in doors}

    def _read(self) -> None:
        """Take what is new of each journal, in the order in which its door wrote it.

        By the journals' own numbers: a door's clock may be years behind, or be set back between two events.
        """
        with reading(self._engine) as connection:
            rows = connection.execute(JOURNALS).all()
            ends = {(row.device, row.stream): (row.upto, row.top or row.upto) for row in rows}
            grown = [key for key, end in ends.items() if end != self._ends.get(key)]
            events = self._events(connection, {key: ends[key] for key in grown})
        for key in grown:
            for row in events.get(key, []):
                self._take(row)
        self._ends = ends

    def _events(
        self, connection: Connection, grown: dict[Journal, tuple[int, int]]
    ) -> dict[Journal, list[Row[Any]]]:
        """Return what these journals say of doors' parts: all of the last days at first, then what is new."""
        found: dict[Journal, list[Row[Any]]] = {}
        if not self._ends:
            since = self._now() - BACK_DAYS * DAY_SECONDS
            late = sa.or_(EVENTS.c.stored_at >= since, EVENTS.c.stored_at.is_(None))
            for row in connection.execute(REPORTS.where(late)):
                found.setdefault((row.device, row.stream), []).append(row)
            return found
        for (device, stream), (now_upto, _) in grown.items():
            upto, top = self._ends.get((device, stream), (0, 0))
            # What waits behind a gap is read again: what fills the gap comes before it.
            after = upto if now_upto > upto else max(upto, top - MOST_BEHIND_A_GAP)
            mine = (EVENTS.c.device == device, EVENTS.c.stream == stream, EVENTS.c.seq > after)
            found[device, stream] = list(connection.execute(REPORTS.where(*mine)))
        return found

    def _take(self, row: Row[Any]) -> None:
        if not is_door(row.device):
            return
        if row.kind != Kind.SERVICE_STARTED:
            self._states[row.device, row.kind] = _is_faulty(row.kind, row.body)
            return
        for kind in JUDGED_ANEW:
            if (row.device, str(kind)) in self._states:
                self._states[row.device, str(kind)] = False


def _is_faulty(kind: str, body: str) -> bool:
    """Return whether a door said that something of its own is not well."""
    try:
        state = json.loads(body)["data"].get("state")
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    return isinstance(state, str) and state not in KINDS[Kind(kind)].well_states
