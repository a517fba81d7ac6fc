"""The roster on the wire: head, delta and snapshot, each signed for its own purpose.

Both ends use these types: a hub writes with `encode`, a door reads with `parse`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar

from edge.domain import RosterChange, RosterState
from edge.errors import SyncError
from edge.wire.compound import Either, Listing, Table
from edge.wire.messages import VERSION, parse_shaped
from edge.wire.records import RECORD, take_record
from edge.wire.shapes import Exactly, Text, Whole, Word, require
from edge.words import Message, message

HEAD, DELTA, SNAPSHOT, CONFIRMED = "roster-head", "roster-delta", "roster-snapshot", "roster-confirmed"
"""Purposes of signatures."""
MOST_RECORDS = 20_000
MOST_CHANGES = 5_000
MOST_PARTS = 512
MAX_PART_BYTES = 256 * 1024
MAX_DELTA_BYTES = 512 * 1024
"""Of the bytes that are signed: in base64 they are 683 KiB, well below what broker and door take."""
MAX_ROSTER_BYTES = 32 * 1024 * 1024
"""Of all records: half of what a door lets wait, and a fourth of the parts a manifest may name."""
RECORD_OVERHEAD = 64
"""Bytes around a record on its way: its revision and what the record is called."""
DIGEST = Text(64, 64, "[0-9a-f]{64}", about="SHA-256 in hex")
NONCE = Text(64, about="chosen by the door, used once: the answer to it cannot have been recorded")
DEVICE = Text(128, about="the door it was made for")

HEAD_SHAPE = Table(
    {
        "v": Exactly(VERSION),
        "device": DEVICE,
        "epoch": Whole(about="grows when the property begins its log anew"),
        "rev": Whole(about="revision of the whole roster; never goes back within an epoch"),
        "digest": replace(DIGEST, about="of the whole roster: SHA-256 over one line per person"),
        "count": Whole(most=MOST_RECORDS, about="people in the roster"),
    },
    about="where the property's roster is now",
)
CHANGE = Either(
    "op",
    {
        "put": Table({"rev": Whole(), "op": Word(("put",)), "record": RECORD}),
        "del": Table({"rev": Whole(), "op": Word(("del",)), "id": Text(128)}),
    },
)
PART = Listing(CHANGE.tables["put"], MOST_RECORDS, about=f"records; at most {MAX_PART_BYTES} bytes")


@dataclass(frozen=True, slots=True)
class Head:
    """Where the property's roster is now; retained at the broker."""

    device: str
    state: RosterState

    SHAPE: ClassVar = HEAD_SHAPE

    def encode(self) -> bytes:
        """Return the bytes to sign."""
        return _dump({"v": 1, "device": self.device, **_state_fields(self.state)})

    @classmethod
    def parse(cls, body: bytes) -> Head:
        """Return the head in these signed bytes, or raise `SyncError`."""
        fields = parse_shaped(cls.SHAPE, body, "roster")
        return cls(fields["device"], _state(fields))


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Where the property's roster is, said after the door chose `nonce`: no recording, and not retained."""

    device: str
    state: RosterState
    nonce: str
    doors: int | None = None
    """Number of the newest door list: a list that was withheld shows. None: the door did not ask for it."""

    SHAPE: ClassVar = replace(
        HEAD_SHAPE.extended(
            {"nonce": NONCE, "doors": Whole(about="number of the newest list of doors that share faces")},
            "where the property's roster is now, in answer to the door's own nonce",
        ),
        optional=frozenset({"doors"}),
    )

    def encode(self) -> bytes:
        """Return the bytes to sign."""
        doors = {} if self.doors is None else {"doors": self.doors}
        fields = {"v": 1, "device": self.device, "nonce": self.nonce, **doors}
        return _dump({**fields, **_state_fields(self.state)})

    @classmethod
    def parse(cls, body: bytes) -> Confirmation:
        """Return the confirmation in these signed bytes, or raise `SyncError`."""
        fields = parse_shaped(cls.SHAPE, body, "confirmed")
        return cls(fields["device"], _state(fields), fields["nonce"], fields.get("doors"))


@dataclass(frozen=True, slots=True)
class Delta:
    """Changes from one revision to another; `target` is the state they lead to."""

    device: str
    start: int
    target: RosterState
    changes: tuple[RosterChange, ...]

    SHAPE: ClassVar = HEAD_SHAPE.extended(
        {"from": Whole(about="the revision these changes start at"), "ops": Listing(CHANGE, MOST_CHANGES)},
        "changes from one revision to another, without a gap, and the state they lead to",
    )

    def encode(self) -> bytes:
        """Return the bytes to sign."""
        ops = [_op(change) for change in self.changes]
        return _dump(
            {"v": 1, "device": self.device, "from": self.start, "ops": ops, **_state_fields(self.target)}
        )

    @classmethod
    def parse(cls, body: bytes) -> Delta:
        """Return the delta; one bad record or a gap in its revisions refuses all of it."""
        fields = parse_shaped(cls.SHAPE, body, "delta")
        start, target = fields["from"], _state(fields)
        changes = tuple(_change(op) for op in fields["ops"])
        # A removal that fell out would let somebody in until the next snapshot.
        if [change.rev for change in changes] != list(range(start + 1, target.rev + 1)):
            raise SyncError("delta: its revisions are not one after the other")
        return cls(fields["device"], start, target, changes)


