"""A part of sync with a thread of its own: for messages whose handling touches a disk or a door."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from edge.broker.fair_queue import FairQueue, Room
from edge.broker.session import TooLarge
from edge.wire.messages import MAX_INCOMING_BYTES
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
WATCHED_SECONDS = 0.3
"""How long a connection that seems lost is watched before it counts as that: where the whole machine stood
still its thread has not had its turn yet."""
TOPIC_BYTES = 256
"""More than topic, header and properties of any message of ours take of what a broker carries."""


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
        self._unconfirmed: dict[int, tuple[float, str, int]] = {}
        """When each message left, its topic and its bytes, by what the connection calls it."""
        self._is_sending = False
        self._stepped_at: float | None = None
        self._watched: tuple[tuple[str, float], float] | None = None
        """What the connection seems to lack, and since when that is watched."""
        self.most_bytes = MAX_INCOMING_BYTES - TOPIC_BYTES
        """The longest payload that this connection carries, as far as is known. Any thread."""
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
        self._stepped_at = self._watched = None
        self.most_bytes = session.maximum_packet - TOPIC_BYTES

    def received(self, message: Message, now: float) -> None:  # noqa: ARG002 - the part's signature
        """Queue a message for the clerk's thread. Raises `SyncError` when its sender has no more room."""
        self._waiting.put(device_of(message.topic), message)

    def taken(self, mid: int, problem: str | None, now: float) -> None:  # noqa: ARG002 - the part's signature
        """Note that the broker has an answer; one that it refused is not sent again."""
        _, topic, size = self._unconfirmed.pop(mid, (0.0, "", 0))
        if problem is not None and topic:
            told = {"what": _what(topic), "size": size, "said": problem}
            self.not_carried(topic, say("door_problem.not_carried", **told))

    def not_carried(self, topic: str, why: str) -> None:
        """Say that the broker did not take a message; the connection, and all others, are as good as before.

        Sync thread: must be quick.
        """
        LOG.error("not sent: %s: %s", topic, why)

    def step(self, session: BrokerSession, now: float) -> None:
        """Send what was answered."""
        self._stepped_at = now
        while self._answers:
            # Said first: out of the queue and not yet among the unconfirmed, it would pass for confirmed.
            self._is_sending = True
            topic, payload, retain = self._answers.popleft()
            if len(payload) > self.most_bytes:
                self._too_long(topic, payload)
                continue
            try:
                mid = session.publish(topic, payload, retain=retain)
            except TooLarge:
                self._too_long(topic, payload)
            else:
                self._unconfirmed[mid] = (now, topic, len(payload))
        self._is_sending = False

    def _too_long(self, topic: str, payload: bytes) -> None:
        """Say that one message is lost; the connection, and all others, are not."""
        told = {"what": _what(topic), "size": len(payload), "most": self.most_bytes}
        self.not_carried(topic, say("door_problem.too_long", **told))

    def link_problem(self, now: float) -> str | None:
        """Return what is wrong with our own connection at `now` (monotonic), None: nothing known.

        A connection that was cut is known after two seconds; one that went silent, as soon as the broker
        owes us a confirmation for longer than that; both at the second look. One thread.
        """
        lost = self._lacks(now)
        if lost is None or self._watched is None or self._watched[0] != lost:
            self._watched = None if lost is None else (lost, now)
            return None
        return say(lost[0]) if now - self._watched[1] >= WATCHED_SECONDS else None

    def seems_lost(self, now: float) -> bool:
        """Return whether the connection lacks something at this look: a pause, perhaps. Any thread."""
        return self._lacks(now) is not None

    def _lacks(self, now: float) -> tuple[str, float] | None:
        """Return what the connection seems to lack, and the turn with which that began."""
        stepped_at = self._stepped_at
        if stepped_at is not None and now - stepped_at > LINK_SECONDS:
            return "order.no_broker", stepped_at
        # A copy, which the sync thread cannot change meanwhile; what was sent first stands first.
        oldest = next((at for at, _, _ in list(self._unconfirmed.values())), now)
        return ("order.broker_silent", 0.0) if now - oldest > LINK_SECONDS else None

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


def _what(topic: str) -> str:
    """Return what a topic is about, without whose it is."""
    return "/".join(topic.split("/")[3:]) or topic
