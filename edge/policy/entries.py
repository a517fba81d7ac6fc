"""Who was let in and has not yet come in: what a door contact turns a grant into."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

GRACE_SECONDS = 2.0
"""After the unlock time: the door's own grace of 1 s, and as much for contact and threads to be heard."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Who may be coming in, and when (UTC) and by what method they were let in.

    `resident_id` is `pass ID` for a visitor, who has no resident's id.
    """

    resident_id: str
    at: datetime
    method: str


class ExpectedEntries:
    """Remembers grants until the door is opened or the time is up. Any thread.

    `mono` gives monotonic seconds. A grant that came to nothing (lock broken, no record) is
    forgotten when its time is up: somebody else's opening must not become this resident's entry.
    """

    def __init__(self, mono: Callable[[], float]) -> None:
        self._mono = mono
        self._lock = threading.Lock()
        self._waiting: dict[str, tuple[Entry, float]] = {}

    def add(self, entry: Entry, unlock_seconds: float) -> None:
        """Expect `entry` while the door is unlocked; a second grant replaces the first."""
        with self._lock:
            self._waiting[entry.resident_id] = entry, self._mono() + unlock_seconds + GRACE_SECONDS

    def remove(self, entry: Entry) -> None:
        """Expect `entry` no longer; a later grant of the same person stays."""
        with self._lock:
            waiting = self._waiting.get(entry.resident_id)
            if waiting is not None and waiting[0] == entry:
                del self._waiting[entry.resident_id]

    def take(self) -> tuple[Entry, ...]:
        """Return who is expected now, and expect nobody."""
        with self._lock:
            now = self._mono()
            due = tuple(entry for entry, until in self._waiting.values() if now <= until)
            # All of them: one opening of the door is the entry of everybody who was let in for it.
            self._waiting.clear()
        return due
