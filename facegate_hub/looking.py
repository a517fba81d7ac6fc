"""A thread that checks at a fixed interval whether there is something to do."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod

LOG = logging.getLogger(__name__)


class LookingThread(ABC):
    """Calls `look` every few seconds in a thread of its own; a look that fails is logged and tried again."""

    def __init__(self, name: str, look_seconds: float, what: str) -> None:
        """`name` is the thread's; `what` is what a failed look could not do, for the log."""
        self._look_seconds = look_seconds
        self._what = what
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """End within a moment."""
        self._ended.set()
        self._thread.join(5.0)

    @abstractmethod
    def look(self) -> object:
        """Do what there is to do."""

    def _run(self) -> None:
        while not self._ended.wait(self._look_seconds):
            try:
                self.look()
            except Exception:  # the thread's outermost loop: the next look may work
                LOG.exception("%s; tried again", self._what)
