"""What the property has its displays say: a signed, retained set of lines that end by themselves.

The whole set is replaced, its revision only grows: an old one that is played back changes nothing. It opens
no door. With it travels the head of the community's book, which each door writes into its own journal.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from edge.wire.compound import Listing, Maybe, Table
from edge.wire.messages import VERSION, parse_shaped
from edge.wire.shapes import Exactly, Text, Whole, Word

PURPOSE = "notice"
"""Purpose of the signature."""
MAX_BYTES = 16 * 1024
MOST_ITEMS = 8
MOST_LETTERS = 120
"""Three lines of big type on a display of 800 x 480; nobody at a door reads more."""
LAST_SECOND = 253_402_300_799
"""Of the year 9999."""
LEVELS = ("info", "urgent", "emergency")

# Empty where a notice has no text in this language.
LINE = Text(MOST_LETTERS, least=0)
ITEM = Table(
    {
        "id": Text(32, pattern="[A-Za-z0-9.-]+"),
        "level": Word(LEVELS),
        "from": Whole(most=LAST_SECOND, about="UTC seconds since 1970"),
        "until": Whole(most=LAST_SECOND, about="then it is not shown any more, whatever comes"),
        "text": Table({"zh": LINE, "en": LINE}),
    }
)
HEAD = Table({"seq": Whole(), "hash": Text(64, pattern="[0-9a-f]{64}")})
NOTICES = Table(
    {
        "v": Exactly(VERSION),
        "device": Text(64, about="the door it is for"),
        "rev": Whole(about="only grows; an older one changes nothing"),
        "items": Listing(ITEM, MOST_ITEMS, about="in the order in which they are shown"),
        "head": Maybe(HEAD),
    }
)


@dataclass(frozen=True, slots=True)
class DoorNotice:
    """One line for a display, by language ("" where it has none), from and until a moment."""

    id: str
    level: str
    begins: datetime
    ends: datetime
    text: dict[str, str]

    @classmethod
    def of(cls, fields: dict[str, Any]) -> DoorNotice:
        """Return the line of checked fields."""
        begins, ends = (datetime.fromtimestamp(fields[name], UTC) for name in ("from", "until"))
        return cls(fields["id"], fields["level"], begins, ends, dict(fields["text"]))

    def fields(self) -> dict[str, Any]:
        """Return it as JSON values."""
        moments = {"from": int(self.begins.timestamp()), "until": int(self.ends.timestamp())}
        return {"id": self.id, "level": self.level, **moments, "text": self.text}


@dataclass(frozen=True, slots=True)
class NoticeSet:
    """Everything a door's display is to say; `head` is (number, hash) of the book's last entry."""

    device: str
    rev: int
    items: tuple[DoorNotice, ...]
    head: tuple[int, str] | None = None

    def encode(self) -> bytes:
        """Return the bytes to sign."""
        head = None if self.head is None else {"seq": self.head[0], "hash": self.head[1]}
        fields = {"v": VERSION, "device": self.device, "rev": self.rev, "head": head}
        fields["items"] = [one.fields() for one in self.items]
        return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def parse(cls, body: bytes) -> NoticeSet:
        """Return what these signed bytes say, or raise `SyncError`."""
        fields = parse_shaped(NOTICES, body, "notice")
        head = fields["head"]
        items = tuple(map(DoorNotice.of, fields["items"]))
        return cls(
            fields["device"], fields["rev"], items, None if head is None else (head["seq"], head["hash"])
        )
