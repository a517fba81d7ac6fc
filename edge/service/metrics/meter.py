"""What a running door counts, whether anybody reads it or not.

Plain numbers behind a lock, about a microsecond each, so that counting needs no package and can
fail nobody. `edge.service.metrics.collector` shows them to Prometheus. Nothing here names a person.
"""

from __future__ import annotations

import logging
import threading
from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING, Any

from edge.domain import Flaw
from edge.entry_facts import EntryFacts
from edge.events import Kind, facts_of
from edge.extras import way_to_install

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from contextlib import ExitStack

    from edge.config.section import MetricsSection
    from edge.domain import EventDraft
    from edge.event_log.log import EventLog
    from edge.runtime.slot import FrameSlot

logger = logging.getLogger(__name__)

DECISION_BOUNDS_SECONDS = (0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
"""From one look at a fast board to a visitor who stands there and is not recognised."""
OUTCOMES = ("granted", "denied")
PASSING_BY = frozenset(str(flaw) for flaw in Flaw)
"""Reasons of visitors whose face was never good enough to compare: they did not wait for an answer."""
COMMIT_BOUNDS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
"""Around the goal of 25 ms for an event that is durable before the relay moves."""


class Histogram:
    """Counts values up to each bound. Not locked: its owner is."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        # bisect_left: a value equal to a bound belongs to it, as in Prometheus (le: less or equal).
        self._counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def buckets(self) -> list[tuple[str, float]]:
        """Return (bound, how many values up to it), the last bound being `+Inf`."""
        names, sums, so_far = [str(float(bound)) for bound in self._bounds], [], 0
        for count in self._counts:
            so_far += count
            sums.append(float(so_far))
        return list(zip([*names, "+Inf"], sums, strict=True))


class Meter:
    """The counts of one run of a door. Any thread.

    Subscribe `heard` to the door's events and give `took` the seconds of each commit. `slot` is
    where frames are counted. Silent events are not counted: who reads the counts must not see them.
    """

    def __init__(self, slot: FrameSlot) -> None:
        self.slot = slot
        self.events: Counter[str] = Counter()
        self.decisions: Counter[tuple[str, str, str]] = Counter()
        """By method (face, card, remote...), outcome and reason."""
        self.decision_seconds = {outcome: Histogram(DECISION_BOUNDS_SECONDS) for outcome in OUTCOMES}
        """By outcome, of people who stood at the door; passers-by are left out."""
        self.commit_seconds = Histogram(COMMIT_BOUNDS_SECONDS)
        self.lock = threading.Lock()

    def heard(self, draft: EventDraft) -> None:
        """Count an event."""
        if facts_of(draft.kind).is_silent:
            return
        with self.lock:
            self.events[draft.kind] += 1
            if draft.kind in {Kind.ACCESS_GRANTED, Kind.ACCESS_DENIED}:
                self._decided(draft)

    def took(self, draft: EventDraft, seconds: float) -> None:
        """Take note how long it took to store this event."""
        if facts_of(draft.kind).is_silent:
            return
        with self.lock:
            self.commit_seconds.observe(seconds)

    def _decided(self, draft: EventDraft) -> None:
        outcome = draft.kind.partition(".")[2]
        facts = EntryFacts.read(draft.data)
        self.decisions[facts.method or "other", outcome, str(draft.reason)] += 1
        seen = facts.first_seen
        if seen is not None and draft.reason not in PASSING_BY:
            self.decision_seconds[outcome].observe(max(0.0, draft.mono - seen))


def publish(
    section: MetricsSection | None,
    meter: Meter,
    state: Callable[[], dict[str, Any]],
    events: EventLog,
    stack: ExitStack,
    failing: Callable[[], Collection[str]] = tuple,
) -> None:
    """Serve the counts to Prometheus, when settings ask for it, until `stack` unwinds.

    `state` is asked at each scrape, from the page's thread. A missing package or a port that is
    taken is a log line: the door opens all the same.
    """
    if section is None:
        return
    try:
        from edge.runtime.metrics_page import MetricsPage  # noqa: PLC0415 - off by default
        from edge.service.metrics.collector import DoorCollector  # noqa: PLC0415 - the same

        page = MetricsPage(section.listen, DoorCollector(meter, state, events, failing))
    except (ImportError, OSError, OverflowError) as error:
        why = way_to_install("metrics") if isinstance(error, ImportError) else "is it free, and ours?"
        logger.error("metrics.listen = %s: no metrics are served: %s; %s", section.listen, error, why)  # noqa: TRY400
    else:
        stack.callback(page.close)
        logger.info("metrics on http://%s/metrics", section.listen)
