"""How much of a board the network may use: seats, bytes of bodies, and who is known to the page.

Plain counting without a socket, so that each rule can be read and tested by itself. One thread.
"""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable

MOST_KNOWN = 256
"""Browsers that were logged in; more than a compound's staff has. The least recently used goes first."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one page allows. Bytes, seconds, connections.

    `for_device` seats belong to the device itself (the display at the gate); nobody else gets them.
    """

    connections: int = 192
    of_one_address: int = 32
    """A browser opens six; behind one router there are several."""
    for_device: int = 64

    requests: int = 8
    """At the door's process at once; it answers in worker threads."""
    requests_of_device: int = 4
    streams: int = 6
    """Answers that go on while a page is open, beside the requests; who gets none asks again and again."""

    body_bytes: int = 64 * 1024
    """Of somebody who is not logged in: a name and a password."""
    body_bytes_known: int = 8 * 1024 * 1024
    body_bytes_at_once: int = 48 * 1024 * 1024

    handshake_seconds: float = 5.0
    head_seconds: float = 10.0
    """For a request's first line and headers, whole."""
    idle_seconds: float = 15.0
    """Between two requests on one connection."""
    body_seconds: float = 10.0
    slowest_bytes_a_second: int = 16 * 1024
    """A phone at the edge of the radio's reach; slower ones free their place."""
    answer_seconds: float = 60.0
    """Until the door's process answers: reading eight photos takes a slow board twenty."""
    write_seconds: float = 20.0
    """Until a browser has taken what it was sent."""
    certificate_seconds: float = 60.0
    """Between two looks whether the page's certificate was renewed."""


def is_device(address: str) -> bool:
    """Return whether `address` is this very device."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


class Seats:
    """Connections that are open, by address. A seat is whatever the caller tells connections apart by.

    A newcomer without a free seat takes that of the connection that has been silent for longest: of
    its own address when that has too many, else of the address that has most. So connections that
    ask nothing keep nobody out, however many there are.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._addresses: dict[Hashable, str] = {}
        self._silent: OrderedDict[Hashable, None] = OrderedDict()

    def take(self, seat: Hashable, address: str) -> tuple[bool, Hashable | None]:
        """Return whether `seat` was given, and which other connection must be closed for it."""
        # The device's own seats and those of the network are counted apart: neither can use up the other's.
        ours = [one for one, theirs in self._addresses.items() if is_device(theirs) == is_device(address)]
        same = [one for one in ours if self._addresses[one] == address]
        if not is_device(address) and len(same) >= self._limits.of_one_address:
            displaced = self._longest_silent(set(same))
        elif len(ours) >= self._most(address):
            crowd = Counter(self._addresses[one] for one in ours)
            biggest = max(crowd.values())
            displaced = self._longest_silent({one for one in ours if crowd[self._addresses[one]] == biggest})
        else:
            return self._seated(seat, address), None
        if displaced is None:
            return False, None
        self.leave(displaced)
        return self._seated(seat, address), displaced

    def asks(self, seat: Hashable) -> None:
        """Take note that a request has come whole: this connection is not silent until it is answered."""
        self._silent.pop(seat, None)

    def is_answered(self, seat: Hashable) -> None:
        """Take note that nothing is asked on this connection any more."""
        if seat in self._addresses:
            self._silent[seat] = None

    def leave(self, seat: Hashable) -> None:
        """Give a seat back; nothing happens when it was taken away before."""
        self._addresses.pop(seat, None)
        self._silent.pop(seat, None)

    def _seated(self, seat: Hashable, address: str) -> bool:
        self._addresses[seat] = address
        self._silent[seat] = None
        return True

    def _most(self, address: str) -> int:
        return self._limits.for_device if is_device(address) else self._limits.connections

    def _longest_silent(self, among: set[Hashable]) -> Hashable | None:
        return next((one for one in self._silent if one in among), None)


class BodyBudget:
    """Bytes of request bodies that are held in memory at once."""

    def __init__(self, limits: Limits) -> None:
        self._left = limits.body_bytes_at_once

    def take(self, size: int) -> bool:
        """Reserve `size` bytes, or return False when so much is not free."""
        if size > self._left:
            return False
        self._left -= size
        return True

    def give_back(self, size: int) -> None:
        """Free what was reserved."""
        self._left += size


class KnownBrowsers:
    """Which session cookies were seen logged in: only those may send large bodies.

    Digests only: this process keeps nothing that opens a session.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def note(self, cookie: str, *, is_logged_in: bool) -> None:
        """Take note of what the door's process said about a session."""
        digest = hashlib.sha256(cookie.encode()).digest()
        if not is_logged_in:
            self._known.pop(digest, None)
            return
        self._known[digest] = None
        # Seen again with each answer, so that whoever works at the page is not pushed out by those who left.
        self._known.move_to_end(digest)
        while len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)

    def __contains__(self, cookie: str) -> bool:
        return hashlib.sha256(cookie.encode()).digest() in self._known