@dataclass(frozen=True, slots=True)
class SnapshotManifest:
    """What a snapshot consists of: the state it makes, and the SHA-256 of each part in order."""

    device: str
    state: RosterState
    parts: tuple[str, ...]

    SHAPE: ClassVar = HEAD_SHAPE.extended(
        {"parts": Listing(DIGEST, MOST_PARTS)},
        "what a snapshot consists of: the state it makes, and the SHA-256 of each part in order",
    )

    def encode(self) -> bytes:
        """Return the bytes to sign."""
        return _dump({"v": 1, "device": self.device, "parts": list(self.parts), **_state_fields(self.state)})

    @classmethod
    def parse(cls, body: bytes) -> SnapshotManifest:
        """Return the manifest in these signed bytes, or raise `SyncError`."""
        fields = parse_shaped(cls.SHAPE, body, "snapshot")
        return cls(fields["device"], _state(fields), tuple(fields["parts"]))


@dataclass(frozen=True, slots=True)
class Question:
    """A door's question for what it lacks. `problem` is why it could not take the last answer.

    To its `nonce` the property answers with a `Confirmation`, before anything else.
    """

    epoch: int
    have: int
    digest: str = ""
    want: str = "delta"
    problem: str | None = None
    nonce: str | None = None
    reads: tuple[str, ...] = ()
    """What of a record the door reads beside what every version does."""

    SHAPE: ClassVar = Table(
        {
            "v": Exactly(VERSION),
            "epoch": Whole(),
            "have": Whole(about="the revision the door is at"),
            "digest": replace(DIGEST, about="of the door's roster"),
            "want": Word(("delta", "snapshot")),
            "problem": Text(200, is_free=True, about="why the last answer was refused"),
            "nonce": NONCE,
            "reads": Listing(Text(32), 8, about="fields of records that older versions do not know"),
        },
        optional=frozenset({"problem", "nonce", "reads"}),
        is_open=True,
    )

    def encode(self) -> bytes:
        """Return the payload of `sync/req`."""
        fields = {"v": VERSION, **asdict(self), "reads": list(self.reads) or None}
        return _dump({name: value for name, value in fields.items() if value is not None})

    @classmethod
    def parse(cls, payload: bytes) -> Question:
        """Return what a door asks, or raise `SyncError`."""
        fields = parse_shaped(cls.SHAPE, payload, "sync/req")
        told = (fields.get("problem"), fields.get("nonce"), tuple(fields.get("reads", ())))
        return cls(fields["epoch"], fields["have"], fields["digest"], fields["want"], *told)


def is_too_big(count: int, size: int) -> Message | None:
    """Return why no door would take a roster of `count` records of `size` bytes in all; None: it would."""
    if count > MOST_RECORDS:
        return message("roster.too_many", count=count, most=MOST_RECORDS)
    if size + count * RECORD_OVERHEAD > MAX_ROSTER_BYTES:
        most = MAX_ROSTER_BYTES // 1024**2
        told = {"count": count, "size": f"{size / 1024**2:.0f}", "most": most}
        return message("roster.too_large", **told)
    return None


def encode_parts(records: list[RosterChange], most: int = MAX_PART_BYTES) -> list[bytes]:
    """Return the records as payloads of at most `most` bytes each; one that is longer alone is alone."""
    parts: list[list[str]] = [[]]
    size = 0
    for record in records:
        text = json.dumps(_op(record), separators=(",", ":"), ensure_ascii=False)
        # 2 bytes are the list's brackets, 1 is the comma after each record.
        if parts[-1] and size + len(text.encode()) + 2 > most:
            parts.append([])
            size = 0
        parts[-1].append(text)
        size += len(text.encode()) + 1
    return [f"[{','.join(part)}]".encode() for part in parts]


def parse_part(payload: bytes, digest: str) -> list[RosterChange]:
    """Return the records of one part. Raises `SyncError` unless it is the one that was signed."""
    # Parts carry no signature, the manifest does: nothing in a part is parsed before it is the signed one.
    if hashlib.sha256(payload).hexdigest() != digest:
        raise SyncError("snapshot: a part is not the one in the signed manifest")
    try:
        ops = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise SyncError(f"snapshot: a part is not JSON: {error}"[:200]) from error
    require(PART, ops, "snapshot")
    return [_change(op) for op in ops]


def _op(change: RosterChange) -> dict[str, Any]:
    if change.resident is None:
        return {"rev": change.rev, "op": "del", "id": change.id}
    return {"rev": change.rev, "op": "put", "record": json.loads(change.text)}


def _change(op: dict[str, Any]) -> RosterChange:
    if op["op"] == "del":
        return RosterChange(op["rev"], op["id"])
    resident, text = take_record(op["record"])
    return RosterChange(op["rev"], resident.id, resident, text)


def _state_fields(state: RosterState) -> dict[str, Any]:
    return {"epoch": state.epoch, "rev": state.rev, "digest": state.digest, "count": state.count}


def _state(fields: dict[str, Any]) -> RosterState:
    return RosterState(fields["epoch"], fields["rev"], fields["digest"], fields["count"])


def _dump(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()
