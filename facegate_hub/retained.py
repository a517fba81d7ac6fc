"""Leaves a signed, retained message at each door's place on the broker, and a newer one when it changes."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.errors import SyncError
from edge.wire.names import ROOT
from facegate_hub.clerk import HubClerk, is_door
from facegate_hub.database import one_at_a_time, put, reading
from facegate_hub.tables import DEVICES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy.engine import Engine

    from edge.wire.messages import Message
    from facegate_hub.signer.asking import Signs

LOG = logging.getLogger(__name__)
LOOK_SECONDS = 0.5


class RetainedTeller(HubClerk):
    """Tells every door one thing, which has a revision. Has a thread of its own.

    A part of the hub says what (`compose`). What a door was told last is kept in `table` (device, rev, body);
    `doors` are those of the site beside those that were heard of.
    """

    topic: str
    purpose: str
    table: sa.Table

    def __init__(self, engine: Engine, name: str, signer: Signs, doors: Callable[[], Iterable[str]]) -> None:
        super().__init__(engine, name, (), LOOK_SECONDS)
        self._signer = signer
        self._doors = doors
        self._shown: dict[str, int] = {}

    def look(self) -> None:
        """Read what is to be told now: before the doors are gone through."""
        raise NotImplementedError

    def compose(self, device: str, rev: int, old: bytes | None) -> bytes | None:
        """Return what a door is to be told under a new revision; None when `old` still stands."""
        raise NotImplementedError

    def begin_again(self) -> None:
        """Tell everything again: a broker may have lost it."""
        self._shown = {}

    def handle(self, message: Message) -> None:
        """Nothing is asked of this part."""

    def idle(self) -> None:
        """Tell every door what is new."""
        super().idle()
        self.look()
        with reading(self._engine) as connection:
            kept = {row.device: _told(row) for row in connection.execute(sa.select(self.table))}
        for device in sorted(self._all_doors()):
            rev, body = kept.get(device, (0, None))
            if self.compose(device, rev + 1, body) is not None:
                rev, body = self._renew(device)
            if body is None or not self.room or self._shown.get(device) == rev:
                continue
            if self._show(device, body):
                self._shown[device] = rev

    def _all_doors(self) -> set[str]:
        with reading(self._engine) as connection:
            heard = set(connection.execute(sa.select(DEVICES.c.id)).scalars())
        return {one for one in heard | set(self._doors()) if is_door(one)}

    def _renew(self, device: str) -> tuple[int, bytes | None]:
        """Write down what a door is to be told from now on, unless another hub has done so; return it."""
        with self._engine.begin() as connection:
            one_at_a_time(connection, self.table)
            query = sa.select(self.table).where(self.table.c.device == device)
            row = connection.execute(query).first()
            rev, old = (0, None) if row is None else _told(row)
            # No revision is older than the time: a database that was lost begins above what doors have seen.
            newer = max(rev + 1, int(time.time()))
            body = self.compose(device, newer, old)
            if body is None:
                return rev, old
            put(connection, self.table, {"device": device, "rev": newer, "body": body.decode()})
        return newer, body

    def _show(self, device: str, body: bytes) -> bool:
        """Leave it at the broker; False when the signer does not sign it: others go on."""
        try:
            payload = self._signer.sign(body, self.purpose)
        except SyncError as error:
            if self.is_worth_a_line():
                LOG.error("%s: %s: %s", device, self.topic, error)  # noqa: TRY400 - no fault of ours
            return False
        self.send(f"{ROOT}/{device}/{self.topic}", payload, retain=True)
        return True


def _told(row: Any) -> tuple[int, bytes]:
    return row.rev, row.body.encode()
