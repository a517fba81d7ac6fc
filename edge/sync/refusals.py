"""Why a retained message was refused, told once and not at every connection."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edge.domain import EventDraft
from edge.errors import FacegateError
from edge.floods import FloodLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge.events import Kind
    from edge.ports import Clock

LOG = logging.getLogger(__name__)


class RetainedRefusals:
    """Journals why a retained message was refused: it comes at every connection, and is told once.

    The same reason is told again after another one. One thread.
    """

    def __init__(self, kind: Kind, record: Callable[[EventDraft], object], clock: Clock) -> None:
        self._kind = kind
        self._record = record
        self._clock = clock
        self._last = ""
        self._limit = FloodLimit()

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Run the block; what it refuses, with a `FacegateError`, is told."""
        try:
            yield
        except FacegateError as error:
            self.tell(str(error))

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
