"""The chores of a running door: once a day journal and faces give up what is old."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING

from edge.aside import Aside, TooSlow
from edge.durable import write_whole
from edge.errors import FacegateError
from edge.runtime.worker import Worker

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path
    from typing import Protocol

    class Pruner(Protocol):
        """What removes what is old; `edge.store.retention.Retention` is one."""

        def prune(self, certain: datetime | None) -> int:
            """Remove what is old at this certain time (UTC; None: not known); return how much."""


logger = logging.getLogger(__name__)

DAY_SECONDS = 86_400.0
LOOK_SECONDS = 60.0
"""Between two looks whether a day is over."""
MAX_SILENCE_SECONDS = 900.0
"""A first pruning of a million entries on a slow card is no reason for the watchdog to bite."""
DONE_FILE = "chores-done"
"""Its name inside the data folder: the door's running time (seconds) at the last chores."""


class Beginning:
    """What a power cut interrupted: finished at the start, or at a later look on a card that fails or hangs.

    Until then whoever was to be removed gets in. `finish` tells whether it is done. One thread at a time.
    """

    def __init__(self, finish: Callable[[], bool]) -> None:
        self._finish = finish
        self._aside = Aside("withdrawals")
        self._is_over = False

    def look(self) -> None:
        """Finish it unless that is done; wait a second at most."""
        if not self._is_over:
            with suppress(TooSlow):
                self._is_over = self._aside.ask(self._finish)


class Housekeeping:
    """Does its chores soon after the first start and then once in a day of running. One thread; call `step`.

    `chores` are called in order; each key says what its value removes. `certain` gives the time that may
    be used to remove anything, None while there is none: a chore then does what needs no clock.
    `ran_seconds` is how long the door has run over all its starts; `done` keeps when the chores were done,
    so that a door which restarts all day removes no more than one day's share. `beginning` comes first, at
    every look. A failure is logged and tried again the next day; it does not keep the other chores.
    """

    def __init__(
        self,
        chores: Mapping[str, Pruner],
        certain: Callable[[], datetime | None],
        ran_seconds: Callable[[], float],
        done: Path,
        beginning: Beginning | None = None,
    ) -> None:
        self._chores = chores
        self._certain = certain
        self._ran_seconds = ran_seconds
        self._done = done
        self._due_at: float | None = None
        self._beginning = beginning
        self._aside = Aside("chores")

    def step(self) -> None:
        """Do what is due."""
        if self._beginning is not None:
            self._beginning.look()
        if self._due_at is None:
            try:
                self._due_at = self._aside.ask(self._due_by_file)
            except TooSlow:
                return  # looked at again in a minute: what is old can wait for a card that hangs
        ran = self._ran_seconds()
        # Due more than a day from now is impossible, unless the running time went back: the file that keeps
        # it was lost. Then the chores are due at once.
        if ran < self._due_at <= ran + DAY_SECONDS:
            return
        # Set before the work: a chore that fails, or takes the process along, is tried tomorrow and not at
        # every look.
        self._due_at = ran + DAY_SECONDS
        self._keep(ran)
        for what, pruner in self._chores.items():
            self._do(what, pruner)

    def _due_by_file(self) -> float:
        try:
            return float(self._done.read_text(encoding="ascii")) + DAY_SECONDS
        except (OSError, ValueError):
            return 0.0

    def _keep(self, ran: float) -> None:
        try:
            write_whole(self._done, f"{ran:.0f}\n".encode())
        except OSError as error:
            logger.warning("%s: when the chores were done cannot be kept (%s)", self._done, error)

    def _do(self, what: str, pruner: Pruner) -> None:
        try:
            removed = pruner.prune(self._certain())
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
