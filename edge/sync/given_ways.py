"""The door's end of PINs and cards given from afar: it asks with a nonce, and says what it has taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from edge.broker.clerk import TopicWorker
from edge.errors import FacegateError, StoreError, SyncError
from edge.events import Kind
from edge.sync.refusals import RetainedRefusals
from edge.sync.retained import Authentic
from edge.wire.given_ways import ASK_PURPOSE, MAX_BYTES, MOST_ORDERS, PURPOSE, GivenWays, WaysAsk, new_nonce

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge.broker.session import BrokerSession
    from edge.broker.settings import BrokerSettings
    from edge.domain import EventDraft
    from edge.ports import Clock
    from edge.wire.given_ways import WayOrder
    from edge.wire.messages import Message
    from edge.wire.proof import Identity
    from edge.wire.signing import TrustedKeys

ASK_SECONDS = 60.0
"""Between questions when nothing happens: a hub that lost the last one gets another."""
SOON_SECONDS = 3.0
"""After an order that could not be settled yet: its person is on the way, or the card hangs."""


class NotYet(SyncError):
    """An order that comes before what it stands on: the roster brings that in a moment."""


class WaysKeeper(Protocol):
    """Who keeps PINs and cards."""

    def take(self, order: WayOrder, secret: Mapping[str, str]) -> str | None:
        """Keep a PIN or card; return None, or why it is refused, as a word.

        Raises `NotYet` when the person is not known yet, `StoreError` when it cannot be kept now.
        """

    def upto(self) -> int:
        """Return the last order that is kept, 0 before the first. Raises `StoreError`."""


class GivenWaysFollower(TopicWorker):
    """The part of sync that takes PINs and cards; has a thread of its own (see `TopicWorker`).

    One question is open at any time, and its answer counts once: what is played back is dropped. An order
    that was taken before is said to be taken again, so that nothing hangs on one message.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        keys: TrustedKeys,
        identity: Identity,
        keeper: WaysKeeper,
        record: Callable[[EventDraft], object],
        clock: Clock,
    ) -> None:
        super().__init__("ways", (settings.topic("ways", "in"),))
        self._device = settings.device_id
        self._ask_topic = settings.topic("ways", "ask")
        self._authentic = Authentic(keys, settings.device_id, "ways/in", PURPOSE, 2 * MAX_BYTES)
        self._identity = identity
        self._keeper = keeper
        self._clock = clock
        self._refusals = RetainedRefusals(Kind.WAYS_REFUSED, record, clock)
        self._nonce = ""
        self._ask_at = 0.0
        self._settled: dict[int, str | None] = {}

    def opened(self, session: BrokerSession, now: float) -> None:
        """Ask at once: what was given while we were away waits."""
        super().opened(session, now)
        self._ask_at = 0.0

    def handle(self, message: Message) -> None:
        """Take one answer."""
        try:
            if message.retained:
                raise SyncError("ways/in: retained; nothing of it is kept at the broker")
            told = self._authentic.read(message.payload, GivenWays.parse)
        except FacegateError as error:
            self._refusals.tell(str(error))
            return
        if not self._nonce or told.nonce != self._nonce:
            return  # the answer to an earlier question of ours, or a recording
        # The nonce is used up, and the next question goes out at once: it says what was settled.
        self._nonce, self._ask_at = "", 0.0
        waiting: set[tuple[str, str]] = set()
        for order in told.orders:
            # In their order: a later card that is kept would pass for this one as well.
            if (order.person, order.way) not in waiting and not self._settle(order):
                waiting.add((order.person, order.way))

    def idle(self) -> None:
        """Ask when it is time, and say what was settled."""
        now = self._clock.monotonic()
        if now < self._ask_at:
            return
        self._ask_at = now + ASK_SECONDS
        try:
            upto = self._keeper.upto()
        except StoreError as error:
            self._ask_at = now + SOON_SECONDS
            self._refusals.tell(str(error))
            return
        self._nonce = new_nonce(self._clock.now())
        settled = dict(sorted(self._settled.items())[:MOST_ORDERS])
        # Said once: where it gets lost the hub sends the order again, and it is settled as it was before.
        self._settled = {}
        ask = WaysAsk(self._device, self._nonce, upto, settled)
        self.send(self._ask_topic, ask.encode(self._identity.prove(ask.body, ASK_PURPOSE)))

    def _settle(self, order: WayOrder) -> bool:
        """Keep or refuse an order; return whether it is settled, or comes again."""
        try:
            secret = order.opened(self._device, self._identity)
        except (SyncError, ValueError) as error:
            self._refusals.tell(str(error))
            self._settled[order.number] = "unreadable"
            return True
        try:
            self._settled[order.number] = self._keeper.take(order, secret)
        except NotYet:
            self._ask_at = self._clock.monotonic() + SOON_SECONDS
        except StoreError as error:
            self._ask_at = self._clock.monotonic() + SOON_SECONDS
            self._refusals.tell(str(error))
        return order.number in self._settled
