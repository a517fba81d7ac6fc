"""The door's end of the property's notices: takes what is signed, for this door and newer, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from edge.broker.clerk import TopicWorker
from edge.domain import EventDraft
from edge.events import Kind
from edge.sync.refusals import RetainedRefusals
from edge.sync.retained import Authentic, NewestKept
from edge.wire.notices import MAX_BYTES, PURPOSE, NoticeSet

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.broker.settings import BrokerSettings
    from edge.ports import Clock
    from edge.wire.messages import Message
    from edge.wire.signing import TrustedKeys


class NoticeKeeper(Protocol):
    """Who keeps what the display is to say."""

    def take(self, notices: NoticeSet) -> bool:
        """Take a set for this door; False when it was there already.

        Raises `FacegateError` for an older one, or one that cannot be kept.
        """


class NoticeFollower(TopicWorker):
    """The part of sync that takes notices; has a thread of its own (see `TopicWorker`).

    What is taken is journaled with the book's head (`notice.set`), what is refused once (`notice.refused`).
    A set that the card does not take is tried again every second.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        keys: TrustedKeys,
        keeper: NoticeKeeper,
        record: Callable[[EventDraft], object],
        clock: Clock,
    ) -> None:
        super().__init__("notices", (settings.topic("notice"),))
        self._authentic = Authentic(keys, settings.device_id, "notice", PURPOSE, 2 * MAX_BYTES)
        self._keeper = keeper
        self._kept = NewestKept(self._keep)
        self._record = record
        self._clock = clock
        self._refusals = RetainedRefusals(Kind.NOTICE_REFUSED, record, clock)

    def handle(self, message: Message) -> None:
        """Take one set."""
        with self._refusals.telling():
            self._kept.take(self._authentic.read(message.payload, NoticeSet.parse))

    def idle(self) -> None:
        """Try again what the card did not take."""
        with self._refusals.telling():
            self._kept.try_again()

    def _keep(self, notices: NoticeSet) -> None:
        if not self._keeper.take(notices):
            return
        seq, digest = notices.head or (None, None)
        data = {"rev": notices.rev, "count": len(notices.items), "entry": seq, "hash": digest}
        self._record(EventDraft.now(self._clock, Kind.NOTICE_SET, data))
