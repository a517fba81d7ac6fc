"""How long to wait before trying again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random


class Backoff:
    """Full jitter: a random wait between nothing and a doubling limit.

    Spreads a thousand doors that lost the same broker at the same moment. `first_seconds` is the
    first limit, `most_seconds` the last. One thread.
    """

    def __init__(self, rng: random.Random, first_seconds: float = 1.0, most_seconds: float = 15.0) -> None:
        self._rng = rng
        self._first = first_seconds
        self._most = most_seconds
        self._failures = 0

    def next(self) -> float:
        """Return seconds to wait after one more failure."""
        # The exponent is bounded: after a thousand failures 2.0 ** n would overflow.
        limit = min(self._most, self._first * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return self._rng.uniform(0.0, limit)

    def reset(self) -> None:
        """Forget the failures: it worked."""
        self._failures = 0
