"""What doors answered when they were asked how they are, read back from the requests."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.errors import SyncError
from edge.wire.commands import CommandType
from facegate_hub.database import reading
from facegate_hub.tables import REQUESTS

if TYPE_CHECKING:
    from sqlalchemy.engine import Engine


def answer_to(engine: Engine, request: str) -> tuple[str, dict[str, Any]]:
    """Return (UTC in ISO form, what the door said) of one request. Raises `SyncError` for one without data.

    By its id and not as the newest one: after the hub's clock was set back that is an older answer.
    """
    return _answer(engine, REQUESTS.c.id == request) or _none(request)


def last_answer(engine: Engine, door: str) -> tuple[str, dict[str, Any]]:
    """Return the same of the last time that a door was asked. Raises `SyncError` when it never was."""
    return _answer(engine, REQUESTS.c.device == door) or _none(door)


def _none(what: str) -> tuple[str, dict[str, Any]]:
    raise SyncError(f"{what}: it was never asked; leave --last out")


def _answer(engine: Engine, which: sa.ColumnElement[bool]) -> tuple[str, dict[str, Any]] | None:
    query = (
        sa.select(REQUESTS.c.asked_at, REQUESTS.c.data)
        .where(which, REQUESTS.c.type == CommandType.DIAGNOSTICS)
        .where(REQUESTS.c.status == "done", REQUESTS.c.data.is_not(None))
        # Those last that seem to be of the future: they were asked while the clock was ahead.
        .order_by(REQUESTS.c.asked_at > time.time(), REQUESTS.c.asked_at.desc())
    )
    with reading(engine) as connection:
        row = connection.execute(query.limit(1)).first()
    if row is None:
        return None
    return datetime.fromtimestamp(row.asked_at, UTC).isoformat(timespec="seconds"), json.loads(row.data)
