"""Events as doors send them: chained and hashed, without a disk."""

from datetime import UTC, datetime

from edge.domain import EventDraft
from edge.events import Kind
from edge.store.chain import Link, Stamp, forge
from edge.store.ids import uuid7


def chain(door, count, day=1, stream=None, at=None):
    """Return `count` entries of a new journal of this door, of a day in March 2026 or of `at`."""
    at = at or datetime(2026, 3, day, 8, 0, tzinfo=UTC)
    stamp, link = Stamp(stream or uuid7(at), "boot", "synced", door), Link()
    entries = []
    for n in range(count):
        data = {"similarity": 0.71, "n": n}
        row = forge(
            EventDraft(Kind.ACCESS_GRANTED, at, float(n), "anna", "granted", data), uuid7(at), stamp, link
        )
        link = Link(row.seq, row.hash)
        entries.append(row.envelope)
    return entries


def pack(entries):
    """Return one message with these entries."""
    return f"[{','.join(entries)}]".encode()
