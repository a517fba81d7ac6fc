"""How many wrong tries a day may bring: pauses slow guessing down, this ends it.

A pause of 30 s still allows 2,880 guesses a day: 2.3 % against a flat with eight PINs of six digits, every
day. Beyond the ceiling a number or a card alone is refused, right or wrong. A resident who also shows
something else of their own (face, card, PIN) comes in as usual. So guessing ends, and nobody can use it to
lock a resident out.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

DAY_SECONDS = 86_400.0

MOST_OF_ONE = 20
"""Wrong PINs under one number in 24 h: against eight PINs of six digits that is 0.016 % a day."""

FEW = 2
"""A number with fewer wrong tries in 24 h is looked at, however many strangers try others beside it."""

MOST_OF_READER = 100
"""Wrong PINs, or unknown cards, at one reader in 24 h: 0.08 % a day against numbers with eight PINs each, and
`FEW` more tries under each number, which nobody can use up for others: 0.64 % with 400 numbers. Of
65,536 card numbers with 300 in use a sweep takes a day and a half for an even chance."""

MOST_REMEMBERED = 10_000
"""Numbers remembered at most; a reader's own ceiling is reached long before."""


class Ceilings:
    """Counts wrong tries of the last 24 h by subject. Any thread; times are monotonic seconds.

    A success forgives nothing here: somebody with a PIN of their own could guess for ever.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tries: OrderedDict[str, deque[float]] = OrderedDict()

    def count(self, subject: str, most: int, now: float) -> bool:
        """Count a wrong try; return True when it is the one that reaches `most` in 24 h."""
        with self._lock:
            tries = self._tries.setdefault(subject, deque(maxlen=most))
            self._tries.move_to_end(subject)
            while len(self._tries) > MOST_REMEMBERED:
                self._tries.popitem(last=False)
            # Counted before and after: the alarm is raised once, when the limit is reached, and not at every
            # try beyond.
            before = _recent(tries, now)
            tries.append(now)
            return before < most <= _recent(tries, now)

    def count_of(self, subject: str, now: float) -> int:
        """Return how many wrong tries this subject had in the last 24 h, as far as its ceiling."""
        with self._lock:
            return _recent(self._tries.get(subject, ()), now)


def _recent(tries: Iterable[float], now: float) -> int:
    return sum(now - at < DAY_SECONDS for at in tries)
