"""The thread that keeps a connection to the broker and lets the parts of sync use it."""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from edge.broker.backoff import Backoff
from edge.broker.session import BrokerSession, TooLarge, concerns
from edge.errors import FacegateError, SyncError
from edge.wire.messages import MAX_INCOMING_BYTES, Availability
from edge.words import say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.broker.settings import BrokerSettings
    from edge.wire.messages import Message

LOG = logging.getLogger(__name__)

TURN_SECONDS = 0.1
"""Longest wait of one turn: an event committed meanwhile is sent that much later at most."""
STABLE_SECONDS = 10.0
"""A connection that lasted this long worked; a shorter one counts as one more failure."""
MOST_WAIT_SECONDS = 15.0
"""Between two attempts; with one that hangs (8 s) a door is back within 30 s of the end of a fault."""
MOST_QUEUED = 1000
TAKEN_OVER_AFTER = 3
"""So many connections in a row, each made and each ended within `STABLE_SECONDS`: another client with our
id takes them, as the broker's rule is (MQTT 5, 3.1.4). A bad network fails to connect, too."""
QUIET_SECONDS = 60.0
LEAST_PACKET = 8192
"""A broker that takes no more than this has another trouble than the length of our messages."""


class LinkPart(Protocol):
    """One use of the connection, such as sending events. Called by the sync thread alone."""

    @property
    def subscriptions(self) -> Sequence[str]:
        """The topics this part wants; `+` stands for one level."""

    def opened(self, session: BrokerSession, now: float) -> None:
        """Start over on a new connection; `now` is monotonic seconds."""

    def received(self, message: Message, now: float) -> None:
        """Take one message of these topics. Must be quick; raises `SyncError` to reject it."""

    def taken(self, mid: int, problem: str | None, now: float) -> None:
        """Take a PUBACK for any message of this connection; `problem` when it was refused."""

    def step(self, session: BrokerSession, now: float) -> None:
        """Do what is due, after each turn."""


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """How the connection is. Times are monotonic seconds.

    `problem` is the last reason it failed, kept until it works again; `rejected` counts messages
    that made no sense; `turned_at` is when the thread last showed that it lives.
    """

    connected: bool = False
    since: float = 0.0
    turned_at: float = 0.0
    attempts: int = 0
    rejected: int = 0
    problem: str | None = None


