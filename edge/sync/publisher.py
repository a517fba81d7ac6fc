"""Sends the journal to the broker, in order, until every entry has arrived."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.broker.causes import reason_of
from edge.broker.client import LinkStatus, SyncClient
from edge.broker.settings import Ack
from edge.errors import JournalUnavailable, SyncError
from edge.sync.window import InFlightWindow
from edge.wire.messages import MAX_BATCH_BYTES, MAX_BATCH_EVENTS, EventAck, batch
from edge.wire.names import is_hub
from edge.wire.proof import ACK_PURPOSE, EVENTS_PURPOSE, BatchHead, Notary, ack_body
from edge.words import say

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from edge.broker.client import LinkPart
    from edge.broker.session import BrokerSession
    from edge.broker.settings import BrokerSettings
    from edge.ports import Outbox
    from edge.wire.messages import Message
    from edge.wire.proof import Origin

LOG = logging.getLogger(__name__)

NOBODY = Notary()
AGAIN_SECONDS = 5.0
"""Between two looks at a journal that a failing card does not give."""
BESIDE_BYTES = 2048
"""Of a message beside its events: the topic, the proof (about 900 characters) and the header."""


class EventPump:
    """The part of sync that empties the outbox. Sync thread only, but for `problem` and `sent`.

    With `Ack.APPLICATION` events travel in batches and are done when the hub says so on
    `evt/ack`; with `Ack.BROKER` one by one, done at PUBACK. All that is unconfirmed is sent
    again after a reconnect or a silence; receivers drop duplicates by (stream, seq) or id.

    `notary` proves whose events these are, and tells whether an acknowledgement is a hub's: without that
    proof nothing counts as arrived. It has neither where the broker knows no certificates.
    """

    def __init__(self, outbox: Outbox, settings: BrokerSettings, notary: Notary = NOBODY) -> None:
        self._outbox = outbox
        self._device = settings.device_id
        self._notary = notary
        self._origin = None if settings.unsigned_acks else notary.origin
        self._topic = settings.topic("evt")
        self._batch_events = MAX_BATCH_EVENTS if settings.ack is Ack.APPLICATION else 1
        self._policy = settings.ack
        self._stream = ""  # not known yet: `step` begins one
        self._window = InFlightWindow(settings.ack)
        # Whether the journal has still to hear how far it is, and when that is tried.
        self._is_owed, self._mark_at = False, 0.0
        self._again_at = 0.0
        self.journal_problem: str | None = None
        """Why events cannot be read now, None while they can."""
        try:
            self._stream, self._window = outbox.stream, InFlightWindow(settings.ack, outbox.done_upto())
        except JournalUnavailable as error:
            self._rest(error, 0.0)
        self.subscriptions: Sequence[str] = (
            (settings.topic("evt", "ack"),) if settings.ack is Ack.APPLICATION else ()
        )
        self.problem: str | None = None
        """What the other side has against our events, None while nothing."""

    @property
    def done(self) -> int:
        """The number up to which everything has arrived."""
        return self._window.done

    def opened(self, session: BrokerSession, now: float) -> None:
        """Begin again with the first event that has not arrived."""
        self._window.start(now, session.receive_maximum)

    def received(self, message: Message, now: float) -> None:
        """Take the hub's acknowledgement. Raises `SyncError` for one that cannot be true."""
        ack = EventAck.parse(message.payload)
        # After parsing, so that a malformed one is told as malformed.
        if message.retained:
            raise SyncError("evt/ack: retained; an old acknowledgement proves nothing")
        if ack.stream != self._stream:
            return  # of a journal that was replaced
        if self._origin is not None:
            self._require_hub(ack, self._origin)
        # What will have these numbers has never left: believed, it would count as arrived once it is written.
        try:
            newest = self._outbox.newest()
        except JournalUnavailable as error:
            self._rest(error, now)
            return  # it comes again with the next events, or when these are sent again
        if ack.upto > newest:
            self.problem = say("link.ahead", event=ack.upto, newest=newest)
            raise SyncError(self.problem)
        if self._window.hub_stored(ack.upto, now):
            self._progress(now)

    def taken(self, mid: int, problem: str | None, now: float) -> None:
        """Take the broker's acknowledgement of one message; other parts' are none of our business."""
        if not self._window.is_under_way(mid):
            return
        if problem is not None:
            self.problem = say("link.events_refused", reason=reason_of(problem))
            LOG.warning(self.problem)
        elif self._window.broker_took(mid, now):
            self._progress(now)

    def step(self, session: BrokerSession, now: float) -> None:
        """Send what there is room for; after a silence, send it again.

        A journal that the card does not give holds up nothing but its events.
        """
        if now < self._again_at:
            return
        try:
            self._send(session, now)
        except JournalUnavailable as error:
            self._rest(error, now)
        else:
            self.journal_problem = None

    def _send(self, session: BrokerSession, now: float) -> None:
        # The journal was set aside as damaged, and another one begun, while we were connected.
        if self._outbox.stream != self._stream:
            self._begin_stream(session, now)
        if self._is_owed and now >= self._mark_at:
            self._mark(now)
        if self._window.is_stalled(now):
            self._rewind(now)
        while room := self._window.room:
            entries = self._outbox.pending(self._window.sent, min(room, self._batch_events))
            if not entries:
                return
            # A broker may take less than we would send; a longer message would end each connection anew.
            most_bytes = min(MAX_BATCH_BYTES, session.maximum_packet - BESIDE_BYTES)
            upto, payload = batch(list(entries), most_bytes)
            done = self._window.done
            head = BatchHead.of(self._device, (self._stream, entries[0][0], upto), done, payload)
            proof = self._notary.prove(head.body, EVENTS_PURPOSE)
            mid = session.publish(self._topic, payload, done=done, proof=proof)
            self._window.launched(mid, upto, now)

    def _begin_stream(self, session: BrokerSession, now: float) -> None:
        """Follow a journal that was begun anew: its numbers start at 1 again."""
        stream, done = self._outbox.stream, self._outbox.done_upto()
        self._stream, self._window, self._is_owed = stream, InFlightWindow(self._policy, done), False
        self._window.start(now, session.receive_maximum)

    def _require_hub(self, ack: EventAck, origin: Origin) -> None:
        """Raise `SyncError` unless a hub of our site says so; what it cannot prove is not done."""
        if ack.proof is None:
            self.problem = say("link.unproven")
            raise SyncError(self.problem)
        name = origin.name(ack.proof, ack_body(self._device, ack.stream, ack.upto), ACK_PURPOSE)
        if not is_hub(name):
            raise SyncError(f"evt/ack: proven by {name}, which is no hub")

    def _progress(self, now: float) -> None:
        self.problem = None
        self._is_owed = True
        self._mark(now)

    def _mark(self, now: float) -> None:
        """Keep how far it is; a card that cannot be written to hears of it later, and sends go on."""
        self._mark_at = now + AGAIN_SECONDS
        try:
            self._outbox.mark_done(self._window.done)
        except JournalUnavailable as error:
            LOG.debug("what has arrived is noted later: %s", error)
        else:
            self._is_owed = False

    def _rest(self, error: JournalUnavailable, now: float) -> None:
        """Leave the journal alone for a while."""
        if self.journal_problem is None:
            LOG.warning("events wait: %s", error)
        self.journal_problem, self._again_at = str(error), now + AGAIN_SECONDS

    def _rewind(self, now: float) -> None:
        if self._window.unconfirmed and self.problem is None:
            # The broker itself owes an answer: sending again on the same connection would only add to what it
            # has not taken. Either it comes, or the connection is given up.
            if not self._window.is_link_dead(now):
                return
            raise SyncError("the broker no longer acknowledges what it gets; connecting anew")
        if self.problem is None:
            self.problem = say("link.unconfirmed")
        self._window.lose_patience(now)


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """How the sending goes: the connection, what waits, and what is wrong (None: nothing)."""

    link: LinkStatus
    done_upto: int
    waiting: int
    problem: str | None


