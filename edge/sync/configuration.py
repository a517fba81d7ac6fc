"""The door's end of its settings and rules: takes what the property wants, tells what counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from edge.broker.clerk import TopicWorker
from edge.events import Kind
from edge.sync.refusals import RetainedRefusals
from edge.sync.retained import Authentic, NewestKept
from edge.wire import configuration, rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.broker.session import BrokerSession
    from edge.broker.settings import BrokerSettings
    from edge.domain import EventDraft
    from edge.ports import Clock
    from edge.wire.messages import Message
    from edge.wire.signing import TrustedKeys


class Told(Protocol):
    """What a door says of what counts."""

    def encode(self) -> bytes:
        """Return the payload."""


class Keeper(Protocol):
    """Who decides about wishes, and keeps what counts."""

    def take(self, desired: Any) -> None:
        """Take one signed wish for this door. Raises `FacegateError` when it does not count."""

    def reported(self) -> Told:
        """Return what counts now. Any thread."""


@dataclass(frozen=True, slots=True)
class WishKind:
    """What is wished: the folder of its topics, how it is signed and read, and how a refusal is called."""

    name: str
    folder: str
    purpose: str
    parse: Callable[[bytes], Any]
    most_bytes: int
    refused: Kind


SETTINGS = WishKind(
    "configuration",
    "cfg",
    configuration.PURPOSE,
    configuration.Desired.parse,
    configuration.MAX_BYTES,
    Kind.CONFIG_REFUSED,
)
RULES = WishKind(
    "rules", "rules", rules.PURPOSE, rules.DesiredRules.parse, 2 * rules.MAX_BYTES, Kind.RULES_REFUSED
)


class ConfigurationFollower(TopicWorker):
    """The part of sync that takes wishes and tells what counts; has a thread of its own (see `TopicWorker`).

    A message that is not for us or not signed is refused with an event (`config.refused`, `rules.refused`),
    and so is what the keeper refuses; the same one once. A wish that the card does not take is tried again
    every second.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        keys: TrustedKeys,
        keeper: Keeper,
        record: Callable[[EventDraft], object],
        clock: Clock,
        kind: WishKind = SETTINGS,
    ) -> None:
        super().__init__(kind.name, (settings.topic(kind.folder, "desired"),))
        self._report_topic = settings.topic(kind.folder, "reported")
        self._authentic = Authentic(keys, settings.device_id, kind.purpose, kind.purpose, kind.most_bytes)
        self._kind = kind
        self._keeper = keeper
        self._kept = NewestKept(keeper.take)
        self._refusals = RetainedRefusals(kind.refused, record, clock)
        self._told = b""

    def handle(self, message: Message) -> None:
        """Take one wish and tell what counts now."""
        with self._refusals.telling():
            self._kept.take(self._authentic.read(message.payload, self._kind.parse))
        self.idle()

    def idle(self) -> None:
        """Try again what the card did not take, and report what counts when it changed."""
        with self._refusals.telling():
            self._kept.try_again()
        # Compared as bytes, once a second: whatever changes what counts, the page or the card, is told.
        report = self._keeper.reported().encode()
        if report != self._told:
            self._told = report
            self.send(self._report_topic, report, retain=True)

    def opened(self, session: BrokerSession, now: float) -> None:
        """Have the next `idle` report at a new connection: the broker may have forgotten.

        Not here: what counts is read from the card, and the connection must not wait for a card.
        """
        super().opened(session, now)
        self._told = b""
