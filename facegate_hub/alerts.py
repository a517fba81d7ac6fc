"""Sends alarms to people outside by web request and mail; a failed one is repeated until it is accepted."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

import sqlalchemy as sa

from facegate_hub.database import reading
from facegate_hub.inbox import InboxState
from facegate_hub.sending import ChannelSender, OutsideChannel
from facegate_hub.tables import ALARMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from sqlalchemy.engine import Engine

    from edge.policy.hours import GrantHours

OLD_SECONDS = 86_400.0
"""Alarms that were raised longer ago are told to nobody: the inbox has them."""
AT_ONCE = 50
MOST_CAME = 10_000
"""Alarms of which is remembered when they came; beyond it that begins anew."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alarm as it is told: `id` is that of the inbox, `at` seconds since 1970 (when it was stored)."""

    id: int
    door: str
    kind: str
    at: float
    count: int
    resident: str | None

    def fields(self) -> dict[str, object]:
        """Return it as JSON values; the time in UTC, ISO form."""
        at = datetime.fromtimestamp(self.at, UTC).isoformat(timespec="seconds")
        return {
            "v": 1,
            "id": self.id,
            "door": self.door,
            "type": self.kind,
            "at": at,
            "count": self.count,
            "resident": self.resident,
        }


AlertChannel: TypeAlias = OutsideChannel[Alert]
"""One way to tell of alarms."""


@dataclass(frozen=True, slots=True)
class QuietHours:
    """When only `urgent` kinds are told; the others wait until it is over. `zone` None: this machine's."""

    hours: GrantHours | None
    urgent: frozenset[str]
    zone: ZoneInfo | None = None

    def hold_back(self, kind: str, now: float) -> bool:
        """Return whether an alarm of this kind has to wait."""
        if self.hours is None or kind in self.urgent:
            return False
        return self.hours.hold(datetime.fromtimestamp(now, UTC).astimezone(self.zone))


class AlertSender(ChannelSender[AlertChannel, Alert]):
    """Tells every channel of every alarm, until the alarm is closed or a day old.

    What a channel has taken is noted in the database.
    """

    what = "alarms"
    look_seconds = 1.0

    def __init__(
        self,
        engine: Engine,
        channels: Sequence[AlertChannel],
        quiet: QuietHours,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(channels, now)
        self._engine = engine
        self._quiet = quiet
        self._monotonic = monotonic
        self._last: int | None = None
        """The last alarm that was there at the first look."""
        self._came: dict[int, float] = {}

    def _due(self, channel: AlertChannel, now: float) -> list[Alert]:
        with reading(self._engine) as connection:
            if self._last is None:
                self._last = connection.execute(sa.select(sa.func.max(ALARMS.c.id))).scalar() or 0
            recent = sa.or_(ALARMS.c.last_at > now - OLD_SECONDS, ALARMS.c.id > self._last)
            query = sa.select(ALARMS).where(ALARMS.c.state != InboxState.CLOSED, recent).order_by(ALARMS.c.id)
            rows = connection.execute(query).mappings().all()
        young = [self._is_young(row["id"]) for row in rows]
        rows = [
            row for row, one in zip(rows, young, strict=True) if one or row["last_at"] > now - OLD_SECONDS
        ]
        return [
            Alert(row["id"], row["device"], row["kind"], row["at"], row["count"], row["resident"])
            for row in rows
            if channel.name not in _told(row["told"]) and not self._quiet.hold_back(row["kind"], now)
        ][:AT_ONCE]

    def _is_young(self, alarm: int) -> bool:
        """Return whether an alarm came since this hub runs, less than a day ago by a clock that nobody sets.

        A machine without a battery of its own learns the time when the network is back: what had come by then
        seemed to be days old, and was told to nobody.
        """
        if alarm <= (self._last or 0):
            return False
        if len(self._came) > MOST_CAME:
            self._came.clear()
        return self._monotonic() - self._came.setdefault(alarm, self._monotonic()) < OLD_SECONDS

    def _note(self, channel: AlertChannel, items: Sequence[Alert], now: float) -> None:
        ids = [alert.id for alert in items]
        with self._engine.begin() as connection:
            # Each channel runs in a thread of its own. Without the row locks (PostgreSQL) one would overwrite
            # what the other has noted, and an alarm would be sent twice. SQLite has one writer at a time.
            query = sa.select(ALARMS.c.id, ALARMS.c.told).where(ALARMS.c.id.in_(ids)).order_by(ALARMS.c.id)
            for row in connection.execute(query.with_for_update()).all():
                told = json.dumps({**_told(row.told), channel.name: now})
                connection.execute(sa.update(ALARMS).where(ALARMS.c.id == row.id).values(told=told))


def _told(text: str | None) -> Mapping[str, float]:
    return json.loads(text) if text else {}
