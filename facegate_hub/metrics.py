"""What Prometheus reads of a hub: its doors from the database, its work from the parts that do it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from edge.runtime.metrics_page import gauge
from facegate_hub.database import reading
from facegate_hub.door_view import door_view
from facegate_hub.forks import FORK
from facegate_hub.tables import DEVICES, DOUBTS, STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from prometheus_client.metrics_core import Metric
    from sqlalchemy.engine import Engine

    from edge.broker.client import LinkStatus
    from edge.domain import RosterState
    from facegate_hub.ingest import IngestStatus

    Values = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Doors:
    """The doors at one moment, by id, and what counts for all of them."""

    online: Mapping[str, float]
    age_seconds: Mapping[str, float]
    behind: Mapping[str, float]
    problem: Mapping[str, float]
    events: Mapping[str, float]
    doubts: int


class HubCollector:
    """Asks at each scrape. `ingest` is None where other processes store events.

    A database that fails leaves the doors out of that scrape. Labels are doors and parts, never
    people.
    """

    def __init__(
        self,
        engine: Engine,
        roster: Callable[[], RosterState],
        link: Callable[[], LinkStatus],
        ingest: Callable[[], IngestStatus] | None,
        waiting: Callable[[], Values],
    ) -> None:
        self._engine = engine
        self._roster = roster
        self._link = link
        self._ingest = ingest
        self._waiting = waiting

    def collect(self) -> Iterator[Metric]:
        """Return every metric of the hub."""
        link = self._link()
        yield gauge("facegate_hub_broker_connected", "1: there is a connection", float(link.connected))
        yield _count("facegate_hub_rejected", "Messages no part took", link.rejected)
        yield _by("facegate_hub_waiting", "Messages that wait", "part", self._waiting())
        if self._ingest is not None:
            yield from _work(self._ingest())
        try:
            roster = self._roster()
            doors = read_doors(self._engine, roster)
        except sa.exc.SQLAlchemyError:
            return
        yield from _doors(doors, roster.rev)


def read_doors(engine: Engine, roster: RosterState) -> Doors:
    """Return what the database says of the doors now, as `facegate hub doors` shows it."""
    names = ("id", "avail", "epoch", "rev", "seen_at", "problem", "problem_at", "shut_out", "unproven")
    columns = (*(DEVICES.c[name] for name in names), sa.null().label("state"))
    journals = sa.select(STREAMS.c.device, sa.func.sum(STREAMS.c.upto)).group_by(STREAMS.c.device)
    stored = journals.where(STREAMS.c.stream.not_like(f"%{FORK}%"))
    # Those that somebody has looked at alarm nobody any more.
    open_ones = sa.select(sa.func.count()).select_from(DOUBTS).where(DOUBTS.c.acknowledged_at.is_(None))
    with reading(engine) as connection:
        rows = connection.execute(sa.select(*columns)).all()
        events = {device: float(count) for device, count in connection.execute(stored)}
        doubts = connection.execute(open_ones).scalar() or 0
    views = [door_view(row, roster, time.time()) for row in rows]
    return Doors(
        {view.id: float(view.availability == "online") for view in views},
        {view.id: _age_seconds(view.seen_at) for view in views if view.seen_at},
        {view.id: float(view.behind) for view in views},
        {view.id: float(view.problem is not None) for view in views},
        events,
        doubts,
    )


def _doors(doors: Doors, rev: int) -> Iterator[Metric]:
    yield gauge("facegate_hub_roster_revision", "The property's", rev)
    yield gauge("facegate_hub_doubts", "Signs of tampering or loss that nobody acknowledged", doors.doubts)
    yield _by("facegate_hub_door_online", "1: the door is there", "door", doors.online)
    yield _by("facegate_hub_door_seen_age_seconds", "Since it was heard", "door", doors.age_seconds)
    yield _by("facegate_hub_door_revisions_behind", "Of the roster", "door", doors.behind)
    yield _by("facegate_hub_door_problem", "1: there is one", "door", doors.problem)
    stored = CounterMetricFamily("facegate_hub_door_events", "Stored without a gap", labels=["door"])
    for door, count in doors.events.items():
        stored.add_metric([door], count)
    yield stored


def _work(status: IngestStatus) -> Iterator[Metric]:
    yield _count("facegate_hub_messages", "Messages with events", status.messages)
    yield _count("facegate_hub_commits", "Commits that stored them", status.commits)
    yield _count("facegate_hub_refused", "Messages that were no events", status.refused)
    yield _count("facegate_hub_database_failures", "Commits that failed", status.failures)


def _count(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(name, text, value)


def _by(name: str, text: str, label: str, values: Values) -> Metric:
    family = GaugeMetricFamily(name, text, labels=[label])
    for word, value in values.items():
        family.add_metric([word], value)
    return family


def _age_seconds(at: str) -> float:
    return max(0.0, (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds())
