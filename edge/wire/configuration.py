"""What the property wants of a door's settings, and what the door says about them.

`cfg/desired` is signed and retained: a door that was away finds it. Its revision only grows, so an
old one that is played back changes nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from edge.errors import SyncError
from edge.wire.compound import AnyOf, Listing, Maybe, Named, Table
from edge.wire.messages import VERSION, parse_shaped
from edge.wire.shapes import Exactly, Number, Text, Whole

if TYPE_CHECKING:
    from collections.abc import Mapping

    Value: TypeAlias = str | int | float

PURPOSE = "config"
"""Purpose of the signature."""
MAX_BYTES = 16 * 1024
MOST_VALUES = 64
KEY = r"[a-z_]{1,40}\.[a-z_]{1,40}"
MOST_NUMBER = 1e9
"""No setting comes near; nor does any number that JSON knows and arithmetic does not."""

VALUE = AnyOf((Number(-MOST_NUMBER, MOST_NUMBER), Text(64, least=0)))
DESIRED = Table(
    {
        "v": Exactly(VERSION),
        "device": Text(64, about="the door it is for"),
        "rev": Whole(about="only grows; an older one changes nothing"),
        "values": Named(KEY, VALUE, MOST_VALUES, "section.key; others are as the door's file has them"),
    }
)
REPORTED = Table(
    {
        "v": Exactly(VERSION),
        "rev": Whole(about="the newest revision the door saw"),
        "values": Named(KEY, Maybe(VALUE), MOST_VALUES, "what counts now"),
        "refused": Listing(
            Text(500, least=0, is_free=True), MOST_VALUES, about="why that revision does not count"
        ),
        "pending": Listing(Text(81, pattern=KEY), MOST_VALUES, about="count from the next start"),
    },
    is_open=True,
)


@dataclass(frozen=True, slots=True)
class Desired:
    """What the property wants: `values` by `section.key`; what is not named is as the door's file has it."""

    device: str
    rev: int
    values: Mapping[str, Value]

    def encode(self) -> bytes:
        """Return the bytes to sign."""
        fields = {"v": VERSION, "device": self.device, "rev": self.rev, "values": dict(self.values)}
        return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def parse(cls, body: bytes) -> Desired:
        """Return what these signed bytes want, or raise `SyncError`."""
        fields = parse_shaped(DESIRED, body, "config")
        return cls(fields["device"], fields["rev"], fields["values"])


@dataclass(frozen=True, slots=True)
class Reported:
    """What counts at the door: `values` now, `pending` those that count from the next start.

    `rev` is the newest revision it saw, `refused` why that one does not count (empty: it does).
    """

    rev: int
    values: Mapping[str, Value | None]
    refused: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Return the payload of `cfg/reported`."""
        lists = {"refused": list(self.refused), "pending": list(self.pending)}
        return json.dumps({"v": VERSION, "rev": self.rev, "values": dict(self.values), **lists}).encode()

    @classmethod
    def parse(cls, payload: bytes) -> Reported:
        """Return a door's report, or raise `SyncError`."""
        # A report comes from a door, unsigned: its length is checked before it is parsed.
        if len(payload) > MAX_BYTES:
            raise SyncError("cfg/reported: at most 16 KiB")
        fields = parse_shaped(REPORTED, payload, "cfg/reported")
        return cls(fields["rev"], fields["values"], tuple(fields["refused"]), tuple(fields["pending"]))
