"""Joining the property when it can be joined: a full card or a missing secret at the start ends in time."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from edge.errors import FacegateError, JournalUnavailable
from edge.sync.backoff import Backoff

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from edge.service.link import PropertyLink

logger = logging.getLogger(__name__)


class Joining:
    """Makes the link with `make` and starts it; while it cannot be made, tries again with back-off.

    The first try is in `start`, so that a door in order has its link before it is ready; the others
    are on a thread of its own (full jitter, 1 to 120 s). `on_problem` gets each new reason once.
    """

    def __init__(
        self, make: Callable[[], PropertyLink], on_problem: Callable[[str], None], rng: random.Random
    ) -> None:
        self._make = make
        self._on_problem = on_problem
        self._backoff = Backoff(rng)
        self._stop = threading.Event()
        self._link: PropertyLink | None = None
        self._problem = ""
        self._thread = threading.Thread(target=self._go_on, name="joining", daemon=True)

    def start(self) -> None:
        """Join, or begin to try."""
        if not self._try():
            self._thread.start()

    def stop(self) -> None:
        """Leave, or stop trying. What was not sent is sent by the next run."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._link is not None:
            self._link.stop()

    def state(self) -> dict[str, Any]:
        """Return the link's state. Raises `JournalUnavailable` while there is none."""
        link = self._link
        if link is None:
            raise JournalUnavailable(f"not joined to the property: {self._problem}")
        return link.state()

    def _go_on(self) -> None:
        while not self._stop.wait(self._backoff.next()) and not self._try():
            pass

    def _try(self) -> bool:
        try:
            link = self._make()
        except FacegateError as error:
            self._report(str(error))
            return False
        except Exception as error:  # the thread's outermost loop
            logger.exception("the property could not be joined in a way nobody expected")
            self._report(f"internal error: {error!r}")
            return False
        link.start()
        self._link = link
        if self._problem:
            logger.info("joined the property after all")
        return True

    def _report(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            logger.error("nothing is sent to the broker: %s; trying again", problem)
            self._on_problem(problem)
