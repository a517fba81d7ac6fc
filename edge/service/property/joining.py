"""Joining the property when it can be joined: a full card or a missing secret at the start ends in time."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from edge.broker.backoff import Backoff
from edge.errors import FacegateError, JournalUnavailable

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from edge.service.property.link import PropertyLink

logger = logging.getLogger(__name__)

FIRST_SECONDS = 5.0
"""How long a start waits for the link: on a card in order it is made within half a second."""
LOOK_SECONDS = 10.0
"""Between two looks whether the link lives, and how long a door that stops waits for one of them."""


class Joining:
    """Makes the link with `make` and starts it; while it cannot be made, tries again with back-off.

    All is on a thread of its own (the tries with full jitter, up to 15 s), which also looks whether the link
    still lives, and makes another one when it does not. `start` waits for the first try, so that a door in
    order has its link before it is ready, but not for a card that hangs. `on_problem` gets each new reason
    once.
    """

    def __init__(
        self,
        make: Callable[[], PropertyLink],
        on_problem: Callable[[str], None],
        rng: random.Random,
        look_seconds: float = LOOK_SECONDS,
        first_seconds: float = FIRST_SECONDS,
    ) -> None:
        self._make = make
        self._on_problem = on_problem
        self._backoff = Backoff(rng)
        self._stop = threading.Event()
        self._has_tried = threading.Event()
        self._first_seconds = first_seconds
        self._link: PropertyLink | None = None
        self._problem = ""
        self._look_seconds = look_seconds
        self._thread = threading.Thread(target=self._watch, name="joining", daemon=True)

    def start(self) -> None:
        """Join, or begin to try. Waits five seconds at most."""
        self._thread.start()
        if not self._has_tried.wait(self._first_seconds):
            logger.error("the property is joined later: the card does not answer")

    def stop(self) -> None:
        """Leave, or stop trying. What was not sent is sent by the next run."""
        self._stop.set()
        # `stop` may come without a `start`, and a thread that never ran cannot be joined.
        if self._thread.ident is not None:
            self._thread.join(LOOK_SECONDS)
        if self._link is not None:
            self._link.stop()

    def state(self) -> dict[str, Any]:
        """Return the link's state. Raises `JournalUnavailable` while there is none."""
        link = self._link
        if link is None:
            raise JournalUnavailable(f"not joined to the property: {self._problem}")
        return link.state()

    def _watch(self) -> None:
        self._try()
        self._has_tried.set()
        while not self._stop.wait(self._look_seconds if self._link else self._backoff.next()):
            if self._link is None:
                self._try()
            elif not self._link.is_alive():
                self._report("connection lost; reconnecting")
                self._leave()

    def _try(self) -> None:
        try:
            self._link = self._make()
            self._link.start()
        except FacegateError as error:
            self._report(str(error))
            self._leave()
            return
        except Exception as error:  # the thread's outermost loop, and a door that must start all the same
            logger.exception("the property could not be joined for an unexpected reason")
            self._report(f"internal error: {error!r}")
            self._leave()
            return
        self._backoff.reset()
        if self._problem:
            self._problem = ""
            logger.info("joined the property after all")

    def _leave(self) -> None:
        """Stop a link that is dead or only half started, and forget it."""
        link, self._link = self._link, None
        if link is None:
            return
        try:
            link.stop()
        except Exception:  # its threads may not have been started: the next link must be tried all the same
            logger.exception("the link to the property could not be stopped")

    def _report(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            logger.error("not joined to the property: %s; trying again", problem)
            self._on_problem(problem)
