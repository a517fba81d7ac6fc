"""The door's end of ended passes: takes a list that is signed, for this door and not older than the last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from edge.broker.clerk import TopicWorker
from edge.events import Kind
from edge.sync.refusals import RetainedRefusals
from edge.sync.retained import Authentic, NewestKept
from edge.wire.ended_passes import MAX_BYTES, PURPOSE, PassEnds

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.broker.settings import BrokerSettings
    from edge.domain import EventDraft
    from edge.ports import Clock
    from edge.wire.messages import Message
    from edge.wire.signing import TrustedKeys


class PassEndsKeeper(Protocol):
    """Who keeps which passes were ended."""

    def take(self, told: PassEnds) -> None:
        """Let these passes open no more, and write down how many did until now (`passes.ended`).

        Raises `SyncError` for a list that is older than one that was taken, `StoreError` when it cannot be
        kept.
        """

    @property
    def rev(self) -> int | None:
        """The newest list that was taken since the start, None before the first."""


class PassEndsFollower(TopicWorker):
    """The part of sync that takes ended passes; has a thread of its own (see `TopicWorker`).

    What is refused is journaled once (`passes.refused`); what is taken, by the keeper. A list that the card
    does not take is tried again every second: the broker sends it at a new connection only.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        keys: TrustedKeys,
        keeper: PassEndsKeeper,
        record: Callable[[EventDraft], object],
        clock: Clock,
    ) -> None:
        super().__init__("passes", (settings.topic("pass", "ended"),))
        self._authentic = Authentic(keys, settings.device_id, "pass/ended", PURPOSE, 2 * MAX_BYTES)
        self._kept = NewestKept(keeper.take)
        self._refusals = RetainedRefusals(Kind.PASSES_REFUSED, record, clock)

    def handle(self, message: Message) -> None:
        """Take one list."""
        with self._refusals.telling():
            self._kept.take(self._authentic.read(message.payload, PassEnds.parse))

    def idle(self) -> None:
        """Try again what the card did not take."""
        with self._refusals.telling():
            self._kept.try_again()
