"""Pings systemd's watchdog, and only while every thread makes progress."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable

    from edge.ports import Clock

logger = logging.getLogger(__name__)

TICK_SECONDS = 1.0


class Watched(Protocol):
    """What the supervisor looks at; `edge.runtime.worker.Worker` is one."""

    @property
    def name(self) -> str:
        """What to call it in the log."""

    @property
    def progress(self) -> int:
        """A number that changes whenever a piece of work was done."""

    @property
    def has_failed(self) -> bool:
        """True when it gave up: only a fresh process helps."""

    @property
    def max_silence_seconds(self) -> float:
        """How long `progress` may stand still."""


@dataclass(slots=True)
class _Seen:
    progress: int
    changed_at: float


class Supervisor:
    """Watches threads from the main thread and feeds systemd's watchdog.

    `ping` is called once per tick while nobody is stuck. A stuck thread costs the ping, and after
    WatchdogSec systemd kills and restarts the process: hung at most `max_silence_seconds` +
    WatchdogSec in all. A thread that gave up ends `run` at once.
    """

    def __init__(self, watched: Iterable[Watched], ping: Callable[[], object], clock: Clock) -> None:
        self._watched = tuple(watched)
        self._ping = ping
        self._clock = clock
        now = clock.monotonic()
        self._seen = {one.name: _Seen(one.progress, now) for one in self._watched}
        self._stuck: tuple[str, ...] = ()

    def tick(self) -> tuple[str, ...]:
        """Look once; return the names of the stuck, and ping when there are none."""
        stuck = tuple(one.name for one in self._watched if self._is_stuck(one))
        if stuck and stuck != self._stuck:
            logger.error("no progress: %s; the watchdog is not fed", ", ".join(stuck))
        self._stuck = stuck
        if not stuck:
            self._ping()
        return stuck

    def run(self, stopping: threading.Event) -> str | None:
        """Tick every second until `stopping`; return the name of a thread that gave up, else None."""
        while True:
            # Before `tick`: a thread that gave up ends the process at once, without waiting for the watchdog.
            failed = next((one.name for one in self._watched if one.has_failed), None)
            if failed is not None:
                return failed
            self.tick()
            if stopping.wait(TICK_SECONDS):
                return None

    def _is_stuck(self, one: Watched) -> bool:
        seen, now, progress = self._seen[one.name], self._clock.monotonic(), one.progress
        if progress != seen.progress:
            seen.progress, seen.changed_at = progress, now
        return one.has_failed or now - seen.changed_at > one.max_silence_seconds
