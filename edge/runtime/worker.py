"""A thread that calls one function over and over: its exceptions are logged and counted, and end nothing."""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger(__name__)

MOST_FAILURES_IN_A_ROW = 10
"""Then something is wrong that only a fresh process can mend (crash-only: systemd restarts it)."""


class Worker:
    """Calls `step` over and over in a thread of its own until stopped.

    `step` must return within `max_silence_seconds`, waiting for work included; each return counts
    as progress, which the supervisor's watchdog watches. An exception is logged and counted;
    after ten in a row the thread ends and `has_failed` is True. `close` runs last, in the thread.
    Several workers may share one `stopping`: setting it ends them all. `nice` lowers the thread's
    priority, see `lower_priority`.

    A `step` that never returns (FFmpeg can hang in a system call, and Python cannot end a thread)
    leaves a daemon thread behind: progress stops, the watchdog is no longer fed and systemd
    kills the process. That costs nothing at the door: the relay has a guard of its own.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], None],
        *,
        close: Callable[[], None] | None = None,
        max_silence_seconds: float = 5.0,
        stopping: threading.Event | None = None,
        nice: int = 0,
    ) -> None:
        self.name = name
        self.max_silence_seconds = max_silence_seconds
        self.progress = 0
        self.failures = 0
        self.has_failed = False
        self._step = step
        self._close = close
        self._failures_in_a_row = 0
        self._nice = nice
        self._stopping = stopping or threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread, once."""
        self._thread.start()

    def stop(self, timeout_seconds: float = 2.0) -> bool:
        """Ask the thread to end and wait; return False when it did not end in time."""
        self._stopping.set()
        # A thread that was never started has no ident; joining it would raise.
        if self._thread.ident is not None:
            self._thread.join(timeout_seconds)
        return not self._thread.is_alive()

    def turn(self) -> None:
        """Do one step on the calling thread, as the worker's own does over and over."""
        self._guarded(self._step)
        self.progress += 1

    def _run(self) -> None:
        if self._nice:
            lower_priority(self._nice)
        while not self._stopping.is_set() and not self.has_failed:
            self.turn()
        if self._close is not None:
            self._guarded(self._close)

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception:
            self.failures += 1
            self._failures_in_a_row += 1
            self.has_failed = self._failures_in_a_row >= MOST_FAILURES_IN_A_ROW
            logger.exception("%s: failure %d in a row", self.name, self._failures_in_a_row)
            self._stopping.wait(0.05)  # a failing step must not eat a whole core
        else:
            self._failures_in_a_row = 0


def lower_priority(nice: int) -> None:
    """Let the calling thread, and those it starts, give way to others; `nice` 1..19 as in nice(1).

    Where the system does not allow it the thread goes on at the priority it has, and the log says so.
    """
    try:
        # On Linux PRIO_PROCESS with a thread id concerns that thread alone (man 2 setpriority).
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), nice)
    except OSError as error:
        logger.info("%s keeps its priority: %s", threading.current_thread().name, error)
