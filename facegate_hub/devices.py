"""What the hub knows of each door beside its events: is it there, how is it, how far is its roster."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.broker.fair_queue import Room
from edge.errors import SyncError
from edge.wire.messages import Availability, parse_object
from edge.wire.names import HUB, ROOT, device_of
from edge.wire.shapes import printable
from facegate_hub.clerk import HubClerk, is_door
from facegate_hub.database import put, put_all, reading
from facegate_hub.tables import DEVICES, HUBS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy.engine import Engine

    from edge.broker.session import BrokerSession
    from edge.wire.messages import Message

    Notes = Mapping[str, Mapping[str, Any]]
    """Columns of the table `devices`, by door."""

LOG = logging.getLogger(__name__)

ATTENDANCE_ROOM = Room(50_000, 64 * 1024 * 1024, 50, 256 * 1024)
MOST_STATE_BYTES = 16 * 1024
SILENT_SECONDS = 190.0
"""A door tells its state every 60 s: after three that are missing it is not there, whatever the broker
keeps in its name."""
LOOK_SECONDS = 5.0
HEARD_SECONDS = 15.0
"""Between two notes that events of a door were stored."""


class Attendance(HubClerk):
    """Notes which doors are there, and how they are. A morning's reconnects are one commit.

    What the broker kept (retained) tells how a door was, never that it is there now.
    """

    def __init__(
        self,
        engine: Engine,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        topics = (f"{ROOT}/+/avail", f"{ROOT}/+/state")
        super().__init__(engine, "hub-attendance", topics, room=ATTENDANCE_ROOM)
        self._monotonic = monotonic
        self._now = now
        self._heard: dict[str, float] = {}
        self._listening_since: float | None = None
        self._look_at = 0.0

    def opened(self, session: BrokerSession, now: float) -> None:
        """Begin to count silence anew: while we were away nobody could be heard."""
        super().opened(session, now)
        self._listening_since = self._monotonic()

    def handle(self, message: Message) -> None:
        """Note one door."""
        self.handle_all([message])

    def handle_all(self, messages: list[Message]) -> None:
        """Note the last word of each door."""
        notes: dict[str, dict[str, Any]] = {}
        for message in messages:
            device = device_of(message.topic)
            said = self._said(message)
            notes.setdefault(device, {}).update(said)
            if "heard_at" in said:
                self._heard[device] = self._monotonic()
        self.patiently(lambda: note(self._engine, notes))

    def idle(self) -> None:
        """Note that this hub lives, and which doors have fallen silent."""
        super().idle()
        now = self._monotonic()
        problem = self.link_problem(now)  # at each look: it takes two to tell a lost connection from a pause
        if now < self._look_at:
            return
        self._look_at = now + LOOK_SECONDS
        row = {"name": HUB, "heard_at": time.time(), "problem": problem}
        with self._engine.begin() as connection:
            put(connection, HUBS, row)
        since = self._listening_since
        if since is not None and now - since > SILENT_SECONDS and row["problem"] is None:
            self._miss(now)

    def _said(self, message: Message) -> dict[str, Any]:
        live = {} if message.retained else heard_at(self._now())
        try:
            if message.topic.endswith("/avail"):
                state = Availability.parse(message.payload).state
                # Offline is what the broker says of a door that is gone, or its goodbye.
                return {"avail": state, **(live if state == "online" else {})}
            _require_state(message.payload)
        except SyncError as error:
            LOG.debug("%s: %s", message.topic, error)
            return problem(str(error))
        return {"state": message.payload.decode(), **live, **({"avail": "online"} if live else {})}

    def _miss(self, now: float) -> None:
        """Call doors offline that say they are there and were not heard, here or by who stores events."""
        wall = time.time()
        # On both sides of now: after the wall clock went back, a door that is dead would be there until then.
        recently = DEVICES.c.heard_at.between(wall - SILENT_SECONDS, wall + SILENT_SECONDS)
        is_heard = sa.func.coalesce(recently, sa.false())
        query = sa.select(DEVICES.c.id).where(DEVICES.c.avail == "online", ~is_heard)
        with reading(self._engine) as connection:
            quiet = connection.execute(query).scalars().all()
        # By this hub's monotonic clock as well: a wall clock that was set forward would make every door
        # silent.
        silent = [name for name in quiet if now - self._heard.get(name, 0.0) > SILENT_SECONDS]
        for name in silent:
            LOG.warning("%s: not heard for more than %.0f s; it counts as offline", name, SILENT_SECONDS)
        if silent:
            with self._engine.begin() as connection:
                put_all(connection, DEVICES, [{"id": name, "avail": "offline"} for name in silent])


def _require_state(payload: bytes) -> None:
    parse_object(payload)
    if len(payload) > MOST_STATE_BYTES:
        raise SyncError(f"state: {len(payload)} bytes")


class Hearsay:
    """Notes that a door was heard because its events were stored; not at every message. One thread."""

    def __init__(self, engine: Engine, now: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._now = now
        self._noted: dict[str, float] = {}

    def heard(self, devices: set[str]) -> None:
        """Note those that were not noted just now."""
        now = time.monotonic()
        due = {name for name in devices if now - self._noted.get(name, -HEARD_SECONDS) >= HEARD_SECONDS}
        if due:
            note(self._engine, dict.fromkeys(due, heard_at(self._now())))
            self._noted |= dict.fromkeys(due, now)


def heard_at(now: float) -> dict[str, Any]:
    """Return the columns that say a door was heard at a moment (seconds since 1970)."""
    return {"seen_at": datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds"), "heard_at": now}


def problem(text: str) -> dict[str, Any]:
    """Return the columns that say what a door has done wrong now; nothing in it can steer a terminal."""
    return {"problem": printable(text)[:200], "problem_at": time.time()}


def note(engine: Engine, notes: Notes) -> None:
    """Write what was heard of doors, a commit for each kind of word; no door has a hub's name."""
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for name in sorted(notes):  # sorted: hubs never wait for each other in a circle
        if is_door(name) and notes[name]:
            alike.setdefault(tuple(notes[name]), []).append({"id": name, **notes[name]})
    for rows in alike.values():
        with engine.begin() as connection:
            put_all(connection, DEVICES, rows)


def known_doors(engine: Engine) -> list[str]:
    """Return every door that was ever heard, by id."""
    with reading(engine) as connection:
        query = sa.select(DEVICES.c.id).where(DEVICES.c.id != HUB).order_by(DEVICES.c.id)
        return list(connection.execute(query).scalars())


def readers_of(engine: Engine, field: str) -> dict[str, bool]:
    """Return which doors said that they read a field of records that older versions do not know, by id."""
    with reading(engine) as connection:
        rows = connection.execute(sa.select(DEVICES.c.id, DEVICES.c.reads)).all()
    return {row.id: field in (row.reads or "").split(",") for row in rows}
