"""The access rules that the property wants of a door, and what the door says about its own.

`rules/desired` is signed and retained: a door that was away finds it. It names the rules that it was made
from (`base`): nothing is written over that somebody changed at the door meanwhile, and nothing comes of rules
that somebody between made up.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from edge.errors import SyncError
from edge.wire.compound import Maybe, Table
from edge.wire.messages import VERSION, parse_shaped
from edge.wire.shapes import Exactly, Flag, Text, Whole

PURPOSE = "rules"
"""Purpose of the signature."""
MOST_TEXT = 60_000
MAX_BYTES = 256 * 1024
"""Four bytes a letter, and the rest."""

_DIGEST = Text(64, pattern="[0-9a-f]{64}", about="SHA-256 of the rules as UTF-8")
DESIRED_RULES = Table(
    {
        "v": Exactly(VERSION),
        "device": Text(64, about="the door it is for"),
        "rev": Whole(about="only grows; an older one changes nothing"),
        "base": _DIGEST,
        "text": Text(MOST_TEXT, least=0, is_free=True, about="the rules (TOML), all of them"),
    }
)
REPORTED_RULES = Table(
    {
        "v": Exactly(VERSION),
        "rev": Whole(about="the newest revision the door saw"),
        "text": Text(MOST_TEXT, least=0, is_free=True, about="the rules that count"),
        "takes": Flag("whether rules are taken from afar"),
        "refused": Maybe(Text(2000, is_free=True, about="why that revision does not count")),
    },
    is_open=True,
)


def digest_of(text: str) -> str:
    """Return the SHA-256 that stands for rules."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class DesiredRules:
    """What the property wants: `text` in place of the rules whose SHA-256 is `base`."""

    device: str
    rev: int
    base: str
    text: str

    def encode(self) -> bytes:
        """Return the bytes to sign."""
        fields = {"v": VERSION, **{name: getattr(self, name) for name in self.__slots__}}
        return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def parse(cls, body: bytes) -> DesiredRules:
        """Return what these signed bytes want, or raise `SyncError`."""
        fields = parse_shaped(DESIRED_RULES, body, "rules")
        return cls(fields["device"], fields["rev"], fields["base"], fields["text"])


@dataclass(frozen=True, slots=True)
class ReportedRules:
    """What counts at a door. `refused` is why the newest revision it saw does not (None: it does)."""

    rev: int
    text: str
    takes: bool
    refused: str | None = None

    def encode(self) -> bytes:
        """Return the payload of `rules/reported`."""
        fields = {"v": VERSION, **{name: getattr(self, name) for name in self.__slots__}}
        return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def parse(cls, payload: bytes) -> ReportedRules:
        """Return a door's report, or raise `SyncError`."""
        if len(payload) > MAX_BYTES:
            raise SyncError(f"rules/reported: {len(payload)} bytes; at most {MAX_BYTES}")
        fields = parse_shaped(REPORTED_RULES, payload, "rules/reported")
        return cls(fields["rev"], fields["text"], fields["takes"], fields["refused"])
