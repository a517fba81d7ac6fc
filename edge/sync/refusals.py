"""How many refusals are journaled one by one: a flood is counted, so that it cannot fill the disk."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from edge.domain import EventDraft

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.events import Kind
    from edge.ports import Clock

LOG = logging.getLogger(__name__)

MOST_A_MINUTE = 10


class RefusalLimit:
    """Lets ten a minute through. One thread; `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._told: deque[float] = deque(maxlen=MOST_A_MINUTE)
        self._untold = 0

    def tell(self, now: float) -> int | None:
        """Return how many were kept quiet since the last one, or None when this one is to be, too."""
        if len(self._told) == MOST_A_MINUTE and now - self._told[0] < 60:
            self._untold += 1
            return None
        self._told.append(now)
        untold, self._untold = self._untold, 0
        return untold


class RetainedRefusals:
    """Journals why a retained message was refused: it comes at every connection, and is told once.

    The same reason is told again after another one. One thread.
    """

    def __init__(self, kind: Kind, record: Callable[[EventDraft], object], clock: Clock) -> None:
        self._kind = kind
        self._record = record
        self._clock = clock
        self._last = ""
        self._limit = RefusalLimit()

    def tell(self, why: str) -> None:
        """Write down a refusal, unless it is the last one again or one of too many."""
        if why == self._last:
            return
        self._last = why
        unreported = self._limit.tell(self._clock.monotonic())
        if unreported is None:
            return
        LOG.warning("%s: %s", self._kind, why)
        data = {"detail": why[:500], "unreported": unreported}
        self._record(EventDraft.now(self._clock, self._kind, data))
