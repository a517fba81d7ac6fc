"""Leaves a signed, retained message at each door's place on the broker, and a newer one when it changes."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from edge.errors import SyncError
from edge.wire.names import ROOT
from facegate_hub.clerk import HubClerk, is_door
from facegate_hub.database import one_at_a_time, put_all, reading
from facegate_hub.tables import DEVICES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

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
        doors = sorted(self._all_doors())
        stale = [one for one in doors if self._differs(one, *kept.get(one, (0, None)))]
        # Compared without a lock first: usually nothing has changed, and the lock makes other hubs wait.
        if stale:
            kept |= self._renew(stale)
        for device in doors:
            rev, body = kept.get(device, (0, None))
            if body is None or not self.room or self._shown.get(device) == rev:
                continue
            if self._show(device, body):
                self._shown[device] = rev

    def _all_doors(self) -> set[str]:
        with reading(self._engine) as connection:
            heard = set(connection.execute(sa.select(DEVICES.c.id)).scalars())
        return {one for one in heard | set(self._doors()) if is_door(one)}

    def _differs(self, device: str, rev: int, body: bytes | None) -> bool:
        return self.compose(device, rev + 1, body) is not None

    def _renew(self, devices: Sequence[str]) -> dict[str, tuple[int, bytes]]:
        """Write down what doors are to be told from now on, unless another hub has done so; return it.

        In one commit: a notice for every door of a site is one.
        """
        with self._engine.begin() as connection:
            one_at_a_time(connection, self.table)
            kept = {row.device: _told(row) for row in connection.execute(sa.select(self.table))}
            newer: dict[str, tuple[int, bytes]] = {}
            for device in devices:
                rev, old = kept.get(device, (0, None))
                # No revision is older than the time: a lost database begins above what doors have seen.
                next_rev = max(rev + 1, int(time.time()))
                if (body := self.compose(device, next_rev, old)) is not None:
                    newer[device] = (next_rev, body)
            rows = [{"device": one, "rev": rev, "body": body.decode()} for one, (rev, body) in newer.items()]
            put_all(connection, self.table, rows)
        return kept | newer

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
