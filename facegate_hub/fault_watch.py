"""Opens and ends tickets from what doors report about their own health in stored events.

Only a door's reports about its own parts are read, never an event of a resident or an alarm: a silent alarm
must not become visible anywhere.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import sqlalchemy as sa

from edge.events import KINDS, Kind
from facegate_hub.clerk import is_door
from facegate_hub.community.doors import NETWORK as ALL_DOORS
from facegate_hub.community.doors import meet_doors
from facegate_hub.database import reading
from facegate_hub.door_names import door_names
from facegate_hub.looking import LookingThread
from facegate_hub.tables import DEVICES, EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Engine

    from facegate_hub.community.faults import Faults


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
LOOK_SECONDS = 5.0
LASTS_SECONDS = 120.0
"""A fault that is over sooner is no work for anybody."""
BACK_DAYS = 7
"""How far back a hub that starts anew looks."""
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
        self._states: dict[tuple[str, str], tuple[str, bool]] = {}
        """By door and kind: when by the door's clock, and whether it was faulty then."""
        self._faulty_since: dict[tuple[str, str], float] = {}
        self._since = datetime.fromtimestamp(now(), UTC) - timedelta(days=BACK_DAYS)
        super().__init__("hub-faults", LOOK_SECONDS, "faults of doors could not be looked at")

    def look(self) -> int:
        """Read what is new, move tickets on, and return how many."""
        self._read()
        now = self._now()
        lasting = self._away(now)
        for key, (_, is_faulty) in self._states.items():
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
        began = datetime.fromtimestamp(self._now(), UTC)
        kinds = [str(kind) for kind in (*WATCHED, Kind.SERVICE_STARTED)]
        wanted = (EVENTS.c.kind.in_(kinds), EVENTS.c.at >= self._since.isoformat())
        query = sa.select(EVENTS.c.device, EVENTS.c.kind, EVENTS.c.at, EVENTS.c.body).where(*wanted)
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(EVENTS.c.at, EVENTS.c.seq)).all()
        for row in rows:
            if not is_door(row.device):
                continue
            if row.kind == Kind.SERVICE_STARTED:
                for kind in JUDGED_ANEW:
                    if (row.device, str(kind)) in self._states:
                        self._note(row.device, kind, row.at, is_faulty=False)
            else:
                self._note(row.device, row.kind, row.at, is_faulty=_is_faulty(row.kind, row.body))
        # A door that was offline sends its events later, so each look goes back a day.
        # Not the later of this and the last one: a clock that went back would leave out what happens now.
        self._since = began - timedelta(days=1)

    def _note(self, door: str, kind: str, at: str, *, is_faulty: bool) -> None:
        """Take what a door said, unless it said something newer of the same part."""
        if at >= self._states.get((door, kind), ("", False))[0]:
            self._states[door, kind] = (at, is_faulty)


def _is_faulty(kind: str, body: str) -> bool:
    """Return whether a door said that something of its own is not well."""
    try:
        state = json.loads(body)["data"].get("state")
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    return isinstance(state, str) and state not in KINDS[Kind(kind)].well_states
