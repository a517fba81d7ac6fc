"""What other programs of a house ask, on a topic of their own, and the answer with the outcome."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from edge.wire.commands import ARGUMENTS, ID, CommandType
from edge.wire.compound import Table
from edge.wire.messages import VERSION, parse_shaped
from edge.wire.shapes import Exactly, Number, Text, Time, Word

STALE_SECONDS = 15.0
"""How old an ask may be, and how far ahead its clock: what a broker kept or held up opens no door."""
MAX_ASK_BYTES = 2 * 1024
ASKABLE = tuple(str(kind) for kind in CommandType if kind is not CommandType.CHALLENGE)
_ARGS = {name: Number(*limits) for limits_of in ARGUMENTS.values() for name, limits in limits_of.items()}
MOST_NAME = 64
_ID = Text(MOST_NAME, 8, ID.pattern, about="chosen by who asks, used once; the answer carries it")


@dataclass(frozen=True, slots=True)
class ProgramAsk:
    """One wish of a program: `do` is a command, `at` when it was asked, by the clock of who asks."""

    id: str
    door: str
    do: CommandType
    at: datetime
    args: dict[str, float] = field(default_factory=dict)

    SHAPE: ClassVar = Table(
        {
            "v": Exactly(VERSION),
            "id": _ID,
            "door": Text(64, about="the door it is for"),
            "do": Word(ASKABLE),
            "at": Time("when it was asked; refused when it is not now"),
            "args": Table(_ARGS, optional=frozenset(_ARGS)),
        },
        optional=frozenset({"args"}),
        about="what a program asks; who it is, its certificate says",
    )

    @classmethod
    def parse(cls, payload: bytes) -> ProgramAsk:
        """Return what is asked, or raise `SyncError`."""
        # Cut one byte beyond the limit: what is longer then fails as JSON, without all of it being parsed.
        fields = parse_shaped(cls.SHAPE, payload[: MAX_ASK_BYTES + 1], "ask")
        args = {name: float(value) for name, value in fields.get("args", {}).items()}
        at = datetime.fromisoformat(fields["at"])
        return cls(fields["id"], fields["door"], CommandType(fields["do"]), at, args)


@dataclass(frozen=True, slots=True)
class AskAnswer:
    """What became of an ask: `status` is that of the command, or `refused`: they may not."""

    id: str
    door: str
    status: str
    text: str

    SHAPE: ClassVar = Table(
        {
            "v": Exactly(VERSION),
            "id": Text(64, least=0),
            "door": Text(64, least=0),
            "status": Word(("done", "failed", "rejected", "refused", "unknown", "waiting")),
            "text": Text(500, least=0, is_free=True, about="what physically happened, or why nothing did"),
        }
    )

    def encode(self) -> bytes:
        """Return the payload."""
        fields: dict[str, Any] = {"v": VERSION, "id": self.id, "door": self.door}
        return json.dumps({**fields, "status": self.status, "text": self.text[:500]}).encode()


def refusal(payload: bytes, why: str) -> AskAnswer:
    """Return the answer to what is no ask: with the id and the door that it names, where it names any.

    A program that waits for its answer looks for the id; without one it cannot tell which ask was wrong.
    """
    try:
        fields = json.loads(payload[: MAX_ASK_BYTES + 1])
    except (ValueError, RecursionError):
        fields = None
    named = fields if isinstance(fields, dict) else {}
    return AskAnswer(_named(named.get("id")), _named(named.get("door")), "refused", why)


def _named(value: object) -> str:
    """Return a name that may be told back; nothing for what could be none."""
    return value if isinstance(value, str) and len(value) <= MOST_NAME and value.isprintable() else ""
