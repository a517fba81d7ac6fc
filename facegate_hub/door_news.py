"""Copies two kinds of events from doors' journals to the community's book: shown invitations, and services.

Only events that a door has signed count: control of the broker alone lets nobody in.
"""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeGuard

import sqlalchemy as sa

from edge.events import Kind
from facegate_hub.clerk import is_door
from facegate_hub.community.entry import Invitations
from facegate_hub.community.people import PeopleRegister
from facegate_hub.community.uptime import note_service
from facegate_hub.database import reading
from facegate_hub.looking import LookingThread
from facegate_hub.tables import EVENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy.engine import Engine, Row

    from facegate_hub.community.book import Book

LOOK_SECONDS = 5.0
BACK_DAYS = 7
"""A code is good for no longer; and how far back a hub that was away looks for services."""
DIGEST = re.compile("[0-9a-f]{64}")
LAST_SECOND = 253_402_300_799


class DoorNews(LookingThread):
    """Looks through what doors told, in a thread of its own; what was carried over before is not again."""

    def __init__(self, engine: Engine, book: Book, now: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._book = book
        self._now = now
        self._seen: set[tuple[str, str, int]] = set()
        """Events that need no other look; what waits for the desk to enter somebody does."""
        super().__init__("hub-door-news", LOOK_SECONDS, "what doors told could not be carried over")

    def look(self) -> int:
        """Carry over what is new, and return how many that were."""
        since = datetime.fromtimestamp(self._now(), UTC) - timedelta(days=BACK_DAYS)
        kinds = [str(Kind.INVITE_MADE), str(Kind.SERVICE_DONE)]
        wanted = (EVENTS.c.kind.in_(kinds), EVENTS.c.at >= since.isoformat(), EVENTS.c.proven == 1)
        with reading(self._engine) as connection:
            rows = connection.execute(sa.select(EVENTS).where(*wanted).order_by(EVENTS.c.at)).all()
        # What is too old to be found again needs no remembering.
        self._seen &= {_key(row) for row in rows}
        fresh = [row for row in rows if _key(row) not in self._seen and is_door(row.device)]
        count = 0
        for row in fresh:
            if row.kind == Kind.SERVICE_DONE:
                count += self._serviced(row)
                # Not before: where the book fails, this one and those after it are carried over later.
                self._seen.add(_key(row))
        return count + self._invite([row for row in fresh if row.kind == Kind.INVITE_MADE])

    def _serviced(self, row: Row[Any]) -> bool:
        data = _data(row)
        part, due, at = data.get("part"), data.get("next"), _moment(row.at)
        # JSON may contain half a surrogate pair, which no database stores: one such event must not block
        # those that follow.
        if not isinstance(part, str) or not part.isprintable() or not _is_second(due) or at is None:
            return False
        return note_service(self._book, row.device, part[:32], (at, due), f"{row.stream}:{row.seq}")

    def _invite(self, rows: Sequence[Row[Any]]) -> int:
        """Let codes count; who is not entered at the desk yet is looked for again."""
        if not rows:
            return 0
        people, invitations, count = PeopleRegister(self._book).by_resident(), Invitations(self._book), 0
        for row in rows:
            data, person = _data(row), people.get(row.resident or "")
            digest, until = data.get("digest"), data.get("until")
            if not isinstance(digest, str) or not DIGEST.fullmatch(digest) or not _is_second(until):
                digest, until = "", 0
            # Over, or never a code: nothing can come of it any more.
            if until <= self._now():
                self._seen.add(_key(row))
            elif person is not None:
                count += invitations.from_door(row.device, person, digest, until)
                self._seen.add(_key(row))
        return count


def _key(row: Row[Any]) -> tuple[str, str, int]:
    return row.device, row.stream, row.seq


def _data(row: Row[Any]) -> dict[str, Any]:
    try:
        data = json.loads(row.body)["data"]
    except (ValueError, KeyError, TypeError):
        return {}
    return data if isinstance(data, dict) else {}


def _moment(text: str | None) -> int | None:
    try:
        return int(datetime.fromisoformat(text or "").timestamp())
    except (ValueError, OverflowError):
        return None


def _is_second(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 < value <= LAST_SECOND
