"""What arrives and leaves, as types; parsing refuses everything that is not exactly right."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from edge.errors import SyncError
from edge.wire.compound import Table
from edge.wire.shapes import Exactly, Text, Whole, Word, require

if TYPE_CHECKING:
    from edge.wire.shapes import Shape

VERSION = 1
"""Of all payloads; another is refused, never guessed."""
AVAILABLE = ("online", "offline")
ANSWERS = ("done", "failed", "rejected", "duplicate")

MAX_INCOMING_BYTES = 1024 * 1024
"""Announced to the broker, and enough: roster snapshots travel in parts of 256 KiB."""
MAX_BATCH_BYTES = 128 * 1024
MAX_BATCH_EVENTS = 100


@dataclass(frozen=True, slots=True)
class Message:
    """One message from the broker.

    `done` is what an event sender says has arrived before, `proof` what shows whose events these are.
    """

    topic: str
    payload: bytes
    retained: bool
    done: int = 0
    proof: str = ""


@dataclass(frozen=True, slots=True)
class EventAck:
    """The hub has stored this stream without gap up to this number; `proof` shows that a hub says so."""

    stream: str
    upto: int
    proof: str | None = None

    SHAPE: ClassVar = Table(
        {
            "stream": Text(64, about="the journal"),
            "upto": Whole(about="all of this stream is stored up to this number"),
            "proof": Text(8192, about="of a hub, as in docs/mqtt.md; only to doors that prove their events"),
        },
        optional=frozenset({"proof"}),
        is_open=True,
    )

    def encode(self) -> bytes:
        """Return the payload."""
        proof = {} if self.proof is None else {"proof": self.proof}
        return json.dumps({"stream": self.stream, "upto": self.upto, **proof}).encode()

    @classmethod
    def parse(cls, payload: bytes) -> EventAck:
        """Return the acknowledgement, or raise `SyncError`."""
        fields = parse_shaped(cls.SHAPE, payload, "evt/ack")
        return cls(fields["stream"], fields["upto"], fields.get("proof"))


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a door is there; `boot` names its run, None in what an older door left behind."""

    state: str
    boot: str | None = None

    SHAPE: ClassVar = Table(
        {
            "v": Exactly(VERSION),
            "state": Word(AVAILABLE),
            "boot": Text(64, least=0, about="this run of the door"),
        },
        optional=frozenset({"v", "boot"}),
        is_open=True,
    )

    def encode(self) -> bytes:
        """Return the payload."""
        return json.dumps({"v": VERSION, "state": self.state, "boot": self.boot or ""}).encode()

    @classmethod
    def parse(cls, payload: bytes) -> Availability:
        """Return what is said of the door, or raise `SyncError`."""
        fields = parse_shaped(cls.SHAPE, payload, "avail")
        return cls(fields["state"], fields.get("boot"))


@dataclass(frozen=True, slots=True)
class CommandAnswer:
    """What came of the command `id`: for staff in words (`reason`), for programs in `data`."""

    id: str
    status: str
    reason: str
    data: dict[str, Any]

    SHAPE: ClassVar = Table(
        {
            "v": Exactly(VERSION),
            "id": Text(64),
            "status": Word(ANSWERS),
            "reason": Text(8192, least=0, is_free=True, about="what happened, for people"),
            "data": Table(is_open=True),
        },
        is_open=True,
    )

    def encode(self) -> bytes:
        """Return the payload."""
        return json.dumps({"v": VERSION, **asdict(self)}).encode()

    @classmethod
    def parse(cls, payload: bytes) -> CommandAnswer:
        """Return a door's answer, or raise `SyncError`."""
        fields = parse_shaped(cls.SHAPE, payload, "cmd/ack")
        return cls(fields["id"], fields["status"], fields["reason"], fields["data"])


def parse_object(payload: bytes) -> dict[str, Any]:
    """Return a JSON object, or raise `SyncError` for anything else. Never another exception."""
    try:
        # Decoded here, because `json.loads` guesses UTF-16 and UTF-32 from the bytes.
        value = json.loads(payload.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise SyncError(f"not JSON: {error}"[:200]) from error
    if not isinstance(value, dict):
        raise SyncError(f"a JSON object was expected, not {type(value).__name__}")
    return value


def parse_shaped(shape: Shape, payload: bytes, where: str) -> dict[str, Any]:
    """Return the fields of a JSON object of this shape, or raise `SyncError` naming the place."""
    fields = parse_object(payload)
    require(shape, fields, where)
    return fields


def batch(entries: list[tuple[int, str]], most_bytes: int = MAX_BATCH_BYTES) -> tuple[int, bytes]:
    """Return (last number, payload) of as many of the first entries as fit into `most_bytes`.

    One entry travels as an object, several as an array of objects; `entries` is not empty.
    """
    taken, size = 0, 2  # the brackets of an array; each entry adds a comma
    for _, text in entries[:MAX_BATCH_EVENTS]:
        size += len(text.encode()) + 1
        # The first entry always goes, however long: a batch of none would never end.
        if taken and size > most_bytes:
            break
        taken += 1
    texts = [text for _, text in entries[:taken]]
    payload = texts[0] if taken == 1 else f"[{','.join(texts)}]"
    return entries[taken - 1][0], payload.encode()
