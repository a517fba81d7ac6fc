"""The door's counts and state as Prometheus reads them. Needs the extra `metrics`."""

from __future__ import annotations

import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, InfoMetricFamily

from edge.errors import FacegateError
from edge.policy.modes import Mode
from edge.relay.door import Alarm, DoorStatus, LockStatus
from edge.runtime.clock_trust import ClockTrust
from edge.runtime.metrics_page import gauge, one_of
from edge.store.consents import CONSENTS_FILE
from edge.store.keyring import KEYS_FILE
from edge.store.residents import RESIDENTS_FILE
from edge.store.way_rows import CREDENTIALS_FILE
from edge.wire.state import CAMERA, LIVENESS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from prometheus_client.metrics_core import Metric

    from edge.event_log.log import EventLog
    from edge.service.metrics.meter import Histogram, Meter


KEPT_FILES = (RESIDENTS_FILE, CREDENTIALS_FILE, CONSENTS_FILE, KEYS_FILE)


class DoorCollector:
    """Reads meter and state at each scrape. A state that cannot be read leaves its metrics out.

    `failing` names the files that cannot be used as they should now.
    """

    def __init__(
        self,
        meter: Meter,
        state: Callable[[], dict[str, Any]],
        log: EventLog,
        failing: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self._meter = meter
        self._failing = failing
        self._state = state
        self._log = log

    def collect(self) -> Iterator[Metric]:
        """Return every metric of the door."""
        yield from self._counts()
        yield from self._frames()
        yield gauge("facegate_events_unsaved", "Events in memory: the journal fails", self._log.unsaved)
        about = "Files that the card does not give as it should"
        yield one_of("facegate_storage_failing", about, "file", KEPT_FILES, self._failing())
        try:
            state = self._state()
        except FacegateError:
            return
        yield from _door(state)
        if "roster" in state:
            yield from _roster(state["roster"])
        if "outbox" in state:
            yield from _outbox(state["outbox"])
        if "certificate" in state:
            until = datetime.fromisoformat(state["certificate"]["until"]).timestamp()
            yield gauge("facegate_certificate_left_seconds", "Until it ends", until - time.time())

    def _counts(self) -> Iterator[Metric]:
        meter = self._meter
        with meter.lock:
            # Copied under the lock: the door goes on counting while the page is written.
            events, decisions = dict(meter.events), dict(meter.decisions)
            about = "First seen to decided"
            times = HistogramMetricFamily("facegate_decision_seconds", about, labels=["outcome"])
            for outcome, histogram in meter.decision_seconds.items():
                times.add_metric([outcome], histogram.buckets(), histogram.total)
            commits = _histogram("facegate_journal_commit_seconds", "Storing an event", meter.commit_seconds)
        stored = CounterMetricFamily("facegate_events", "Events stored, by type", labels=["type"])
        for kind, count in events.items():
            stored.add_metric([kind], count)
        names = ["method", "outcome", "reason"]
        decided = CounterMetricFamily("facegate_decisions", "Who was let in, who not", labels=names)
        for labels, count in decisions.items():
            decided.add_metric(labels, count)
        yield from (stored, decided, times, commits)
        failures = self._log.failures
        yield CounterMetricFamily("facegate_journal_failures", "Attempts to store an event", failures)

    def _frames(self) -> Iterator[Metric]:
        frames = CounterMetricFamily("facegate_frames", "Frames by what became of them", labels=["fate"])
        for fate in ("taken", "dropped", "stale"):
            frames.add_metric([fate], getattr(self._meter.slot, fate))
        yield frames


def _histogram(name: str, text: str, histogram: Histogram) -> Metric:
    return HistogramMetricFamily(name, text, histogram.buckets(), histogram.total)


def _door(state: dict[str, Any]) -> Iterator[Metric]:
    door = state["door"]
    about = {"version": state["software"], "model": state["model"] or "none"}
    yield InfoMetricFamily("facegate_door", "Software and face model", about)
    yield one_of("facegate_camera", "What the camera shows", "state", CAMERA, [state["camera"]])
    if "liveness" in state:
        yield one_of("facegate_liveness", "Attack detection", "state", LIVENESS, [state["liveness"]])
    yield one_of("facegate_contact", "Door contact", "state", DoorStatus, [door["contact"]])
    yield one_of("facegate_lock", "lock_fault: the guard is not heard", "state", LockStatus, [door["lock"]])
    yield one_of("facegate_alarm", "Alarms of the door", "alarm", Alarm, door["alarms"])
    yield one_of("facegate_mode", "Mode of the door", "mode", Mode, [state["mode"]])
    yield one_of("facegate_clock", "What the clock is worth", "trust", ClockTrust, [state["clock"]])
    yield gauge("facegate_gallery_residents", "Residents with a face here", state["gallery"])


def _roster(roster: dict[str, Any]) -> Iterator[Metric]:
    yield gauge("facegate_roster_revision", "Revision of the roster here", roster["rev"])
    yield gauge("facegate_roster_revisions_behind", "Behind the newest known head", roster["behind"])
    yield gauge("facegate_roster_people", "People in the roster", roster["count"])
    if roster.get("confirmed"):
        age = time.time() - datetime.fromisoformat(roster["confirmed"]).timestamp()
        yield gauge("facegate_roster_confirmed_age_seconds", "Since it was known to be whole", max(0.0, age))


def _outbox(outbox: dict[str, Any]) -> Iterator[Metric]:
    yield gauge("facegate_outbox_waiting", "Events that have not arrived", outbox["waiting"])
    yield gauge("facegate_outbox_oldest_seconds", "Age of the oldest of them", outbox["oldest_seconds"])
    yield gauge("facegate_outbox_problem", "1: something is wrong", float(outbox["problem"] is not None))