class EventPublisher:
    """Publishes a journal's events for as long as it is started; what a service needs to know.

    `outbox` is the journal seen by a sender. The broker's absence never delays or fails
    anything here. `others` are further parts that share the connection, `boot` names this run in
    the availability message, `rng` spreads reconnects, `notary` is for `EventPump`. All methods from any
    thread.
    """

    def __init__(
        self,
        outbox: Outbox,
        settings: BrokerSettings,
        notary: Notary = NOBODY,
        *,
        others: Sequence[LinkPart] = (),
        boot: str = "",
        rng: random.Random | None = None,
    ) -> None:
        self._outbox = outbox
        self._newest = 0
        self._pump = EventPump(outbox, settings, notary)
        self.client = SyncClient(settings, (self._pump, *others), boot=boot, rng=rng)

    def start(self) -> None:
        """Begin sending."""
        self.client.start()

    def stop(self) -> None:
        """Stop sending; what has not arrived is sent by the next run."""
        self.client.stop()

    def is_alive(self, within_seconds: float = 30.0) -> bool:
        """Return whether the sync thread still turns: what a watchdog asks."""
        return self.client.is_alive(within_seconds)

    def status(self) -> SyncStatus:
        """Return how it goes; on a card that does not give the journal, as far as is known."""
        link, done = self.client.status(), self._pump.done
        try:
            self._newest = self._outbox.newest()
            journal = self._pump.journal_problem
        except JournalUnavailable as error:
            journal = str(error)
        return SyncStatus(
            link, done, max(0, self._newest - done), link.problem or self._pump.problem or journal
        )
