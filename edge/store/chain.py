"""The hash chain of the journal: what is hashed, and how the first bad entry is found.

`body` is the canonical JSON of one entry and contains `prev`, the hash of the entry before it;
`hash` is the SHA-256 of those bytes. Changing, removing or moving an entry breaks the chain
there. Somebody who can rewrite the file can also compute a whole new chain, or cut off its
end: only the other side, which has seen the old hashes, can notice that.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from types import NoneType
from typing import TYPE_CHECKING, Any

from edge.domain import DoorEvent, EventDraft
from edge.errors import JournalTampered
from edge.store.payload import canonical, fitted_data, fitted_text

if TYPE_CHECKING:
    from collections.abc import Iterable

ENVELOPE_VERSION = 1
MOST_OF_RESIDENT, MOST_OF_REASON = 128, 64
"""Characters; the property takes no more (`edge.wire.envelope`)."""
GENESIS = "0" * 64
"""What the first entry of a stream follows."""


@dataclass(frozen=True, slots=True)
class Link:
    """A place in the chain: the entry with this `seq` has this `hash`."""

    seq: int = 0
    hash: str = GENESIS


@dataclass(frozen=True, slots=True)
class ChainRow:
    """One stored entry: `body` is canonical JSON, everything else must agree with it."""

    seq: int
    id: str
    body: str
    hash: str

    @property
    def envelope(self) -> str:
        """The entry as it travels: its body with `hash` as the last key."""
        # Appended to the stored text rather than encoded again: what travels is byte for byte what was
        # hashed.
        return f'{self.body[:-1]},"hash":"{self.hash}"}}'


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the journal adds to every draft of one run."""

    stream: str
    boot: str
    clock: str
    door_id: str


def forge(draft: EventDraft, identity: str, stamp: Stamp, prev: Link) -> ChainRow:
    """Return the row that follows `prev`; what of the draft does not fit is cut, see `fitted_data`.

    A time without a zone is taken for UTC.
    """
    seq = prev.seq + 1
    body = canonical(
        {
            "v": ENVELOPE_VERSION,
            "stream": stamp.stream,
            "seq": seq,
            "id": identity,
            "boot": stamp.boot,
            # Whole nanoseconds: readers of JSON differ in the last digits of a fraction.
            "mono": round(draft.mono * 1e9) if math.isfinite(draft.mono) else 0,
            "ts": _to_text(draft.at),
            "clock": stamp.clock,
            "door": stamp.door_id,
            "type": draft.kind,
            "resident": _fitted(draft.resident_id, MOST_OF_RESIDENT),
            "reason": _fitted(draft.reason, MOST_OF_REASON),
            "data": fitted_data(draft.data),
            "prev": prev.hash,
        }
    )
    return ChainRow(seq, identity, body, digest(body))


def digest(body: str) -> str:
    """Return the hash of a body, as the chain stores it."""
    # A lone surrogate, as of an undecodable file name, is stored and hashed like any other character. Strict
    # UTF-8 would raise here, and the entry would be lost.
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()


TOLD: dict[str, tuple[type, ...]] = {
    "type": (str,),
    "data": (dict,),
    "clock": (str,),
    "resident": (str, NoneType),
    "reason": (str, NoneType),
}
"""What is read out of an entry without a further look."""


def _require_told(fields: dict[str, Any]) -> None:
    """Raise `TypeError` for what no door of ours writes: readers of an entry rely on these types."""
    for name, kinds in TOLD.items():
        if not isinstance(fields[name], kinds):
            raise TypeError(f"{name} is of the wrong kind")


def to_event(row: ChainRow) -> DoorEvent:
    """Return the row as a `DoorEvent`. Raises `JournalTampered` when it cannot be read at all."""
    try:
        fields = json.loads(row.body)
        _require_told(fields)
        return DoorEvent(
            id=fields["id"],
            stream=fields["stream"],
            seq=fields["seq"],
            kind=fields["type"],
            at=datetime.fromisoformat(fields["ts"]),
            boot=fields["boot"],
            mono_ns=fields["mono"],
            clock=fields["clock"],
            door_id=fields["door"],
            resident_id=fields["resident"],
            reason=fields["reason"],
            data=fields["data"],
            prev_hash=fields["prev"],
            hash=row.hash,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise JournalTampered(
            f"entry {row.seq} cannot be read ({error}); run `facegate events verify`"
        ) from error


def check_chain(rows: Iterable[ChainRow], stream: str, anchor: Link) -> Link:
    """Return the last link after checking every row, which must come in order of `seq`.

    `anchor` is the last entry that retention removed (`Link()` when none was). Raises
    `JournalTampered` naming the first entry that is missing, edited, moved or of another stream.
    """
    link = anchor
    for row in rows:
        if row.seq != link.seq + 1:
            raise JournalTampered(f"entry {link.seq + 1} is missing: {link.seq} is followed by {row.seq}")
        if flaw := _flaw(row, stream, link):
            raise JournalTampered(f"entry {row.seq} {flaw}")
        link = Link(row.seq, row.hash)
    return link


def _flaw(row: ChainRow, stream: str, before: Link) -> str:
    """Return what is wrong with one row, or an empty string."""
    # In this order: a body that fits its hash can be believed about where it was written.
    if digest(row.body) != row.hash:
        return "was edited: its hash does not fit its content"
    fields: dict[str, Any] = json.loads(row.body)
    if fields["seq"] != row.seq:
        return f"was moved here: it was written as entry {fields['seq']}"
    if fields["stream"] != stream or fields["id"] != row.id:
        return "was put in from another journal"
    if fields["prev"] != before.hash:
        return f"does not follow entry {before.seq}: one of the two was rewritten"
    return ""


def _fitted(text: str | None, most: int) -> str | None:
    return None if text is None else fitted_text(text, most)


def _to_text(at: datetime) -> str:
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
