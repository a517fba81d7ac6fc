"""Wait for another thread or process, in one way; the limits are for a stuck machine, not for a slow one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
PATIENCE = 120.0
"""Seconds. What works is there long before, even on a machine with ten times more to do than it has cores."""


def wait_until(condition: Callable[[], T | None], what: object = "", *, seconds: float = PATIENCE) -> T:
    """Ask until the answer is true and return it; fail after `seconds`, saying `what` did not happen.

    A `what` that can be called is called only then, for a log or a state.
    """
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            told = what() if callable(what) else what
            raise AssertionError(f"not within {seconds:g} s: {told or condition}")
        time.sleep(0.01)
    return value