class SyncClient:
    """Keeps one connection, for as long as it is started. Never blocks somebody at the door.

    `boot` goes into the availability message. Reconnects by itself with full jitter, within
    `most_wait_seconds`. An error in a part ends the connection, is logged, and is tried again; the thread
    stays. `status` and `publish` may be called from any thread.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        parts: Sequence[LinkPart],
        *,
        boot: str = "",
        rng: random.Random | None = None,
        most_wait_seconds: float = MOST_WAIT_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._parts = tuple(parts)
        self._boot = boot
        self._monotonic = monotonic
        source = rng or random.Random()  # noqa: S311 - spreads load, guards nothing
        self._backoff = Backoff(source, most_seconds=most_wait_seconds)
        self._stop = threading.Event()
        self._outgoing: queue.Queue[tuple[str, bytes, bool]] = queue.Queue(MOST_QUEUED)
        self._status = LinkStatus()
        self._quiet_until = 0.0
        self._short_lives = 0
        self._most_packet = MAX_INCOMING_BYTES
        self._opened_at: float | None = None
        self._told = ""
        self._thread = threading.Thread(target=self._run, name="sync", daemon=True)

    def start(self) -> None:
        """Begin connecting. Once."""
        self._status = replace(self._status, turned_at=self._monotonic())
        self._thread.start()

    def stop(self, timeout_seconds: float = 10.0) -> None:
        """Say goodbye to the broker and end the thread. Safe to call twice."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)

    def status(self) -> LinkStatus:
        """Return how the connection is now."""
        return self._status

    def is_alive(self, within_seconds: float = 30.0) -> bool:
        """Return whether the thread still turns: what a watchdog asks."""
        return self._thread.is_alive() and self._monotonic() - self._status.turned_at < within_seconds

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> bool:
        """Queue a message for when there is a connection; False when the queue is full.

        For reports that a newer one replaces. What must not be lost is an event in the journal.
        """
        try:
            self._outgoing.put_nowait((topic, payload, retain))
        except queue.Full:
            return False
        return True

    def _run(self) -> None:
        while not self._stop.is_set():
            self._opened_at = None
            try:
                self._connect_and_serve()
            except FacegateError as error:
                self._count_short_life()
                self._failed(str(error))
            except Exception as error:  # the thread's outermost loop: log, wait, try again
                LOG.exception("sync failed in a way nobody expected")
                # A fault of our own says nothing about another client with our id.
                self._short_lives = 0
                self._failed(f"internal error: {error!r}")
            # The next attempt begins with a short wait again. An attempt that hung for as long and came to
            # nothing does not count: a broker that is overrun would be asked by all doors at the full pace.
            if self._connected_seconds() > STABLE_SECONDS:
                self._backoff.reset()
            self._stop.wait(0 if self._stop.is_set() else self._backoff.next())

    def _connect_and_serve(self) -> None:
        self._note(attempts=self._status.attempts + 1)
        # "offline" is the last will: the broker says it in our name when the connection is cut.
        session = BrokerSession(self._settings, self._availability("offline"), self._most_packet)
        try:
            self._open(session)
            while not self._stop.is_set():
                self._turn(session)
            # The last will does not speak for who says goodbye (MQTT 5, 3.14.4), so we say it ourselves.
            session.publish(*self._availability("offline"), retain=True)
            session.turn(TURN_SECONDS)
        finally:
            self._note(connected=False)
            self._learn(session.refused_bytes)
            session.close()

    def _learn(self, refused: int) -> None:
        """Send shorter messages from now on where a broker ends connections over longer ones.

        Half of what it refused each time: brokers that tell no bound tell none in the refusal either.
        """
        if refused <= LEAST_PACKET:
            return
        self._most_packet = max(LEAST_PACKET, refused // 2)
        self._short_lives = -1  # this one was ours to end, and is counted next
        LOG.warning(
            "the broker ends the connection over a message of %d bytes; none has more than %d from now on",
            refused,
            self._most_packet,
        )

    def _open(self, session: BrokerSession) -> None:
        now = self._monotonic()
        session.subscribe(topic for part in self._parts for topic in part.subscriptions)
        # Retained, as the will is: a client that subscribes later gets the newer of the two.
        session.publish(*self._availability("online"), retain=True)
        for part in self._parts:
            part.opened(session, now)
        if not self._is_taken_over:
            LOG.info("connected to the broker at %s", self._settings.address)
        self._opened_at = now
        self._note(connected=True, since=now, problem=None)

    def _turn(self, session: BrokerSession) -> None:
        session.turn(TURN_SECONDS)
        now = self._monotonic()
        while session.messages:
            self._dispatch(session.messages.popleft(), now)
        # Every part gets every PUBACK: message ids are unique within a connection, and each part knows its
        # own.
        while session.taken:
            mid, problem = session.taken.popleft()
            for part in self._parts:
                part.taken(mid, problem, now)
        while not self._outgoing.empty():
            topic, payload, retain = self._outgoing.get_nowait()
            try:
                session.publish(topic, payload, retain=retain)
            except TooLarge as error:  # one report is lost; the connection, and all others, are not
                LOG.error("not sent: %s", error)  # noqa: TRY400 - one line is enough
        for part in self._parts:
            part.step(session, now)
        self._note()

    def _dispatch(self, message: Message, now: float) -> None:
        for part in self._parts:
            if any(concerns(topic, message.topic) for topic in part.subscriptions):
                try:
                    part.received(message, now)
                except SyncError as error:
                    self._reject(message, error, now)

    def _reject(self, message: Message, error: SyncError, now: float) -> None:
        """Count a rejected message; say so once a minute, however many there are."""
        count = self._status.rejected + 1
        self._note(rejected=count)
        if now >= self._quiet_until:
            self._quiet_until = now + QUIET_SECONDS
            LOG.warning("rejected a message on %s: %s (%d so far)", message.topic, error, count)

    def _availability(self, state: str) -> tuple[str, bytes]:
        return self._settings.topic("avail"), Availability(state, self._boot).encode()

    @property
    def _is_taken_over(self) -> bool:
        return self._short_lives >= TAKEN_OVER_AFTER

    def _connected_seconds(self) -> float:
        """Return how long the last connection has worked, 0 when none was made."""
        return 0.0 if self._opened_at is None else self._monotonic() - self._opened_at

    def _count_short_life(self) -> None:
        # A failure to connect ends the row: whoever takes our id lets us in first, and then ends us.
        is_short = self._opened_at is not None and self._connected_seconds() < STABLE_SECONDS
        self._short_lives = self._short_lives + 1 if is_short else 0

    def _failed(self, problem: str) -> None:
        if self._is_taken_over:
            device = self._settings.device_id
            problem = say("link.taken_over", device=device, link=problem)
        # Said once, not at every attempt: a connection that is made and lost all the time is one trouble.
        if problem != (self._told if self._is_taken_over else self._status.problem):
            LOG.warning("no connection to the broker: %s", problem)
        self._told = problem
        self._note(problem=problem)

    def _note(self, **changes: object) -> None:
        """Replace the status as a whole, so that other threads never see half of it."""
        self._status = replace(self._status, turned_at=self._monotonic(), **changes)  # type: ignore[arg-type]
