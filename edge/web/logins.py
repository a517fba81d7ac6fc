"""Slowing down who guesses passwords: address by address, so that no attack keeps others out.

There is no limit for all addresses together: whoever has sixty of them would keep the installer out
with it. What bounds an attack from everywhere is that passwords are tried one at a time
(`edge.web.accounts`) and that every address has few free tries.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from edge.floods import FloodLimit

if TYPE_CHECKING:
    from edge.ports import Clock

FREE_TRIES = 5
"""Wrong passwords that cost nothing: people mistype."""

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 2.0, 900.0
FORGET_SECONDS = 3600.0
MOST_ADDRESSES = 4096

MOST_TOLD_A_MINUTE = 20
"""Events of failed logins; the others are told as a number with the next one."""


@dataclass(slots=True)
class _Record:
    failures: int = 0
    blocked_until: float = float("-inf")
    last: float = float("-inf")


class LoginGuard:
    """Says how long an address must wait before its next try is looked at. Any thread.

    IPv6 addresses of one /64 count as one: whoever has one of them has all.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._addresses: OrderedDict[str, _Record] = OrderedDict()
        self._told = FloodLimit(MOST_TOLD_A_MINUTE)

    def begin(self, address: str) -> float:
        """Count a try and return 0 when it may be made now, else the seconds to wait.

        It counts as failed until `succeeded` is called, so that many tries at once are as many.
        """
        now, place = self._clock.monotonic(), _place(address)
        with self._lock:
            record = self._addresses.setdefault(place, _Record())
            self._addresses.move_to_end(place)
            # Somebody with thousands of addresses can push their own records out. That gains them nothing:
            # each address has its free tries anyway.
            while len(self._addresses) > MOST_ADDRESSES:
                self._addresses.popitem(last=False)
            if record.blocked_until > now:
                self._told.keep_quiet()
                return record.blocked_until - now
            _punish(record, now)
            return 0.0

    def failed(self) -> int | None:
        """Return how many tries were told to nobody since the last one; None: this one is not told either."""
        with self._lock:
            return self._told.tell(self._clock.monotonic())

    def succeeded(self, address: str) -> None:
        """Forget the failures of an address that knew a password."""
        with self._lock:
            self._addresses.pop(_place(address), None)


def _place(address: str) -> str:
    """Return what counts as one address."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, 64), strict=False))
    return address


def _punish(record: _Record, now: float) -> None:
    if now - record.last > FORGET_SECONDS:
        record.failures = 0
    record.failures += 1
    record.last = now
    if record.failures >= FREE_TRIES:
        # At most 30: beyond the longest wait a larger power only costs time, and in the end overflows.
        doubled = min(record.failures - FREE_TRIES, 30)
        record.blocked_until = now + min(FIRST_WAIT_SECONDS * 2**doubled, LONGEST_WAIT_SECONDS)
