"""What one camera may spend on strangers in an hour, however they come and go.

`recognition.fpir` is promised for a visit. Whoever steps into view for a moment, again and again,
makes a visit of every moment; so does a stack of photographs. The shares that such looks spend are
added up over an hour, and as the sum nears its limit every further look gets less: nobody is
turned away, but a match must be surer. A look that ends in a grant is given back.
"""

from __future__ import annotations

from collections import deque

VISITS_AN_HOUR = 100.0
"""Undecided visits' worth of the error rate. A pavement with a frontal passer-by every 4 s asks for
about 610 (three looks each) and settles where a look gets a seventh of its share: 0.05 of similarity."""

HOUR_SECONDS = 3600.0
SLOT_SECONDS = 60.0

LEAST_PART = 1e-3
"""A look never gets less than this part of its share: a resident who is plainly recognised comes in
however much was tried before."""


class HourlyBudget:
    """Adds up shares of the error rate over the last hour, a minute at a time. One thread.

    Times are monotonic seconds and must not run backwards; amounts are in whole visits.
    """

    def __init__(self, limit: float = VISITS_AN_HOUR) -> None:
        self._limit = limit
        self._slots: deque[list[float]] = deque()
        self._was_told = float("-inf")

    def spent(self, time: float) -> float:
        """Return what looks spent in the hour before `time`."""
        while self._slots and time - self._slots[0][0] >= HOUR_SECONDS:
            self._slots.popleft()
        return sum(amount for _, amount in self._slots)

    def take(self, time: float, share: float) -> float:
        """Spend `share` of one visit's rate and return it; less of it from half the limit on."""
        left = max(self._limit - self.spent(time), 0.0)
        # In full up to half of the limit, so that an ordinary hour never notices; then in proportion to what
        # is left, so that the limit is neared and never passed but by `LEAST_PART`.
        given = share * max(min(1.0, 2 * left / self._limit), LEAST_PART)
        # By the minute: an hour of a busy pavement is then sixty numbers to add up at each look, not
        # thousands.
        if not self._slots or time - self._slots[-1][0] >= SLOT_SECONDS:
            self._slots.append([time, 0.0])
        self._slots[-1][1] += given
        return given

    def give_back(self, amount: float) -> None:
        """Return what was spent on somebody who turned out to be a resident."""
        # The newest first: a visit's looks lie in the last minutes.
        for slot in reversed(self._slots):
            back = min(slot[1], amount)
            slot[1] -= back
            amount -= back

    def is_news(self, time: float) -> bool:
        """Return whether half the limit is spent and nobody was told so within the last hour."""
        # At half, where looks begin to get less: staff hear of it before residents feel it.
        if self.spent(time) < self._limit / 2 or time - self._was_told < HOUR_SECONDS:
            return False
        self._was_told = time
        return True
