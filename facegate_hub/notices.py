"""Carries approved notices to the doors, signed and retained, with the head of the community's book.

Each door writes the head into its own journal, which it sends to the hub in a chain of its own: whoever
rewrites the book would have to rewrite the journals of all doors, too (`facegate hub community witness`).
"""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from edge.events import Kind
from edge.wire.notices import MOST_ITEMS, PURPOSE, DoorNotice, NoticeSet
from facegate_hub.community.notice_desk import NoticeDesk
from facegate_hub.database import reading
from facegate_hub.retained import RetainedTeller
from facegate_hub.tables import EVENTS, NOTICE_SETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy.engine import Engine

    from facegate_hub.community.notices import Notice
    from facegate_hub.community.staff_store import StaffStore
    from facegate_hub.community.terms import Terms
    from facegate_hub.signer.asking import Signs

LOG = logging.getLogger(__name__)

HEAD_SECONDS = 3600.0
"""How often the book's head goes out when it moved: what is younger has no witness yet."""


class NoticeServer(RetainedTeller):
    """Tells every door what its display is to say. `monotonic` is the clock for the head."""

    topic, purpose, table = "notice", PURPOSE, NOTICE_SETS

    def __init__(
        self,
        engine: Engine,
        signer: Signs,
        community: tuple[StaffStore, Terms],
        doors: Callable[[], Iterable[str]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(engine, "hub-notices", signer, doors)
        self._staff, self._terms = community
        self._monotonic = monotonic
        self._head: tuple[int, str] | None = None
        self._head_at = float("-inf")
        self._notices: list[Notice] = []

    def look(self) -> None:
        """Read the notices, and the head of the book once an hour."""
        self._notices = NoticeDesk(self._staff).for_doors()
        if self._monotonic() - self._head_at < HEAD_SECONDS:
            return
        self._head_at = self._monotonic()
        try:
            with self._staff.book.looking() as connection:
                head = self._staff.book.head(connection)
        except sa.exc.SQLAlchemyError as error:  # the page may spoil it: notices go out all the same
            LOG.warning("the book's head goes out with none of this hour's notices: %s", error)
            return
        self._head = head if head[0] else None

    def compose(self, device: str, rev: int, old: bytes | None) -> bytes | None:
        """Return a door's notices, None when they are those of `old`."""
        items = tuple(_line(one) for one in self._notices if _is_at(one, device, self._terms))[:MOST_ITEMS]
        told = None if old is None else NoticeSet.parse(old)
        if told is not None and (told.items, told.head) == (items, self._head):
            return None
        return NoticeSet(device, rev, items, self._head).encode()


def witnessed(engine: Engine, door: str | None = None) -> dict[int, str]:
    """Return what doors wrote down of the community's book: hash by number of the entry."""
    query = sa.select(EVENTS.c.body).where(EVENTS.c.kind == str(Kind.NOTICE_SET))
    if door is not None:
        query = query.where(EVENTS.c.device == door)
    found: dict[int, str] = {}
    with reading(engine) as connection:
        for body in connection.execute(query).scalars():
            data = json.loads(body).get("data", {})
            seq, digest = data.get("entry"), data.get("hash")
            if isinstance(seq, int) and isinstance(digest, str):
                found[seq] = digest
    return found


def _line(notice: Notice) -> DoorNotice:
    begins, ends = (datetime.fromtimestamp(at, UTC) for at in (notice.begins, notice.ends))
    return DoorNotice(str(notice.number), notice.level.value, begins, ends, dict(notice.titles))


def _is_at(notice: Notice, device: str, terms: Terms) -> bool:
    """Return whether a door shows a notice: its building's, and a door of no building shows all."""
    homes = {building for building, doors in terms.doors.items() if device in doors}
    return not notice.buildings or not homes or bool(homes & set(notice.buildings))
