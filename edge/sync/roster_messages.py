"""The roster on the wire: head, delta and snapshot, each signed for its own purpose.

Both ends use these types: a hub writes with `encode`, a door reads with `parse`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from edge.domain import RosterChange, RosterState
from edge.errors import SyncError
from edge.sync.messages import parse_object
from edge.sync.records import parse_record

HEAD, DELTA, SNAPSHOT = "roster-head", "roster-delta", "roster-snapshot"
"""Purposes of signatures."""
MOST_RECORDS = 20_000
MOST_CHANGES = 5_000
MOST_PARTS = 512
MAX_PART_BYTES = 256 * 1024
HEX64 = set("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class Head:
    """Where the property's roster is now; retained at the broker."""

    device: str
    state: RosterState

    def encode(self) -> bytes:
        """Return the bytes to sign."""
        return _dump({"v": 1, "device": self.device, **_state_fields(self.state)})

    @classmethod
    def parse(cls, body: bytes) -> Head:
        """Return the head in these signed bytes, or raise `SyncError`."""
        fields = _fields(body, {"v", "device", "epoch", "rev", "digest", "count"})
        return cls(_text(fields, "device"), _state(fields))


@dataclass(frozen=True, slots=True)
class Delta:
    """Changes from one revision to another; `target` is the state they lead to."""

    device: str
    start: int
    target: RosterState
    changes: tuple[RosterChange, ...]

    def encode(self) -> bytes:
        """Return the bytes to sign."""
        ops = [_op(change) for change in self.changes]
        return _dump(
            {"v": 1, "device": self.device, "from": self.start, "ops": ops, **_state_fields(self.target)}
        )

    @classmethod
    def parse(cls, body: bytes) -> Delta:
        """Return the delta; one bad record or a gap in its revisions refuses all of it."""
        fields = _fields(body, {"v", "device", "from", "ops", "epoch", "rev", "digest", "count"})
        start, target = _number(fields, "from"), _state(fields)
        ops = fields["ops"]
        if not isinstance(ops, list) or len(ops) > MOST_CHANGES:
            raise SyncError(f"delta: ops must be a list of at most {MOST_CHANGES}")
        changes = tuple(_change(op) for op in ops)
        if [change.rev for change in changes] != list(range(start + 1, target.rev + 1)):
            raise SyncError("delta: its revisions are not one after the other")
        return cls(_text(fields, "device"), start, target, changes)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot consists of: the state it makes, and the SHA-256 of each part in order."""

    device: str
    state: RosterState
    parts: tuple[str, ...]

    def encode(self) -> bytes:
        """Return the bytes to sign."""
        return _dump({"v": 1, "device": self.device, "parts": list(self.parts), **_state_fields(self.state)})

    @classmethod
    def parse(cls, body: bytes) -> Manifest:
        """Return the manifest in these signed bytes, or raise `SyncError`."""
        fields = _fields(body, {"v", "device", "parts", "epoch", "rev", "digest", "count"})
        parts = fields["parts"]
        if not isinstance(parts, list) or len(parts) > MOST_PARTS or not all(map(_is_digest, parts)):
            raise SyncError(f"snapshot: parts must be at most {MOST_PARTS} SHA-256 digests")
        return cls(_text(fields, "device"), _state(fields), tuple(parts))


def encode_parts(records: list[RosterChange]) -> list[bytes]:
    """Return the records as payloads of at most 256 KiB each."""
    parts: list[list[str]] = [[]]
    size = 0
    for record in records:
        text = json.dumps(_op(record), separators=(",", ":"), ensure_ascii=False)
        if parts[-1] and size + len(text.encode()) + 2 > MAX_PART_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(text)
        size += len(text.encode()) + 1
    return [f"[{','.join(part)}]".encode() for part in parts]


def parse_part(payload: bytes, digest: str) -> list[RosterChange]:
    """Return the records of one part. Raises `SyncError` unless it is the one that was signed."""
    if hashlib.sha256(payload).hexdigest() != digest:
        raise SyncError("snapshot: a part is not the one in the signed manifest")
    try:
        ops = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise SyncError(f"snapshot: a part is not JSON: {error}"[:200]) from error
    if not isinstance(ops, list):
        raise SyncError("snapshot: a part must be a list of records")
    records = [_change(op) for op in ops]
    if any(record.resident is None for record in records):
        raise SyncError("snapshot: a removal has no place in it")
    return records


def _op(change: RosterChange) -> dict[str, Any]:
    if change.resident is None:
        return {"rev": change.rev, "op": "del", "id": change.id}
    return {"rev": change.rev, "op": "put", "record": json.loads(change.text)}


def _change(op: Any) -> RosterChange:
    if not isinstance(op, dict) or op.get("op") not in {"put", "del"}:
        raise SyncError("roster: a change must be a put or a del")
    if op["op"] == "put" and set(op) == {"rev", "op", "record"}:
        resident, text = parse_record(op["record"])
        return RosterChange(_number(op, "rev"), resident.id, resident, text)
    if op["op"] == "del" and set(op) == {"rev", "op", "id"}:
        return RosterChange(_number(op, "rev"), _text(op, "id"))
    raise SyncError(f"roster: a {op['op']} with unknown or missing fields")


def _state_fields(state: RosterState) -> dict[str, Any]:
    return {"epoch": state.epoch, "rev": state.rev, "digest": state.digest, "count": state.count}


def _state(fields: dict[str, Any]) -> RosterState:
    if not _is_digest(fields["digest"]):
        raise SyncError("roster: digest must be a SHA-256 in hex")
    count = _number(fields, "count")
    if count > MOST_RECORDS:
        raise SyncError(f"roster: {count} records; this door takes at most {MOST_RECORDS}")
    return RosterState(_number(fields, "epoch"), _number(fields, "rev"), fields["digest"], count)


def _fields(body: bytes, known: set[str]) -> dict[str, Any]:
    fields = parse_object(body)
    if set(fields) != known or type(fields["v"]) is not int or fields["v"] != 1:
        raise SyncError(f"roster: version 1 has the fields {', '.join(sorted(known))}, all of them")
    return fields


def _number(fields: dict[str, Any], name: str) -> int:
    value = fields[name]
    if type(value) is not int or not 0 <= value < 2**53:
        raise SyncError(f"roster: {name} must be a whole number")
    return value


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields[name]
    if not isinstance(value, str) or not 1 <= len(value) <= 128:
        raise SyncError(f"roster: {name} must be 1 to 128 characters")
    return value


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= HEX64


def _dump(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()
