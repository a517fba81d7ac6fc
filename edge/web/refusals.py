"""What the panel refused, written down without letting whoever tries fill the journal."""

from __future__ import annotations

import threading
from collections import OrderedDict
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.ports import Clock

AGAIN_SECONDS = 60.0
"""The first refusal of an address is told at once, those of the next minute as a number."""

MOST_A_MINUTE = 20
"""Events of all addresses together: a thousand addresses tell no more than twenty do."""

MOST_ADDRESSES = 1024
MOST_LETTERS = 80


class RefusalKind(StrEnum):
    """Why a request was not looked at any further."""

    FORGED = "forged"
    """A form without its session's token, or from another site."""
    NOT_ALLOWED = "not_allowed"
    """A page that this role has not."""
    NOT_FOUND = "not_found"
    TOO_LARGE = "too_large"
    UPLOAD = "upload"
    """A form or a picture that is not what it says."""


class RefusalLog:
    """Tells `note` (reason, address, path, how many went untold before). Any thread."""

    def __init__(self, clock: Clock, note: Callable[[RefusalKind, str, str, int], None]) -> None:
        self._clock = clock
        self._note = note
        self._lock = threading.Lock()
        self._told: OrderedDict[str, float] = OrderedDict()
        self._untold = 0

    def tell(self, why: RefusalKind, address: str, path: str) -> None:
        """Take note of a refusal."""
        untold = self._turn(address)
        if untold is None:
            return
        self._note(why, address, path[:MOST_LETTERS], untold)

    def _turn(self, address: str) -> int | None:
        """Return how many went untold when this one is told, or None when it is one of them."""
        now = self._clock.monotonic()
        with self._lock:
            recent = sum(now - at < AGAIN_SECONDS for at in self._told.values())
            is_again = now - self._told.get(address, float("-inf")) < AGAIN_SECONDS
            if is_again or recent >= MOST_A_MINUTE:
                self._untold += 1
                return None
            self._told[address] = now
            self._told.move_to_end(address)
            while len(self._told) > MOST_ADDRESSES:
                self._told.popitem(last=False)
            untold, self._untold = self._untold, 0
            return untold
