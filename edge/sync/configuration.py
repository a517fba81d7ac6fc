"""What the property wants of a door's settings, and what the door says about them.

`cfg/desired` is signed and retained: a door that was away finds it. Its revision only grows, so an
old one that is played back changes nothing.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

from edge.domain import EventDraft
from edge.errors import FacegateError, SyncError
from edge.sync.clerk import Clerk
from edge.sync.compound import AnyOf, Listing, Maybe, Named, Table
from edge.sync.messages import VERSION, parse_shaped
from edge.sync.refusals import Refusals
from edge.sync.shapes import Exactly, Number, Text, Whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.ports import Clock, Journal
    from edge.sync.messages import Message
    from edge.sync.session import Session
    from edge.sync.settings import BrokerSettings
    from edge.sync.signing import TrustedKeys

    Value: TypeAlias = str | int | float

LOG = logging.getLogger(__name__)

PURPOSE = "config"
"""Purpose of the signature."""
MAX_BYTES = 16 * 1024
MOST_VALUES = 64
KEY = r"[a-z_]{1,40}\.[a-z_]{1,40}"
MOST_NUMBER = 1e9
"""No setting comes near; nor does any number that JSON knows and arithmetic does not."""

VALUE = AnyOf((Number(-MOST_NUMBER, MOST_NUMBER), Text(64, least=0)))
DESIRED = Table(
    {
        "v": Exactly(VERSION),
        "device": Text(64, about="the door it is for"),
        "rev": Whole(about="only grows; an older one changes nothing"),
        "values": Named(KEY, VALUE, MOST_VALUES, "section.key; others are as the door's file has them"),
    }
)
REPORTED = Table(
    {
        "v": Exactly(VERSION),
        "rev": Whole(about="the newest revision the door saw"),
        "values": Named(KEY, Maybe(VALUE), MOST_VALUES, "what counts now"),
        "refused": Listing(
            Text(500, least=0, is_free=True), MOST_VALUES, about="why that revision does not count"
        ),
        "pending": Listing(Text(81, pattern=KEY), MOST_VALUES, about="count from the next start"),
    },
    is_open=True,
)


@dataclass(frozen=True, slots=True)
class Desired:
    """What the property wants: `values` by `section.key`; what is not named is as the door's file has it."""

    device: str
    rev: int
    values: Mapping[str, Value]

    def encode(self) -> bytes:
        """Return the bytes to sign."""
        fields = {"v": VERSION, "device": self.device, "rev": self.rev, "values": dict(self.values)}
        return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def parse(cls, body: bytes) -> Desired:
        """Return what these signed bytes want, or raise `SyncError`."""
        fields = parse_shaped(DESIRED, body, "config")
        return cls(fields["device"], fields["rev"], fields["values"])


@dataclass(frozen=True, slots=True)
class Reported:
    """What counts at the door: `values` now, `pending` those that count from the next start.

    `rev` is the newest revision it saw, `refused` why that one does not count (empty: it does).
    """

    rev: int
    values: Mapping[str, Value | None]
    refused: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Return the payload of `cfg/reported`."""
        lists = {"refused": list(self.refused), "pending": list(self.pending)}
        return json.dumps({"v": VERSION, "rev": self.rev, "values": dict(self.values), **lists}).encode()

    @classmethod
    def parse(cls, payload: bytes) -> Reported:
        """Return a door's report, or raise `SyncError`."""
        if len(payload) > MAX_BYTES:
            raise SyncError("cfg/reported: at most 16 KiB")
        fields = parse_shaped(REPORTED, payload, "cfg/reported")
        return cls(fields["rev"], fields["values"], tuple(fields["refused"]), tuple(fields["pending"]))


class Keeper(Protocol):
    """Who decides about wishes, and keeps what counts."""

    def take(self, desired: Desired) -> None:
        """Take one signed wish for this door. Raises `FacegateError` when it does not count."""

    def reported(self) -> Reported:
        """Return what counts now. Any thread."""


class ConfigurationClerk(Clerk):
    """The part of sync that takes wishes and tells what counts; has a thread of its own (see `Clerk`).

    A message that is not for us or not signed is refused with an event (`config.refused`), and so
    is what the keeper refuses; the same one once.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        keys: TrustedKeys,
        keeper: Keeper,
        journal: Journal,
        clock: Clock,
    ) -> None:
        super().__init__("configuration", (settings.topic("cfg", "desired"),))
        self._device = settings.device_id
        self._report_topic = settings.topic("cfg", "reported")
        self._keys = keys
        self._keeper = keeper
        self._journal = journal
        self._clock = clock
        self._refused = ""
        self._refusals = Refusals()
        self._told = b""

    def handle(self, message: Message) -> None:
        """Take one wish and tell what counts now."""
        try:
            self._keeper.take(self._authentic(message.payload))
        except FacegateError as error:
            self._refuse(str(error))
        self.idle()

    def idle(self) -> None:
        """Tell what counts when it is news."""
        report = self._keeper.reported().encode()
        if report != self._told:
            self._told = report
            self.send(self._report_topic, report, retain=True)

    def opened(self, session: Session, now: float) -> None:  # noqa: ARG002 - the part's signature
        """Tell a new connection: the broker may have forgotten."""
        self.send(self._report_topic, self._keeper.reported().encode(), retain=True)

    def _authentic(self, payload: bytes) -> Desired:
        if len(payload) > MAX_BYTES:
            raise SyncError(f"config: {len(payload)} bytes; at most {MAX_BYTES}")
        desired = Desired.parse(self._keys.open(payload, PURPOSE))
        if desired.device != self._device:
            raise SyncError(f"config: signed for {desired.device[:64]!r}, not for this door")
        return desired

    def _refuse(self, why: str) -> None:
        """Journal a refusal once until something else happens: a retained one comes at every connection."""
        if why == self._refused:
            return
        self._refused = why
        clock = self._clock
        unreported = self._refusals.tell(clock.monotonic())
        if unreported is None:
            return
        LOG.warning("configuration refused: %s", why)
        data = {"detail": why[:500], "unreported": unreported}
        draft = EventDraft("config.refused", clock.now(), clock.monotonic(), data=data)
        try:
            self._journal.append(draft)
        except FacegateError as error:
            LOG.error("config.refused is not journaled yet: %s", error)  # noqa: TRY400 - one line is enough
