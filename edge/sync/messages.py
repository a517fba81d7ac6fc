"""What arrives and leaves, as types; parsing refuses everything that is not exactly right."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from edge.errors import SyncError

MAX_INCOMING_BYTES = 1024 * 1024
"""Announced to the broker, and enough: roster snapshots travel in parts of 256 KiB."""
MAX_BATCH_BYTES = 128 * 1024
MAX_BATCH_EVENTS = 100


@dataclass(frozen=True, slots=True)
class Message:
    """One message from the broker. `done` is what an event sender says has arrived before."""

    topic: str
    payload: bytes
    retained: bool
    done: int = 0


@dataclass(frozen=True, slots=True)
class EventAck:
    """The hub has stored this stream without gap up to this number."""

    stream: str
    upto: int

    @classmethod
    def parse(cls, payload: bytes) -> EventAck:
        """Return the acknowledgement, or raise `SyncError`."""
        fields = parse_object(payload)
        stream, upto = fields.get("stream"), fields.get("upto")
        if not isinstance(stream, str) or type(upto) is not int or upto < 0:
            raise SyncError("evt/ack: needs `stream` (text) and `upto` (whole number)")
        return cls(stream, upto)


def parse_object(payload: bytes) -> dict[str, Any]:
    """Return a JSON object, or raise `SyncError` for anything else. Never another exception."""
    try:
        value = json.loads(payload.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise SyncError(f"not JSON: {error}"[:200]) from error
    if not isinstance(value, dict):
        raise SyncError(f"a JSON object was expected, not {type(value).__name__}")
    return value


def batch(entries: list[tuple[int, str]]) -> tuple[int, bytes]:
    """Return (last number, payload) of as many of the first entries as fit into one message.

    One entry travels as an object, several as an array of objects; `entries` is not empty.
    """
    taken, size = 0, 2
    for _, text in entries[:MAX_BATCH_EVENTS]:
        size += len(text.encode()) + 1
        if taken and size > MAX_BATCH_BYTES:
            break
        taken += 1
    texts = [text for _, text in entries[:taken]]
    payload = texts[0] if taken == 1 else f"[{','.join(texts)}]"
    return entries[taken - 1][0], payload.encode()
