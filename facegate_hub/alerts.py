"""Tells people outside of alarms: a signed web request and a mail, again and again until somebody took it."""

from __future__ import annotations

import json
import logging
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

import sqlalchemy as sa

from facegate_hub.clerk import DATABASE_FAILS
from facegate_hub.database import reading
from facegate_hub.inbox import InboxState
from facegate_hub.tables import ALARMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from sqlalchemy.engine import Engine

    from edge.policy.hours import GrantHours

LOG = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
FIRST_RETRY_SECONDS = 5.0
LONGEST_RETRY_SECONDS = 600.0
OLD_SECONDS = 86_400.0
"""Alarms that were raised longer ago are told to nobody: the inbox has them."""
AT_ONCE = 50


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


class AlertChannel(Protocol):
    """One way to somebody outside. `name` tells it from the others, and stays."""

    @property
    def name(self) -> str:
        """The channel's name."""

    def send(self, alerts: Sequence[Alert]) -> None:
        """Hand them over, all or none. Raises `OSError` when they were not taken."""


class TryLater:
    """When a channel that took nothing is tried again: later and later, up to every ten minutes."""

    def __init__(self) -> None:
        self._again: dict[str, tuple[float, float]] = {}
        """By channel: when it is tried again, and how long it waited for that."""

    def may_try(self, channel: str, now: float) -> bool:
        """Return whether it is time."""
        return now >= self._again.get(channel, (0.0, 0.0))[0]

    def failed(self, channel: str, now: float) -> float:
        """Note that it took nothing, and return for how many seconds it is left alone."""
        waited = self._again.get(channel, (0.0, 0.0))[1]
        wait = min(LONGEST_RETRY_SECONDS, max(FIRST_RETRY_SECONDS, 2 * waited))
        self._again[channel] = (now + wait, wait)
        return wait

    def worked(self, channel: str) -> None:
        """Note that it took something."""
        self._again.pop(channel, None)


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


class AlertSender:
    """Tells every channel of every alarm, once each as far as it can know. Has a thread of its own.

    What a channel has taken is noted in the database; what it did not take is tried again, later and later
    up to every ten minutes, until the alarm is closed or a day old. One channel never waits for another.
    """

    def __init__(
        self,
        engine: Engine,
        channels: Sequence[AlertChannel],
        quiet: QuietHours,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._engine = engine
        self._channels = channels
        self._quiet = quiet
        self._now = now
        self._patience = TryLater()
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(one,), name=f"hub-alerts-{one.name}", daemon=True)
            for one in channels
        ]

    def start(self) -> None:
        """Begin. Once."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_seconds: float = 5.0) -> None:
        """End; what is under way is told again by the next run at the worst."""
        self._ended.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(timeout_seconds)

    def step(self, channel: AlertChannel) -> int:
        """Tell one channel what it was not told, unless it has to wait; return how many alarms that was."""
        now = self._now()
        if not self._patience.may_try(channel.name, now) or not (alerts := self._due(channel.name, now)):
            return 0
        try:
            channel.send(alerts)
        except OSError as error:
            wait = self._patience.failed(channel.name, now)
            LOG.error("%s does not take alarms: %s; again in %.0f s", channel.name, error, wait)  # noqa: TRY400
            return 0
        self._patience.worked(channel.name)
        self._note(channel.name, [alert.id for alert in alerts], now)
        return len(alerts)

    def _due(self, channel: str, now: float) -> list[Alert]:
        mine = (ALARMS.c.state != InboxState.CLOSED, ALARMS.c.at > now - OLD_SECONDS)
        query = sa.select(ALARMS).where(*mine).order_by(ALARMS.c.id)
        with reading(self._engine) as connection:
            rows = connection.execute(query).mappings().all()
        return [
            Alert(row["id"], row["device"], row["kind"], row["at"], row["count"], row["resident"])
            for row in rows
            if channel not in _told(row["told"]) and not self._quiet.hold_back(row["kind"], now)
        ][:AT_ONCE]

    def _note(self, channel: str, ids: Sequence[int], now: float) -> None:
        with self._engine.begin() as connection:
            rows = connection.execute(sa.select(ALARMS.c.id, ALARMS.c.told).where(ALARMS.c.id.in_(ids))).all()
            for row in rows:
                told = json.dumps({**_told(row.told), channel: now})
                connection.execute(sa.update(ALARMS).where(ALARMS.c.id == row.id).values(told=told))

    def _run(self, channel: AlertChannel) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            try:
                self.step(channel)
            except DATABASE_FAILS:
                self._ended.wait(FIRST_RETRY_SECONDS)
            except Exception:  # the thread's outermost loop: alarms are worth another try
                LOG.exception("alarms could not be told")
                self._ended.wait(FIRST_RETRY_SECONDS)


def _told(text: str | None) -> Mapping[str, float]:
    return json.loads(text) if text else {}
