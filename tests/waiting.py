"""Wait for another thread or process, in one way; the limits are for a stuck machine, not for a slow one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
PATIENCE = 120.0
"""Seconds. What works is there long before, even on a machine with ten times more to do than it has cores."""

BETWEEN_LOOKS = 0.01, 0.1
"""Seconds. What comes at once is seen at once; what takes long is found a twentieth later."""

LONGEST_REST = 0.5
"""Seconds after a look that is dear itself: who looks all the time takes the core from what is waited for."""


def wait_until(condition: Callable[[], T | None], what: object = "", *, seconds: float = PATIENCE) -> T:
    """Ask until the answer is true and return it; fail after `seconds`, saying `what` did not happen.

    A `what` that can be called is called only then, for a log or a state.
    """
    begun = looked = time.monotonic()
    while not (value := condition()):
        now = time.monotonic()
        if now > begun + seconds:
            told = what() if callable(what) else what
            raise AssertionError(f"not within {seconds:g} s: {told or condition}")
        time.sleep(_pause(now - begun, now - looked))
        looked = time.monotonic()
    return value


def _pause(waited: float, look: float) -> float:
    """Return the seconds until the next look, after waiting so long and a look that took so long."""
    soonest, latest = BETWEEN_LOOKS
    return max(soonest, min(latest, waited / 20), min(LONGEST_REST, 2 * look))
