"""How many events of one kind are written one by one: a flood is counted, so that it cannot fill the disk."""

from __future__ import annotations

from collections import deque


class FloodLimit:
    """Lets `most` a minute through and counts the rest. One thread, or under the owner's lock."""

    def __init__(self, most: int = 10) -> None:
        self._told: deque[float] = deque(maxlen=most)
        self._untold = 0

    def tell(self, now: float) -> int | None:
        """Return how many were kept quiet since the last one, or None when this one is to be, too.

        `now` is monotonic seconds.
        """
        if len(self._told) == self._told.maxlen and now - self._told[0] < 60.0:
            self.keep_quiet()
            return None
        self._told.append(now)
        untold, self._untold = self._untold, 0
        return untold

    def keep_quiet(self) -> None:
        """Count one that is not told at all."""
        self._untold += 1
