"""The door's end of its settings: takes what the property wants, tells what counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from edge.broker.clerk import TopicWorker
from edge.errors import FacegateError, SyncError
from edge.events import Kind
from edge.sync.refusals import RetainedRefusals
from edge.wire.configuration import MAX_BYTES, PURPOSE, Desired

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.broker.session import BrokerSession
    from edge.broker.settings import BrokerSettings
    from edge.domain import EventDraft
    from edge.ports import Clock
    from edge.wire.configuration import Reported
    from edge.wire.messages import Message
    from edge.wire.signing import TrustedKeys


class Keeper(Protocol):
    """Who decides about wishes, and keeps what counts."""

    def take(self, desired: Desired) -> None:
        """Take one signed wish for this door. Raises `FacegateError` when it does not count."""

    def reported(self) -> Reported:
        """Return what counts now. Any thread."""


class ConfigurationFollower(TopicWorker):
    """The part of sync that takes wishes and tells what counts; has a thread of its own (see `TopicWorker`).

    A message that is not for us or not signed is refused with an event (`config.refused`), and so
    is what the keeper refuses; the same one once.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        keys: TrustedKeys,
        keeper: Keeper,
        record: Callable[[EventDraft], object],
        clock: Clock,
    ) -> None:
        super().__init__("configuration", (settings.topic("cfg", "desired"),))
        self._device = settings.device_id
        self._report_topic = settings.topic("cfg", "reported")
        self._keys = keys
        self._keeper = keeper
        self._refusals = RetainedRefusals(Kind.CONFIG_REFUSED, record, clock)
        self._told = b""

    def handle(self, message: Message) -> None:
        """Take one wish and tell what counts now."""
        try:
            self._keeper.take(self._authentic(message.payload))
        except FacegateError as error:
            self._refusals.tell(str(error))
        self.idle()

    def idle(self) -> None:
        """Report the settings in force when they changed."""
        report = self._keeper.reported().encode()
        if report != self._told:
            self._told = report
            self.send(self._report_topic, report, retain=True)

    def opened(self, session: BrokerSession, now: float) -> None:  # noqa: ARG002 - the part's signature
        """Report at a new connection: the broker may have forgotten."""
        self.send(self._report_topic, self._keeper.reported().encode(), retain=True)

    def _authentic(self, payload: bytes) -> Desired:
        if len(payload) > MAX_BYTES:
            raise SyncError(f"config: {len(payload)} bytes; at most {MAX_BYTES}")
        desired = Desired.parse(self._keys.open(payload, PURPOSE))
        if desired.device != self._device:
            raise SyncError(f"config: signed for {desired.device[:64]!r}, not for this door")
        return desired
