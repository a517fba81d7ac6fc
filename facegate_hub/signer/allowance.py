"""How much one person or program may have written into the audit, which is never shortened."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from edge.words import message
from facegate_hub.signer.rights import NotPermitted

if TYPE_CHECKING:
    from collections.abc import Callable

    from facegate_hub.signer.principals import Principal

HOUR = 3600.0
MOST_COMMANDS = 20_000
"""Commands of one principal in an hour, each at one door: a site of 1,000 doors locked down twenty times."""
FIRST_TIDY = 1000
"""Counts that are kept before those that are over are looked for: residents come and go, each by a name."""
MOST_CHARACTERS = 2_000_000
"""Of everything else: ten imports that name a thousand people each, or thousands of single changes."""


class AuditAllowance:
    """Counts what is noted for each principal. Any thread; `now` is seconds since 1970.

    The counts are in memory: no principal can start the signer again. Whoever owns the key is not counted,
    since they could write into the database itself.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._used: dict[tuple[str, bool], tuple[float, int]] = {}
        self._tidy_at = FIRST_TIDY

    def __len__(self) -> int:
        """How many counts are kept."""
        return len(self._used)

    def take_commands(self, principal: Principal, count: int) -> None:
        """Count commands. Raises `NotPermitted` beyond the hour's most."""
        self._take(principal, count, MOST_COMMANDS, is_command=True)

    def take_characters(self, principal: Principal, count: int) -> None:
        """Count the characters of a note. Raises `NotPermitted` beyond the hour's most."""
        self._take(principal, count, MOST_CHARACTERS, is_command=False)

    def _take(self, principal: Principal, count: int, most: int, *, is_command: bool) -> None:
        if principal.is_owner:
            return
        # Commands are counted apart: whoever has used up their notes must still be able to lock a door down.
        key, now = (principal.name, is_command), self._now()
        with self._lock:
            began, used = self._used.get(key, (now, 0))
            if not _counts(began, now):
                began, used = now, 0
            if used + count > most:
                raise NotPermitted(message("signer.too_much", name=principal.name))
            self._used[key] = (began, used + count)
            if len(self._used) > self._tidy_at:
                self._used = {one: kept for one, kept in self._used.items() if _counts(kept[0], now)}
                # Twice as many as count now: a look at all of them costs each new one the same.
                self._tidy_at = max(FIRST_TIDY, 2 * len(self._used))


def _counts(began: float, now: float) -> bool:
    """Return whether an hour is not over; it is after the clock went back, so that nobody waits for it."""
    return 0.0 <= now - began < HOUR
