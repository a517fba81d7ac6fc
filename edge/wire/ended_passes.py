"""Which visitor passes the property has ended before their time: a signed, retained list for one door.

A pass opens without any network, so a door has to be told. An entry leaves the list with the pass's own end.
What a door has taken stays ended: an older list that is played back revives nothing, and nothing opens by it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from edge.wire.compound import Listing, Table
from edge.wire.messages import VERSION, parse_shaped
from edge.wire.shapes import Exactly, Text, Whole

PURPOSE = "pass-ended"
"""Purpose of the signature."""
MOST_ENDED = 512
MAX_BYTES = 48 * 1024
"""A full list has 24 KiB."""
LAST_SECOND = 2**32 - 1
"""What a pass itself can say."""

ENDED = Table(
    {
        "id": Text(16, pattern="[0-9a-f]{16}", about="as it stands on the pass"),
        "until": Whole(most=LAST_SECOND, about="the pass's own end, UTC seconds since 1970"),
    }
)
PASS_ENDS = Table(
    {
        "v": Exactly(VERSION),
        "device": Text(64, about="the door it is for"),
        "rev": Whole(about="only grows; an older one changes nothing"),
        "ended": Listing(ENDED, MOST_ENDED, about="passes for this door that open it no more"),
    }
)


@dataclass(frozen=True, slots=True)
class EndedPass:
    """A pass that opens no more: its id in hexadecimal, and until when it would have."""

    id: str
    until: datetime

    def fields(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"id": self.id, "until": int(self.until.timestamp())}


@dataclass(frozen=True, slots=True)
class PassEnds:
    """Every pass of a door that was ended and would still open it."""

    device: str
    rev: int
    ended: tuple[EndedPass, ...]

    def encode(self) -> bytes:
        """Return the bytes to sign."""
        fields = {"v": VERSION, "device": self.device, "rev": self.rev}
        return json.dumps(
            {**fields, "ended": [one.fields() for one in self.ended]}, separators=(",", ":")
        ).encode()

    @classmethod
    def parse(cls, body: bytes) -> PassEnds:
        """Return what these signed bytes say, or raise `SyncError`."""
        fields = parse_shaped(PASS_ENDS, body, "pass/ended")
        # In range for `fromtimestamp`: the shape has the limits.
        ended = (EndedPass(one["id"], datetime.fromtimestamp(one["until"], UTC)) for one in fields["ended"])
        return cls(fields["device"], fields["rev"], tuple(ended))
