"""How many refusals are journaled one by one: a flood is counted, so that it cannot fill the disk."""

from __future__ import annotations

from collections import deque

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
