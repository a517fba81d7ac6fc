"""How much of the hub's way to the broker the letters of one door may take."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CARRIED_BYTES = 64 * 1024 * 1024
"""What a door may have carried at once: some thousand faces of its enrolments."""
CARRIED_PER_SECOND = 8 * 1024 * 1024
"""And in the long run, of the 40 MB/s that a hub sends at most."""


class LetterBudget:
    """Counts what letters cost: their bytes, once for each door they are for. One thread.

    A letter of a hundred kilobytes to all doors of a site is thirty megabytes that the hub stores and sends;
    a few hundred a second, of one door that was broken into, would fill its memory and its disk.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._left: dict[str, tuple[float, float]] = {}

    def takes(self, sender: str, cost: int) -> bool:
        """Return whether a letter of this cost may be carried for a door; what is refused costs nothing."""
        now = self._monotonic()
        left, at = self._left.get(sender, (float(CARRIED_BYTES), now))
        left = min(CARRIED_BYTES, left + (now - at) * CARRIED_PER_SECOND)
        is_taken = cost <= left
        self._left[sender] = left - cost if is_taken else left, now
        return is_taken
