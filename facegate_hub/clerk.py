"""The base of the hub's parts: doors cannot crowd each other out, and a failing database loses no message."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.broker.clerk import TopicWorker
from edge.broker.fair_queue import Room
from edge.errors import SyncError
from edge.wire.names import DEVICE_ID, device_of, is_app, is_hub
from edge.wire.shapes import printable
from facegate_hub.database import put_all, reading
from facegate_hub.tables import DEVICES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.engine import Engine

    from edge.broker.session import BrokerSession
    from edge.wire.messages import Message

LOG = logging.getLogger(__name__)

HUB_ROOM = Room(50_000, 64 * 1024 * 1024, 200, 4 * 1024 * 1024)
"""What may wait for a part of the hub; a door has 20 messages of 128 KiB under way at most, and again
as many after it connected anew."""
PAUSE_SECONDS = 0.5
"""Between attempts while the database fails: doors repeat themselves after 3 s at the earliest."""
TELL_SECONDS = 10.0
"""Between two notes about doors that send too much, and between looks at who was shut out."""
DATABASE_FAILS = (
    sa.exc.OperationalError,
    sa.exc.InterfaceError,
    sa.exc.InternalError,
    sa.exc.TimeoutError,
    sa.exc.ResourceClosedError,
)
"""The database is away, busy or broken: the same may work in a moment. Anything else will not."""


class HubClerk(TopicWorker):
    """Handles messages of doors that are not trusted, with a database that may fail.

    What a door says once is kept and tried again until it is written; meanwhile its next messages wait
    in their room. A door that was shut out is not listened to.
    """

    def __init__(
        self,
        engine: Engine,
        name: str,
        subscriptions: Sequence[str],
        tick_seconds: float = 1.0,
        room: Room = HUB_ROOM,
    ) -> None:
        super().__init__(name, subscriptions, tick_seconds, room, most_answers=room.messages)
        self._engine = engine
        self._shut_out: frozenset[str] = frozenset()
        self._refusals: Counter[str] = Counter()
        self._not_carried: dict[str, str] = {}
        """Doors for which a message was too long for the broker, and what."""
        self._refusing = threading.Lock()
        self._tell_at = time.monotonic()
        self._is_to_begin = True

    def opened(self, session: BrokerSession, now: float) -> None:
        """Have the clerk's thread begin again: what was on its way when a connection ended may be lost."""
        # The answers of the last connection go first: what the clerk begins again must not go with them.
        super().opened(session, now)
        self._is_to_begin = True

    def begin_again(self) -> None:
        """Forget what was sent: at the start, and after each new connection. Clerk's thread, in `idle`."""

    def received(self, message: Message, now: float) -> None:
        """Let a message wait for the clerk's thread. Raises `SyncError` when its door has no more room."""
        device = device_of(message.topic)
        if device in self._shut_out:
            raise SyncError(f"{device} was shut out")
        try:
            super().received(message, now)
        except SyncError:
            with self._refusing:
                self._refusals[device] += 1
            raise

    def not_carried(self, topic: str, why: str) -> None:
        """Say it beside the door that goes without this message, where staff look."""
        super().not_carried(topic, why)
        with self._refusing:
            self._not_carried[device_of(topic)] = why

    def handle_all(self, messages: list[Message]) -> None:
        """Do what each message asks for, as often as it takes the database."""
        for message in messages:
            try:
                self.patiently(lambda message=message: self.handle(message))  # type: ignore[misc]
            except Exception as error:  # noqa: BLE001 - outermost for this message: one that breaks us is not repeated
                self.broke(error)

    def idle(self) -> None:
        """Begin again on a new connection; name doors that send more than there is room for."""
        self._begin_if_new()
        if (now := time.monotonic()) < self._tell_at:
            return
        self._tell_at = now + TELL_SECONDS
        shut_out = sa.select(DEVICES.c.id).where(DEVICES.c.shut_out.is_not(None))
        with reading(self._engine) as connection:
            self._shut_out = frozenset(connection.execute(shut_out).scalars())
        with self._refusing:
            refusals, self._refusals = self._refusals, Counter()
            problems, self._not_carried = self._not_carried, {}
        problems |= {
            device: f"{self.name}: {count} messages refused: too many" for device, count in refusals.items()
        }
        notes = [
            {"id": device, "problem": printable(problems[device])[:200], "problem_at": time.time()}
            for device in sorted(problems)
            if is_door(device)
        ]
        for row in notes:
            LOG.warning("%s: %s", row["id"], row["problem"])
        with self._engine.begin() as connection:
            put_all(connection, DEVICES, notes)

    def _begin_if_new(self) -> None:
        if not self._is_to_begin:
            return
        # Cleared before the work, not after it: a connection that opens meanwhile sets it again.
        self._is_to_begin = False
        try:
            self.begin_again()
        except BaseException:
            self._is_to_begin = True
            raise

    def patiently(self, work: Callable[[], Any]) -> None:
        """Do something with the database; again and again while it fails, until this part is to end."""
        while True:
            try:
                work()
            except DATABASE_FAILS as error:
                self.database_failed(error)
                if self._waiting.is_ended:
                    return
            else:
                return

    def broke(self, error: Exception) -> None:
        """Say what nobody expected once a minute; a database that fails, in one line."""
        if isinstance(error, DATABASE_FAILS):
            self.database_failed(error)
        else:
            super().broke(error)

    def database_failed(self, error: Exception) -> None:
        """Say it once a minute, and leave the database a moment."""
        if self.is_worth_a_line():
            LOG.error("the hub's database fails: %s; %s tries again until it works", said(error), self.name)
        time.sleep(PAUSE_SECONDS)


def said(error: Exception) -> str:
    """Return what the database has against us, in one line."""
    # A driver may give no words at all; this must not break whoever is about to try again.
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0] or type(error).__name__


def is_door(name: str) -> bool:
    """Return whether this can be a door's name; no door has a hub's."""
    return DEVICE_ID.fullmatch(name) is not None and not is_hub(name) and not is_app(name)
