"""The chores of a running door: once a day journal and faces give up what is old."""

from __future__ import annotations

import logging
import sqlite3
from typing import TYPE_CHECKING

from edge.errors import FacegateError
from edge.runtime.clock_trust import ClockTrust
from edge.runtime.worker import Worker

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from typing import Protocol

    from edge.ports import Clock

    class Pruner(Protocol):
        """What removes what is old; `edge.store.retention.Retention` is one."""

        def prune(self, now: datetime) -> int:
            """Remove what is old and has arrived; return how much."""


logger = logging.getLogger(__name__)

DAY_SECONDS = 86_400.0
LOOK_SECONDS = 60.0
"""Between two looks whether a day is over: the clock may be set at any minute."""
MAX_SILENCE_SECONDS = 900.0
"""A first pruning of a million entries on a slow card is no reason for the watchdog to bite."""


class Housekeeping:
    """Does its chores soon after the start and then daily. One thread; call `step`, or start `worker`.

    `chores` are called in order; each key says what its value removes. An age needs a clock: while
    the time is not known nothing is removed (a full disk is relieved by the journal itself). A
    failure is logged and tried again the next day; it does not keep the other chores.
    """

    def __init__(self, chores: Mapping[str, Pruner], clock: Clock, trust: Callable[[], ClockTrust]) -> None:
        self._chores = chores
        self._clock = clock
        self._trust = trust
        self._due_at = clock.monotonic()

    def step(self) -> None:
        """Do what is due."""
        now = self._clock.monotonic()
        if now < self._due_at or self._trust() is ClockTrust.UNKNOWN:
            return
        self._due_at = now + DAY_SECONDS
        for what, pruner in self._chores.items():
            self._do(what, pruner)

    def _do(self, what: str, pruner: Pruner) -> None:
        try:
            removed = pruner.prune(self._clock.now())
        except (FacegateError, sqlite3.Error, OSError) as error:
            logger.error("%s could not be removed, tomorrow again: %s", what, error)  # noqa: TRY400
            return
        if removed:
            logger.info("removed %d: %s", removed, what)

    def worker(self, stopping: threading.Event) -> Worker:
        """Return the thread that does it, not yet started."""

        def step() -> None:
            self.step()
            stopping.wait(LOOK_SECONDS)

        return Worker("housekeeping", step, max_silence_seconds=MAX_SILENCE_SECONDS, stopping=stopping)
