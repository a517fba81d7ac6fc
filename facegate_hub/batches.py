"""What one message of a door holds, read strictly enough that every database takes it."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from edge.errors import SyncError
from edge.wire.envelope import STORABLES
from edge.wire.proof import BatchHead
from edge.wire.shapes import Time, require

AT = "%Y-%m-%dT%H:%M:%S.%fZ"
"""How a time is stored: text that sorts."""
MOST_DEEP = 16
"""Tables within tables in an event; a door's own have three."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The events of one message, ready to be stored; `floor` as in `EventSink.store`.

    `proof` is what came along to show whose they are (empty: nothing), `payload` the message itself.
    """

    device: str
    stream: str
    rows: list[dict[str, Any]]
    floor: int
    proof: str = ""
    payload: bytes = b""

    @property
    def key(self) -> tuple[str, str]:
        """The journal these events are of."""
        return self.device, self.stream

    @property
    def head(self) -> bytes:
        """What the proof must prove."""
        place = (self.stream, self.rows[0]["seq"], self.rows[-1]["seq"])
        return BatchHead.of(self.device, place, self.floor, self.payload).body


def parse_batch(device: str, payload: bytes, floor: int = 0, proof: str = "") -> Batch:
    """Return what is in one message, or raise `SyncError`."""
    rows = [_row(device, event) for event in _events(payload)]
    if len({row["stream"] for row in rows}) != 1:
        raise SyncError("evt: the events of one message must be of one stream")
    return Batch(device, rows[0]["stream"], rows, floor, proof, payload if proof else b"")


def _events(payload: bytes) -> list[dict[str, Any]]:
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise SyncError(f"evt: not JSON: {error}"[:200]) from error
    events: list[dict[str, Any]] = found if isinstance(found, list) else [found]
    require(STORABLES, events, "evt")
    return events


def _row(device: str, event: dict[str, Any]) -> dict[str, Any]:
    fields = dict(event)
    found_hash = fields.pop("hash")
    if _is_deep(fields):
        raise SyncError(f"evt: {fields['seq']}: nested more than {MOST_DEEP} deep")
    try:
        body = _canonical(fields)
    except ValueError:  # NaN and the like, which JSON does not have: stored without, and doubted by its hash
        body = _canonical(_finite(fields))
    try:
        body.encode()
    except UnicodeEncodeError as error:  # half a character: no database takes it
        raise SyncError(f"evt: {fields['seq']}: {error}"[:200]) from error
    return {
        "device": device,
        "stream": fields["stream"],
        "seq": fields["seq"],
        "at": _moment(fields.get("ts")),
        "kind": fields["type"],
        "resident": _short(fields.get("resident"), 128),
        "reason": _short(fields.get("reason"), 64),
        "prev": fields["prev"],
        "hash": found_hash,
        "body": body,
    }


def _canonical(fields: dict[str, Any]) -> str:
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _finite(value: Any) -> Any:
    """Return JSON values with null for every number that is none; not deep, as was checked."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _is_deep(value: Any) -> bool:
    """Return whether something is nested so deep that reading it back may fail; without recursion."""
    level = [value]
    for _ in range(MOST_DEEP):
        level = [item for one in level for item in (one.values() if isinstance(one, dict) else one)]
        level = [item for item in level if isinstance(item, (dict, list))]
        if not level:
            return False
    return True


def _moment(value: Any) -> str | None:
    """Return a door's time in the one form that sorts, None of what is none."""
    if not isinstance(value, str) or Time().flaw(value):
        return None
    return datetime.fromisoformat(value).astimezone(UTC).strftime(AT)


def digest(body: str) -> str:
    """Return the hash an event with this body must have."""
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()


def _short(value: Any, longest: int) -> str | None:
    """Return the beginning of a text, None of what no column takes: PostgreSQL has no NUL."""
    return value[:longest] if isinstance(value, str) and value.isprintable() else None
