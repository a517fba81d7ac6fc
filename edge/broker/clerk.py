"""A part of sync with a thread of its own: for messages whose handling touches a disk or a door."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from edge.broker.fair_queue import FairQueue, Room
from edge.broker.session import TooLarge
from edge.wire.names import device_of
from edge.words import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.broker.session import BrokerSession
    from edge.wire.messages import Message

LOG = logging.getLogger(__name__)

ROOM = Room(1000, 64 * 1024 * 1024, 1000, 64 * 1024 * 1024)
"""What may wait at a door, where all is the property's: a roster snapshot is 32 MiB at most. More is
rejected, not kept."""
MOST_ANSWERS = 1000
TURN_BYTES = 128 * 1024
"""Of one sender in a turn: what a door puts into one message of events."""
MOST_AT_ONCE = 1000
TICK_SECONDS = 1.0
QUIET_SECONDS = 60.0
LINK_SECONDS = 2.0
"""A turn of the connection takes 0.1 s, a confirmation on a healthy line less than one."""


class TopicWorker:
    """Takes messages from the sync thread, handles them one by one, and hands answers back.

    Subclasses define `handle`; `idle` is called at least every `tick_seconds`. `start` and `stop`
    it beside the connection. An exception in `handle` is logged and ends nothing.
    """

    def __init__(
        self,
        name: str,
        subscriptions: Sequence[str],
        tick_seconds: float = TICK_SECONDS,
        room: Room = ROOM,
        most_answers: int = MOST_ANSWERS,
    ) -> None:
        self.name = name
        self.subscriptions = subscriptions
        self._tick = tick_seconds
        self._waiting = FairQueue(room, TURN_BYTES)
        self._answers: deque[tuple[str, bytes, bool]] = deque(maxlen=most_answers)
        self._unconfirmed: dict[int, float] = {}
        self._is_sending = False
        self._stepped_at: float | None = None
        self._quiet_until = 0.0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin handling. Once."""
        self._thread.start()

    def stop(self, timeout_seconds: float = 5.0) -> None:
        """Handle no more. Safe to call twice."""
        if self._thread.is_alive():
            self._waiting.end()
            self._thread.join(timeout_seconds)

    def is_alive(self) -> bool:
        """Return whether the thread is still there: what a watchdog asks."""
        return self._thread.is_alive()

    def handle(self, message: Message) -> None:
        """Do what one message asks for. Clerk's thread."""
        raise NotImplementedError

    def handle_all(self, messages: list[Message]) -> None:
        """Do what several messages ask for; together where that is cheaper. Clerk's thread."""
        for message in messages:
            try:
                self.handle(message)
            except Exception as error:  # noqa: BLE001 - outermost for this message: one that breaks us is not repeated
                self.broke(error)

    def idle(self) -> None:
        """Do what time asks for. Clerk's thread."""

    def send(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Queue an answer for the next turn of this connection; it is dropped with it. Any thread."""
        self._answers.append((topic, payload, retain))

    @property
    def waiting(self) -> int:
        """How many messages wait for the clerk's thread, about. Any thread."""
        return self._waiting.qsize()

    @property
    def room(self) -> int:
        """How many answers may be queued before the oldest is dropped. Any thread."""
        return (self._answers.maxlen or 0) - len(self._answers)

    @property
    def is_all_confirmed(self) -> bool:
        """Whether the broker owes no confirmation on this connection, and nothing is queued. Any thread."""
        # In the order in which a message passes through the three, so that none is missed on its way.
        return not self._answers and not self._is_sending and not self._unconfirmed

    def opened(self, session: BrokerSession, now: float) -> None:  # noqa: ARG002 - the part's signature
        """Drop the answers of the last connection: they may be out of date."""
        self._answers.clear()
        self._is_sending, self._unconfirmed = False, {}
        self._stepped_at = None

    def received(self, message: Message, now: float) -> None:  # noqa: ARG002 - the part's signature
        """Queue a message for the clerk's thread. Raises `SyncError` when its sender has no more room."""
        self._waiting.put(device_of(message.topic), message)

    def taken(self, mid: int, problem: str | None, now: float) -> None:  # noqa: ARG002 - the part's signature
        """Note that the broker has an answer; one that it refused is not sent again."""
        self._unconfirmed.pop(mid, None)

    def step(self, session: BrokerSession, now: float) -> None:
        """Send what was answered."""
        self._stepped_at = now
        while self._answers:
            # Said first: out of the queue and not yet among the unconfirmed, it would pass for confirmed.
            self._is_sending = True
            topic, payload, retain = self._answers.popleft()
            try:
                self._unconfirmed[session.publish(topic, payload, retain=retain)] = now
            except TooLarge as error:  # one message is lost; the connection, and all others, are not
                LOG.error("not sent: %s", error)  # noqa: TRY400 - one line is enough
        self._is_sending = False

    def link_problem(self, now: float) -> str | None:
        """Return what is wrong with our own connection at `now` (monotonic), None: nothing known.

        A connection that was cut is known within two seconds; one that went silent, as soon as the
        broker owes us a confirmation for longer than that. Any thread.
        """
        stepped_at = self._stepped_at
        if stepped_at is not None and now - stepped_at > LINK_SECONDS:
            return say("order.no_broker")
        # A copy, which the sync thread cannot change meanwhile; what was sent first stands first.
        oldest = next(iter(list(self._unconfirmed.values())), now)
        if now - oldest > LINK_SECONDS:
            return say("order.broker_silent")
        return None

    def _run(self) -> None:
        while (messages := self._waiting.take(self._tick, MOST_AT_ONCE)) is not None:
            try:
                if messages:
                    self.handle_all(messages)
                self.idle()
            except Exception as error:  # noqa: BLE001 - the thread's outermost loop
                self.broke(error)

    def broke(self, error: Exception) -> None:
        """Take what nobody expected: say it once a minute. Clerk's thread."""
        if self.is_worth_a_line():
            LOG.error("%s: handled in a way nobody expected", self.name, exc_info=error)

    def is_worth_a_line(self) -> bool:
        """Say so once a minute: a broken disk breaks every turn."""
        if (now := time.monotonic()) < self._quiet_until:
            return False
        self._quiet_until = now + QUIET_SECONDS
        return True
