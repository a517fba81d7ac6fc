"""One person in the roster: read strictly, because it decides who gets in."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from edge.domain import Resident
from edge.errors import SyncError

FIELDS = {"id", "name", "access_levels", "valid_from", "valid_until", "extended_unlock", "consent_id"}
REQUIRED = {"id", "name"}
MAX_RECORD_BYTES = 8 * 1024
MOST_LEVELS = 32
LONGEST = {"id": 128, "name": 200, "consent_id": 128, "access_levels": 64}


def canonical_record(fields: dict[str, Any]) -> str:
    """Return the one text of a record that both sides hash: keys sorted, compact, UTF-8."""
    return json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def parse_record(fields: Any) -> tuple[Resident, str]:
    """Return (resident, canonical text). Raises `SyncError` naming the field that is wrong.

    Templates are not among the fields: faces stay on the device.
    """
    if not isinstance(fields, dict) or not set(fields) >= REQUIRED:
        raise SyncError("record: needs at least id and name")
    if unknown := set(fields) - FIELDS:
        raise SyncError(f"record: unknown field {min(map(str, unknown))[:40]!r}")
    identity = _text(fields["id"], "id")
    try:
        text = canonical_record(fields)
        size = len(text.encode())
    except ValueError as error:
        raise SyncError(f"record: {error}"[:200]) from error
    if size > MAX_RECORD_BYTES:
        raise SyncError(f"record {identity!r}: {size} bytes; at most {MAX_RECORD_BYTES}")
    if fields.get("consent_id") is not None:
        _text(fields["consent_id"], "consent_id")
    return _resident(fields, identity), text


def _resident(fields: dict[str, Any], identity: str) -> Resident:
    extended = fields.get("extended_unlock", False)
    if not isinstance(extended, bool):
        raise SyncError(f"record {identity!r}: extended_unlock must be true or false")
    return Resident(
        id=identity,
        name=_text(fields["name"], "name"),
        access_levels=_levels(fields.get("access_levels", ["resident"])),
        valid_from=_time(fields.get("valid_from"), "valid_from"),
        valid_until=_time(fields.get("valid_until"), "valid_until"),
        extended_unlock=extended,
    )


def _levels(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > MOST_LEVELS:
        raise SyncError(f"record: access_levels must be a list of at most {MOST_LEVELS} names")
    return tuple(_text(item, "access_levels") for item in value)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST[name] or not value.isprintable():
        raise SyncError(f"record: {name} must be 1 to {LONGEST[name]} printable characters")
    return value


def _time(value: Any, name: str) -> datetime | None:
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise SyncError(f"record: {name} must be an ISO time") from None
    if at.tzinfo is None:
        raise SyncError(f"record: {name} needs a time zone")
    return at
