"""Anti-passback: a credential that has just let somebody in does not let in a second person.

It is for what can be handed over a fence (cards, PINs, passes); a face cannot. `soft` lets pass
and says so, `timed` refuses until the time is up. Times are monotonic: no clock step matters.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from edge.policy.methods import Method

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT_SECONDS = 120.0
"""Long enough that handing a card back through a fence fails, short enough for residents who turn round."""

MAX_REMEMBERED = 10_000
"""Entries remembered at most, oldest forgotten first: more than a gate sees in any sensible time."""


class PassbackKind(StrEnum):
    """What happens on a second use."""

    OFF = "off"
    SOFT = "soft"
    TIMED = "timed"


@dataclass(frozen=True, slots=True)
class PassbackRule:
    """How anti-passback works at a door."""

    kind: PassbackKind = PassbackKind.OFF
    seconds: float = DEFAULT_SECONDS
    methods: frozenset[str] = frozenset({Method.CARD, Method.PIN, Method.PASS})


class Passback:
    """Who came in when, and by that who comes again too soon. Any thread.

    `mono` gives monotonic seconds.
    """

    def __init__(self, rule: PassbackRule, mono: Callable[[], float]) -> None:
        self.rule = rule
        self._mono = mono
        self._entries: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def is_too_soon(self, who: str, method: str) -> bool:
        """Return whether `who` came in within the last `rule.seconds`."""
        if self.rule.kind is PassbackKind.OFF or method not in self.rule.methods:
            return False
        with self._lock:
            entered = self._entries.get(who)
            return entered is not None and self._mono() - entered < self.rule.seconds

    def note_entry(self, who: str) -> None:
        """Remember that `who` came in now, by whatever method."""
        # Whatever the method: a card after a face is passed back too.
        with self._lock:
            self._entries[who] = self._mono()
            self._entries.move_to_end(who)
            while len(self._entries) > MAX_REMEMBERED:
                self._entries.popitem(last=False)

    def forget(self, who: str) -> None:
        """Forget the entry of `who`: the door was never opened, or the staff says so."""
        with self._lock:
            self._entries.pop(who, None)
