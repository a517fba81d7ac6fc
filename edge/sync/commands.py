"""Remote commands: what there is, how they are read, and every reason to refuse one."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from edge.errors import SyncError
from edge.sync.messages import parse_object

VERSION = 1
PURPOSE = "cmd"
ID = re.compile(r"[A-Za-z0-9-]{8,64}")
MAX_COMMAND_BYTES = 8 * 1024
MOST_TTL_SECONDS = 60
FIELDS = {"v", "id", "device", "type", "issued", "ttl", "by", "args", "nonce"}


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
"""These open nothing, and a lockdown must not wait for a second message."""

ARGUMENTS: dict[CommandType, dict[str, tuple[float, float]]] = {
    CommandType.UNLOCK: {"seconds": (1, 30)},  # 30 s: the cap the relay guard enforces anyway
    CommandType.ENROL_WINDOW: {"minutes": (1, 60)},
}
"""Numbers a command may carry, each optional, with the least and the most."""


class Refused(StrEnum):
    """Why a command was not executed."""

    MALFORMED = "malformed"
    RETAINED = "retained"
    SIGNATURE = "signature"
    OTHER_DEVICE = "other_device"
    UNKNOWN_TYPE = "unknown_type"
    EXPIRED = "expired"
    NONCE = "nonce"
    DUPLICATE = "duplicate"
    TOO_MANY = "too_many"
    UNAVAILABLE = "unavailable"


class CommandRefused(SyncError):
    """A command will not be executed. `command_id` is set once a signature vouched for it."""

    def __init__(self, refused: Refused, detail: str, command_id: str | None = None) -> None:
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
class Outcome:
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
        raise CommandRefused(Refused.MALFORMED, str(error)) from error
    command_id = fields.get("id")
    if not isinstance(command_id, str) or not ID.fullmatch(command_id):
        raise CommandRefused(Refused.MALFORMED, "id: 8 to 64 letters, digits and dashes")
    if type(fields.get("v")) is not int or fields["v"] != VERSION or not set(fields) <= FIELDS:
        raise CommandRefused(
            Refused.MALFORMED, f"only version {VERSION} and its fields are known", command_id
        )
    try:
        return _command(fields, command_id)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        if isinstance(error, CommandRefused):
            raise
        raise CommandRefused(Refused.MALFORMED, f"{error!r}"[:200], command_id) from error


def _command(fields: dict[str, Any], command_id: str) -> Command:
    try:
        kind = CommandType(fields["type"])
    except ValueError:
        raise CommandRefused(Refused.UNKNOWN_TYPE, repr(fields["type"])[:60], command_id) from None
    issued = datetime.fromisoformat(fields["issued"])
    if issued.tzinfo is None:
        raise ValueError("issued: needs a time zone")
    return Command(
        id=command_id,
        type=kind,
        device=_text(fields, "device"),
        issued=issued,
        ttl=timedelta(seconds=_number(fields["ttl"], 1, MOST_TTL_SECONDS, "ttl")),
        by=_text(fields, "by"),
        nonce=_text(fields, "nonce") if fields.get("nonce") is not None else None,
        args=_arguments(kind, fields.get("args", {})),
    )


def _arguments(kind: CommandType, given: Any) -> dict[str, float]:
    known = ARGUMENTS.get(kind, {})
    if not isinstance(given, dict) or not set(known) >= set(given):
        raise ValueError(f"args: {kind} takes {sorted(known) or 'none'}")
    return {name: _number(value, *known[name], name) for name, value in given.items()}


def _number(value: Any, least: float, most: float, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name}: must be a number")
    if not least <= value <= most:
        raise ValueError(f"{name}: must be {least:g} to {most:g}")
    return float(value)


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields[name]
    if not isinstance(value, str) or not 1 <= len(value) <= 64 or not value.isprintable():
        raise ValueError(f"{name}: 1 to 64 printable characters")
    return value
