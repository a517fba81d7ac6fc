"""What travels in place of an entry that can no longer be read: the others must not wait for it.

It says what is known: its number, what it follows, and that it is damaged. It is the same each time,
however it is read, so that an entry sent twice is not two. Who receives it sees that the next one does
not follow it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from edge.events import Kind
from edge.store.chain import ENVELOPE_VERSION, ChainRow, digest
from edge.store.payload import canonical

if TYPE_CHECKING:
    from edge.store.chain import Link

MOST_NAME = 64
"""Characters of a stream, a kind or a hash on the wire."""


def is_sendable(row: ChainRow, stream: str) -> bool:
    """Return whether a receiver can store the row; an edited one too, since the receiver checks the chain."""
    try:
        fields = json.loads(row.body)
    except (ValueError, RecursionError, TypeError):
        return False
    if not isinstance(fields, dict) or not isinstance(row.hash, str):
        return False
    named = [fields.get("type"), fields.get("prev"), row.hash]
    is_ours = (fields.get("v"), fields.get("stream"), fields.get("seq")) == (
        ENVELOPE_VERSION,
        stream,
        row.seq,
    )
    return is_ours and all(isinstance(name, str) and 0 < len(name) <= MOST_NAME for name in named)


def stand_in(stream: str, before: Link) -> ChainRow:
    """Return the row that takes the place of the damaged one after `before`."""
    seq = before.seq + 1
    identity = f"{stream}:{seq}"
    fields: dict[str, Any] = {
        "v": ENVELOPE_VERSION,
        "stream": stream,
        "seq": seq,
        "id": identity,
        "boot": "unknown",
        "mono": 0,
        "ts": None,
        "clock": "unknown",
        "door": "unknown",
        "type": str(Kind.JOURNAL_DAMAGED),
        "resident": None,
        "reason": None,
        "data": {"entry": seq},
        "prev": before.hash,
    }
    body = canonical(fields)
    return ChainRow(seq, identity, body, digest(body))
