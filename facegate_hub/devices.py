"""What the hub knows of each door beside its events: is it there, how far is its roster."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.broker.clerk import Clerk
from edge.errors import SyncError
from edge.site.provision import HUB, is_hub
from edge.wire.messages import Availability
from edge.wire.names import DEVICE_ID, ROOT
from facegate_hub.tables import DEVICES, put_all, reading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.engine import Engine

    from edge.wire.messages import Message

    Notes = Mapping[str, Mapping[str, Any]]
    """Columns of the table `devices`, by door."""

LOG = logging.getLogger(__name__)


class Attendance(Clerk):
    """Notes which doors are there. A morning's reconnects are one commit."""

    def __init__(self, engine: Engine) -> None:
        super().__init__("hub-attendance", (f"{ROOT}/+/avail",), most_waiting=50_000)
        self._engine = engine

    def handle(self, message: Message) -> None:
        """Note one door."""
        self.handle_all([message])

    def handle_all(self, messages: list[Message]) -> None:
        """Note the last word of each door."""
        notes: dict[str, dict[str, Any]] = {}
        for message in messages:
            device = device_of(message.topic)
            try:
                said: dict[str, Any] = {"avail": Availability.parse(message.payload).state}
            except SyncError as error:
                LOG.debug("%s: %s", device, error)
                said = {"problem": str(error)[:200]}
            notes.setdefault(device, {}).update(said)
        note(self._engine, notes)


def note(engine: Engine, notes: Notes) -> None:
    """Write what was heard of doors, a commit for each kind of word; no door has a hub's name."""
    seen_at = datetime.now(UTC).isoformat(timespec="seconds")
    doors = [name for name in sorted(notes) if DEVICE_ID.fullmatch(name) and not is_hub(name)]
    if not doors:
        return
    alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for name in doors:  # sorted: hubs never wait for each other in a circle
        alike.setdefault(tuple(notes[name]), []).append({"id": name, "seen_at": seen_at, **notes[name]})
    for rows in alike.values():
        with engine.begin() as connection:
            put_all(connection, DEVICES, rows)


def known_doors(engine: Engine) -> list[str]:
    """Return every door that was ever heard, by id."""
    with reading(engine) as connection:
        query = sa.select(DEVICES.c.id).where(DEVICES.c.id != HUB).order_by(DEVICES.c.id)
        return list(connection.execute(query).scalars())


def device_of(topic: str) -> str:
    """Return the device a topic is of."""
    return topic.split("/")[2]
