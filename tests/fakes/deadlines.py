"""Deadlines that pass when a test says so: what hangs is late at once, what works is never late."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.aside import Machine
from tests.waiting import PATIENCE

if TYPE_CHECKING:
    import threading


class Patient(Machine):
    """The machine's clock and threads; only what is stuck is late: a busy machine makes no test fail."""

    def wait(self, done: threading.Event, seconds: float) -> bool:
        return done.wait(max(seconds, PATIENCE))


class Deadlines(Machine):
    """The machine's threads; the clock moves only when a deadline passes, while `is_well` is not set."""

    def __init__(self, is_well: threading.Event) -> None:
        self._is_well = is_well
        self._now = 0.0

    def monotonic(self) -> float:
        return self._now

    def wait(self, done: threading.Event, seconds: float) -> bool:
        while not done.wait(0.001):
            if not self._is_well.is_set():
                self._now += seconds
                return False
        return True
