"""What the property wants of a door's settings, and what the door says about them.

`cfg/desired` is signed and retained: a door that was away finds it. Its revision only grows, so an
old one that is played back changes nothing.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from edge.domain import EventDraft
from edge.errors import FacegateError, SyncError
from edge.sync.clerk import Clerk
from edge.sync.messages import parse_object

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
VERSION = 1
MAX_BYTES = 16 * 1024
MOST_VALUES = 64
KEY = re.compile(r"[a-z_]{1,40}\.[a-z_]{1,40}")
LONGEST_TEXT = 64
MOST_NUMBER = 1e9
"""No setting comes near; nor does any number that JSON knows and arithmetic does not."""


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
        fields = parse_object(body)
        is_known = set(fields) == {"v", "device", "rev", "values"} and type(fields["v"]) is int
        if not is_known or fields["v"] != VERSION:
            raise SyncError(f"config: version {VERSION} has v, device, rev and values, all of them")
        device, values = fields["device"], fields["values"]
        if not isinstance(device, str):
            raise SyncError("config: device must be text")
        return cls(device, _revision(fields["rev"]), _values(values))


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
        fields = parse_object(payload)
        values, lists = fields.get("values"), [fields.get("refused"), fields.get("pending")]
        if not isinstance(values, dict) or len(payload) > MAX_BYTES:
            raise SyncError("cfg/reported: needs values, and at most 16 KiB")
        if not all(isinstance(one, list) for one in lists):
            raise SyncError("cfg/reported: refused and pending must be lists")
        refused, pending = (tuple(map(str, one or ())) for one in lists)
        return cls(_revision(fields.get("rev")), values, refused, pending)


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
        LOG.warning("configuration refused: %s", why)
        clock = self._clock
        draft = EventDraft("config.refused", clock.now(), clock.monotonic(), data={"detail": why[:500]})
        try:
            self._journal.append(draft)
        except FacegateError as error:
            LOG.error("config.refused is not journaled yet: %s", error)  # noqa: TRY400 - one line is enough


def _revision(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**53:
        raise SyncError("config: rev must be a whole number from 0")
    return value


def _values(given: Any) -> dict[str, Value]:
    if not isinstance(given, dict) or len(given) > MOST_VALUES:
        raise SyncError(f"config: values must be at most {MOST_VALUES} settings by name")
    for key, value in given.items():
        if not KEY.fullmatch(key):
            raise SyncError(f"config: {key[:80]!r} is not a setting; write section.key")
        if not _is_plain(value):
            raise SyncError(f"config: {key} must be a number, or text of at most {LONGEST_TEXT} characters")
    return given


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= LONGEST_TEXT and value.isprintable()
    return not isinstance(value, bool) and isinstance(value, int | float) and abs(value) < MOST_NUMBER
