"""Slowing down who guesses passwords, for each address and for all together."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.ports import Clock

FREE_TRIES = 5
"""Wrong passwords that cost nothing: people mistype."""

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 2.0, 900.0
FREE_TRIES_OF_ALL = 50
LONGEST_WAIT_OF_ALL_SECONDS = 30.0
"""Short, so that an attack from everywhere does not keep the installer out for long."""

FORGET_SECONDS = 3600.0
MOST_ADDRESSES = 4096


@dataclass(slots=True)
class _Record:
    failures: int = 0
    blocked_until: float = float("-inf")
    last: float = float("-inf")


class LoginGuard:
    """Says how long an address must wait before its next try counts. Any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._addresses: OrderedDict[str, _Record] = OrderedDict()
        self._all = _Record()
        self._unheard = 0

    def wait_seconds(self, address: str) -> float:
        """Return 0 when a try may be made now; else it is counted as unheard and not looked at."""
        now = self._clock.monotonic()
        with self._lock:
            mine = self._addresses.get(address)
            until = max(self._all.blocked_until, mine.blocked_until if mine else float("-inf"))
            if until > now:
                self._unheard += 1
            return max(until - now, 0.0)

    def failed(self, address: str) -> int:
        """Count a wrong password; return how many tries went unheard since the last one."""
        now = self._clock.monotonic()
        with self._lock:
            record = self._addresses.setdefault(address, _Record())
            self._addresses.move_to_end(address)
            while len(self._addresses) > MOST_ADDRESSES:
                self._addresses.popitem(last=False)
            _punish(record, now, FREE_TRIES, LONGEST_WAIT_SECONDS)
            _punish(self._all, now, FREE_TRIES_OF_ALL, LONGEST_WAIT_OF_ALL_SECONDS)
            unheard, self._unheard = self._unheard, 0
            return unheard

    def succeeded(self, address: str) -> None:
        """Forget the failures of an address that knew a password."""
        with self._lock:
            self._addresses.pop(address, None)


def _punish(record: _Record, now: float, free: int, longest: float) -> None:
    if now - record.last > FORGET_SECONDS:
        record.failures = 0
    record.failures += 1
    record.last = now
    if record.failures >= free:
        doubled = min(record.failures - free, 30)
        record.blocked_until = now + min(FIRST_WAIT_SECONDS * 2**doubled, longest)
