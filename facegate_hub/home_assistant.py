"""Tells Home Assistant about the doors of integrations provisioned for it, and takes away what ended."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import sqlalchemy as sa

from edge import __version__
from edge.errors import SyncError
from edge.wire.discovery import Announced, discovery
from facegate_hub.clerk import HubClerk
from facegate_hub.database import insert_missing, reading
from facegate_hub.tables import ANNOUNCED, DOORS

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine

    from edge.wire.messages import Message
    from facegate_hub.signer.client import SignerClient

LOOK_SECONDS = 5.0
UNLOCK = "unlock"


class HomeAssistantPart(HubClerk):
    """Leaves discovery messages at the broker as grants say. Has a thread of its own.

    A lock and a button are among them only for an integration that may unlock that door.
    """

    def __init__(self, engine: Engine, signer: SignerClient) -> None:
        super().__init__(engine, "hub-home-assistant", (), LOOK_SECONDS)
        self._signer = signer
        self._shown: dict[str, bytes] = {}
        """What this connection was told; an empty message takes an entity away."""

    def begin_again(self) -> None:
        """Show everything again: a broker may have lost it, and what was on its way is lost."""
        self._shown = {}

    def handle(self, message: Message) -> None:
        """Nothing is subscribed to here."""

    def idle(self) -> None:
        """Show what is new or changed, and take away what nobody is to see any more."""
        # Read before `super().idle()`: a connection that opens meanwhile has nothing to confirm yet.
        is_all_confirmed = self.is_all_confirmed
        super().idle()
        if self.link_problem(time.monotonic()) is not None:
            return
        try:
            wanted = self._wanted()
        except SyncError as error:
            self.broke(error)
            return
        with reading(self._engine) as connection:
            before = set(connection.execute(sa.select(ANNOUNCED.c.topic)).scalars())
        # Stored before it is published, and until the broker has confirmed its removal: a hub removes only
        # topics that are stored here, and a retained topic that nobody knows would stay at the broker
        # forever.
        fresh = [{"topic": topic} for topic in wanted if topic not in before]
        gone = sorted(before - set(wanted))
        over = [topic for topic in gone if self._shown.get(topic) == b""] if is_all_confirmed else []
        if fresh or over:
            with self._engine.begin() as connection:
                insert_missing(connection, ANNOUNCED, fresh)
                connection.execute(sa.delete(ANNOUNCED).where(ANNOUNCED.c.topic.in_(over)))
        for topic, payload in [*((topic, b"") for topic in gone), *wanted.items()]:
            if self.room and self._shown.get(topic) != payload:
                self.send(topic, payload, retain=True)
                self._shown[topic] = payload

    def _wanted(self) -> dict[str, bytes]:
        """Return every discovery message there should be, by topic."""
        with reading(self._engine) as connection:
            called = {row.id: row for row in connection.execute(sa.select(DOORS))}
        found: dict[str, bytes] = {}
        for grant in self._signer.integrations():
            if grant.home_assistant is None:
                continue
            for door in grant.doors:
                name, area = (called[door].name, called[door].place) if door in called else ("", "")
                asking = grant.name if UNLOCK in grant.may else None
                shown = Announced(door, __version__, grant.home_assistant, name, area, asking)
                found |= dict(discovery(shown))
        return found
