"""Forgets what has been kept long enough: events by age, and what nobody can ask for again."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from facegate_hub.batches import AT
from facegate_hub.database import reading
from facegate_hub.roster import LONGEST_DELTA
from facegate_hub.tables import EVENTS, REQUESTS, ROSTER_LOG, STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Engine

LOG = logging.getLogger(__name__)

DAY_SECONDS = 86_400.0
LOOKED_AT = 500
"""Of the newest events, as many are looked at for one whose door has a clock."""
MOST_AT_ONCE = 2000
"""Events deleted in one commit: doors wait for their acknowledgements meanwhile (20 ms on SQLite)."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many rows went: events, answered commands, and roster changes."""

    events: int
    requests: int
    changes: int


class HubRetention:
    """Deletes what is older than `keep_days`, once at the start and then every day. One thread.

    Age counts from when an event was stored here: a door's clock may be wrong. So may ours: a machine whose
    battery is empty wakes up in some other year, and everything would be too old. It is never later than the
    newest event of a door says, and the time since we began; `trusts_clock` says that somebody has looked.
    """

    def __init__(
        self,
        engine: Engine,
        keep_days: float,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        trusts_clock: bool = False,
    ) -> None:
        self._engine = engine
        self._keep_seconds = keep_days * DAY_SECONDS
        self._now = now
        self._monotonic = monotonic
        self._began = monotonic()
        self._trusts_clock = trusts_clock
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hub-retention", daemon=True)

    def start(self) -> None:
        """Begin. Once."""
        self._thread.start()

    def stop(self) -> None:
        """End after the commit under way. Safe to call twice."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def prune(self) -> Forgotten:
        """Delete what is too old now and say how much that was."""
        before = self._latest() - self._keep_seconds
        events = sum(self._prune_stream(row.device, row.stream, row.upto, before) for row in self._streams())
        with self._engine.begin() as connection:
            old = sa.delete(REQUESTS).where(REQUESTS.c.asked_at < before)
            last = sa.select(sa.func.max(ROSTER_LOG.c.rev)).scalar_subquery()
            # Who is further behind gets a snapshot anyway.
            unused = sa.delete(ROSTER_LOG).where(ROSTER_LOG.c.rev < last - LONGEST_DELTA)
            return Forgotten(events, connection.execute(old).rowcount, connection.execute(unused).rowcount)

    def _latest(self) -> float:
        """Return what time it is at the latest, seconds since 1970."""
        now = self._now()
        if self._trusts_clock:
            return now
        told = _newest_told(self._engine)
        latest = min(now, (told or 0.0) + self._monotonic() - self._began)
        if told is not None and now - latest > DAY_SECONDS:
            LOG.warning(
                "this machine's clock says %s, and the newest event of a door %s: that one counts; if "
                "the clock is right, `facegate hub events prune --by-this-clock` deletes the rest",
                *(f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}" for at in (now, told)),
            )
        return latest

    def _streams(self) -> list[sa.Row[tuple[str, str, int]]]:
        with reading(self._engine) as connection:
            return list(connection.execute(sa.select(STREAMS.c.device, STREAMS.c.stream, STREAMS.c.upto)))

    def _prune_stream(self, device: str, stream: str, upto: int, before: float) -> int:
        """Delete the beginning of one journal, up to the first event that is young enough."""
        mine = (EVENTS.c.device == device, EVENTS.c.stream == stream)
        now = self._now()
        # What seems to be stored in the future came while our clock was ahead: its door knows how old it is.
        # As it stands it would be young for years, and all that came after it.
        told = datetime.fromtimestamp(max(0.0, before), UTC).strftime(AT)
        stored = EVENTS.c.stored_at
        is_young = sa.or_(
            stored.between(before, now + DAY_SECONDS), (stored > now + DAY_SECONDS) & (EVENTS.c.at >= told)
        )
        young = sa.select(EVENTS.c.seq).where(*mine, is_young)
        with reading(self._engine) as connection:
            first = connection.execute(sa.select(sa.func.min(EVENTS.c.seq)).where(*mine)).scalar()
            keep = connection.execute(young.order_by(EVENTS.c.seq).limit(1)).scalar()
        if first is None:
            return 0
        # Never beyond the first gap: the door still sends the missing events, and the chain is checked there.
        end, count = min(upto, keep - 1 if keep is not None else upto), 0
        while not self._ended.is_set() and (cut := self._next_cut(mine, end)) is not None:
            count += self._cut(device, stream, cut)
        return count

    def _next_cut(self, mine: tuple[sa.ColumnElement[bool], ...], end: int) -> int | None:
        """Return the number up to which the next commit deletes: by what is stored, not counted."""
        some = sa.select(EVENTS.c.seq).where(*mine, EVENTS.c.seq <= end).order_by(EVENTS.c.seq)
        first = some.limit(MOST_AT_ONCE).subquery()
        with reading(self._engine) as connection:
            return connection.execute(sa.select(sa.func.max(first.c.seq))).scalar()

    def _cut(self, device: str, stream: str, cut: int) -> int:
        mine = (EVENTS.c.device == device, EVENTS.c.stream == stream, EVENTS.c.seq <= cut)
        place = (STREAMS.c.device == device, STREAMS.c.stream == stream)
        with self._engine.begin() as connection:
            # First the stream: its lock keeps off a hub that is storing, and what a door sends
            # again from before the cut is not stored again.
            # Never back: of two that forget at once the slower one may have counted from an earlier moment.
            further = sa.case((STREAMS.c.pruned > cut, STREAMS.c.pruned), else_=cut)
            connection.execute(sa.update(STREAMS).where(*place).values(pruned=further))
            told = connection.execute(sa.select(sa.func.max(EVENTS.c.at)).where(*mine)).scalar()
            if told is not None:
                is_later = STREAMS.c.pruned_told.is_(None) | (STREAMS.c.pruned_told < told)
                connection.execute(sa.update(STREAMS).where(*place, is_later).values(pruned_told=told))
            return connection.execute(sa.delete(EVENTS).where(*mine)).rowcount

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                LOG.info("forgotten: %s", self.prune())
            except Exception:  # the thread's outermost loop: tomorrow is another day
                LOG.exception("old events could not be deleted")
            self._ended.wait(DAY_SECONDS)


def _newest_told(engine: Engine) -> float | None:
    """Return the newest time that a door told by its own clock, seconds since 1970; None: there is none."""
    query = sa.select(EVENTS.c.at, EVENTS.c.stored_at).where(EVENTS.c.at.is_not(None))
    with reading(engine) as connection:
        rows = connection.execute(query.order_by(EVENTS.c.at.desc()).limit(LOOKED_AT)).all()
    for row in rows:
        stored = datetime.fromtimestamp(row.stored_at or 0.0, UTC).strftime(AT)
        # An event without a time was given ours when it was stored.
        if row.at != stored:
            return datetime.fromisoformat(row.at).timestamp()
    return None
