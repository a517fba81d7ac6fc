"""The envelope of an event: what every door sends, and what a hub insists on before it stores one."""

from __future__ import annotations

from edge.wire.compound import AnyOf, Listing, Maybe, Table
from edge.wire.messages import MAX_BATCH_EVENTS, VERSION
from edge.wire.shapes import Exactly, Text, Time, Whole, Word

CLOCKS = ("synced", "restored", "unknown")
HASH = "[0-9a-f]{64}"

STORABLE = Table(
    {
        "v": Exactly(VERSION),
        "stream": Text(64, about="the journal; a new one when the journal was begun anew"),
        "seq": Whole(1, about="counts from 1 in each stream, without a gap"),
        "type": Text(64, about="dotted lower case, such as access.granted"),
        "prev": Text(64, about="hash of the event before"),
        "hash": Text(64, about="SHA-256 of the event without its hash"),
    },
    is_open=True,
)
"""A hub stores whatever has this much, and doubts the rest aloud: refusing it would lose evidence."""

EVENT = STORABLE.extended(
    {
        "id": Text(64, about="UUIDv7"),
        "boot": Text(64, about="the run of the door"),
        "mono": Whole(about="nanoseconds of the door's monotonic clock"),
        "ts": Maybe(Time("UTC; see clock for what it is worth")),
        "clock": Word(CLOCKS),
        "door": Text(64),
        "type": Text(64, pattern=r"[a-z_]+(\.[a-z_]+)+"),
        "resident": Maybe(Text(128, about="id; never a name")),
        "reason": Maybe(Text(64)),
        "data": Table(is_open=True, about="every number behind it; no picture, no embedding"),
        "prev": Text(64, 64, HASH),
        "hash": Text(64, 64, HASH),
    },
    "one event of a door's journal",
)
EVENTS = AnyOf((EVENT, Listing(EVENT, MAX_BATCH_EVENTS, 1)))
STORABLES = Listing(STORABLE, 5 * MAX_BATCH_EVENTS, 1)
"""Five times what a door sends: more would let one that is hostile keep the others waiting."""
