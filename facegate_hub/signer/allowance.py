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
            # Also after the clock went back: nobody waits until it is there again.
            if not 0.0 <= now - began < HOUR:
                began, used = now, 0
            if used + count > most:
                raise NotPermitted(message("signer.too_much", name=principal.name))
            self._used[key] = (began, used + count)
