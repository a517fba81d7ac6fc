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

from edge.errors import SyncError
from edge.wire.names import ROOT
from edge.wire.notices import MOST_ITEMS, PURPOSE, DoorNotice, NoticeSet
from facegate_hub.clerk import HubClerk, is_door
from facegate_hub.community.notices import Notices
from facegate_hub.database import put, reading
from facegate_hub.tables import DEVICES, EVENTS, NOTICE_SETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy.engine import Engine

    from edge.wire.messages import Message
    from facegate_hub.community.book import Book
    from facegate_hub.community.notices import Notice
    from facegate_hub.community.terms import Terms
    from facegate_hub.signer.asking import Signs

LOG = logging.getLogger(__name__)
LOOK_SECONDS = 0.5
HEAD_SECONDS = 3600.0
"""How often the book's head goes out when it moved: what is younger has no witness yet."""


class NoticeServer(HubClerk):
    """Tells every door what its display is to say. Has a thread of its own.

    `doors` are those of the site beside those that were heard of; `moved` is the clock for the head.
    """

    def __init__(
        self,
        engine: Engine,
        signer: Signs,
        community: tuple[Book, Terms],
        doors: Callable[[], Iterable[str]],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(engine, "hub-notices", (), LOOK_SECONDS)
        self._signer = signer
        self._book, self._terms = community
        self._doors = doors
        self._monotonic = monotonic
        self._head: tuple[int, str] | None = None
        self._head_at = float("-inf")
        self._shown: dict[str, int] = {}

    def begin_again(self) -> None:
        """Tell everything again: a broker may have lost it."""
        self._shown = {}

    def handle(self, message: Message) -> None:
        """Nothing is asked of this part."""

    def idle(self) -> None:
        """Tell every door what is new."""
        super().idle()
        self._look_at_head()
        notices = Notices(self._book).for_doors()
        for device in sorted(self._all_doors()):
            told = self._set_for(device, notices)
            if self.room and self._shown.get(device) != told.rev and self._show(told):
                self._shown[device] = told.rev

    def _all_doors(self) -> set[str]:
        with reading(self._engine) as connection:
            heard = set(connection.execute(sa.select(DEVICES.c.id)).scalars())
        return {one for one in heard | set(self._doors()) if is_door(one)}

    def _look_at_head(self) -> None:
        if self._monotonic() - self._head_at < HEAD_SECONDS:
            return
        with self._book.looking() as connection:
            head = self._book.head(connection)
        self._head, self._head_at = head if head[0] else None, self._monotonic()

    def _set_for(self, device: str, notices: list[Notice]) -> NoticeSet:
        """Return what a door is to be told: what it was told before when nothing changed, else a new set."""
        items = tuple(_line(one) for one in notices if _is_at(one, device, self._terms))[:MOST_ITEMS]
        with self._engine.begin() as connection:
            row = connection.execute(sa.select(NOTICE_SETS).where(NOTICE_SETS.c.device == device)).first()
            old = None if row is None else NoticeSet.parse(row.body.encode())
            if old is not None and (old.items, old.head) == (items, self._head):
                return old
            # No revision is older than the time: a database that was lost begins above what doors have seen.
            rev = max((old.rev if old else 0) + 1, int(time.time()))
            new = NoticeSet(device, rev, items, self._head)
            put(connection, NOTICE_SETS, {"device": device, "rev": rev, "body": new.encode().decode()})
        return new

    def _show(self, told: NoticeSet) -> bool:
        """Leave a door's set at the broker; False when the signer does not sign it: others go on."""
        try:
            payload = self._signer.sign(told.encode(), PURPOSE)
        except SyncError as error:
            if self.is_worth_a_line():
                LOG.error("%s: notices: %s", told.device, error)  # noqa: TRY400 - no fault of ours
            return False
        self.send(f"{ROOT}/{told.device}/notice", payload, retain=True)
        return True


def witnessed(engine: Engine, door: str | None = None) -> dict[int, str]:
    """Return what doors wrote down of the community's book: hash by number of the entry."""
    query = sa.select(EVENTS.c.body).where(EVENTS.c.kind == "notice.set")
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
