"""Remote commands: what there is, how they are read, and every reason to refuse one."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from edge.errors import SyncError
from edge.wire.compound import Either, Maybe, Table
from edge.wire.messages import VERSION, parse_object
from edge.wire.shapes import Exactly, Number, Text, Time, Word

PURPOSE = "cmd"
ID = re.compile(r"[A-Za-z0-9-]{8,64}")
MAX_COMMAND_BYTES = 8 * 1024
MOST_TTL_SECONDS = 60


class CommandType(StrEnum):
    """What staff may ask of a door."""

    CHALLENGE = "challenge"
    """Hand out a nonce for the next command."""
    UNLOCK = "unlock"
    LOCKDOWN = "lockdown"
    EVACUATION = "evacuation"
    NORMAL = "normal"
    """End lockdown or evacuation."""
    RELOAD = "reload"
    ENROL_WINDOW = "enrol_window"
    ACKNOWLEDGE_ALARM = "acknowledge_alarm"
    DIAGNOSTICS = "diagnostics"


WITHOUT_NONCE = {
    CommandType.CHALLENGE,
    CommandType.LOCKDOWN,
    CommandType.ACKNOWLEDGE_ALARM,
    CommandType.DIAGNOSTICS,
}
"""These open nothing: with network time they are taken without a nonce, while they are fresh."""

MODES = {CommandType.LOCKDOWN, CommandType.EVACUATION, CommandType.NORMAL}
"""Each replaces the one before: the last word counts, in whatever order they arrive."""

VOIDED_BY_LOCKDOWN = {
    CommandType.UNLOCK,
    CommandType.EVACUATION,
    CommandType.NORMAL,
    CommandType.ENROL_WINDOW,
}
"""What was asked for before a lockdown and has not been carried out yet never is."""

ARGUMENTS: dict[CommandType, dict[str, tuple[float, float]]] = {
    CommandType.UNLOCK: {"seconds": (1, 30)},  # 30 s: the cap the relay guard enforces anyway
    CommandType.ENROL_WINDOW: {"minutes": (1, 60)},
}
"""Numbers a command may carry, each optional, with the least and the most."""


def _shape(kind: CommandType) -> Table:
    arguments = {name: Number(*limits) for name, limits in ARGUMENTS.get(kind, {}).items()}
    return Table(
        {
            "v": Exactly(VERSION),
            "id": Text(64, 8, ID.pattern, about="executed at most once"),
            "device": Text(64, about="the door it is for"),
            "type": Word((kind,)),
            "issued": Time("the sender's clock"),
            "ttl": Number(1, MOST_TTL_SECONDS, "seconds"),
            "by": Text(64, about="who asks; journaled at the door"),
            "args": Table(arguments, optional=frozenset(arguments)),
            "nonce": Maybe(Text(64, about="what the door answered to a challenge")),
        },
        optional=frozenset({"args", "nonce"}),
    )


COMMAND = Either("type", {str(kind): _shape(kind) for kind in CommandType})


class CommandRefusal(StrEnum):
    """Why a command was not executed."""

    MALFORMED = "malformed"
    RETAINED = "retained"
    SIGNATURE = "signature"
    OTHER_DEVICE = "other_device"
    UNKNOWN_TYPE = "unknown_type"
    EXPIRED = "expired"
    NONCE = "nonce"
    OVERTAKEN = "overtaken"
    DUPLICATE = "duplicate"
    TOO_MANY = "too_many"
    UNAVAILABLE = "unavailable"


class CommandRefused(SyncError):
    """A command will not be executed. `command_id` is set once a signature vouched for it."""

    def __init__(self, refused: CommandRefusal, detail: str, command_id: str | None = None) -> None:
        super().__init__(f"{refused}: {detail}")
        self.refused = refused
        self.command_id = command_id


@dataclass(frozen=True, slots=True)
class Command:
    """One signed wish. `by` names the person at the other end, `issued` is their clock."""

    id: str
    type: CommandType
    device: str
    issued: datetime
    ttl: timedelta
    by: str
    nonce: str | None = None
    args: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """What physically came of it: `status` is `done` or `failed`, `text` one line for staff."""

    status: str
    text: str
    data: dict[str, Any] = field(default_factory=dict)


def parse_command(body: bytes) -> Command:
    """Return the command in these signed bytes, or raise `CommandRefused`.

    Anything unknown is refused, never guessed: fields, types, arguments, versions.
    """
    try:
        fields = parse_object(body)
    except SyncError as error:
        raise CommandRefused(CommandRefusal.MALFORMED, str(error)) from error
    # The id first: only a refusal that names the command can be told to whoever sent it.
    command_id = fields.get("id")
    if not isinstance(command_id, str) or not ID.fullmatch(command_id):
        raise CommandRefused(CommandRefusal.MALFORMED, "id: 8 to 64 letters, digits and dashes")
    kind = fields.get("type")
    if "type" in fields and (not isinstance(kind, str) or kind not in COMMAND.tables):
        raise CommandRefused(CommandRefusal.UNKNOWN_TYPE, repr(kind)[:60], command_id)
    # Last, so that the checks before it can give the more exact refusal.
    if flaw := COMMAND.flaw(fields):
        raise CommandRefused(CommandRefusal.MALFORMED, f"command{flaw}"[:200], command_id)
    return Command(
        id=command_id,
        type=CommandType(fields["type"]),
        device=fields["device"],
        issued=datetime.fromisoformat(fields["issued"]),
        ttl=timedelta(seconds=fields["ttl"]),
        by=fields["by"],
        nonce=fields.get("nonce"),
        args={name: float(value) for name, value in fields.get("args", {}).items()},
    )


def kept_command(command: Command) -> str:
    """Return what has to be kept of a command besides its id to carry it out, or to tell what came of it."""
    return json.dumps({"type": command.type, "by": command.by, "args": command.args})


def read_command(command_id: str, at: datetime, kept: str, device: str) -> Command | None:
    """Return the command that `kept_command` is of, as one issued at `at`; None for what is damaged."""
    try:
        fields = json.loads(kept)
        args = {str(name): float(value) for name, value in fields["args"].items()}
        return Command(
            command_id, CommandType(fields["type"]), device, at, timedelta(0), str(fields["by"]), args=args
        )
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
