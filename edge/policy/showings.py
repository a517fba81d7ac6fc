"""Which codes are still held before the camera: one showing is one try, not thirty."""

from __future__ import annotations

import threading

SAME_SHOWING_SECONDS = 10.0
"""A pass seen again within this time is still held before the camera: one use, not thirty."""


class Showings:
    """Remembers what was just shown. Any thread; times are monotonic seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[bytes, float] = {}
        self._again: dict[bytes, float] = {}

    def is_still_shown(self, mark: bytes, now: float) -> bool:
        """Note that the code of this `mark` is seen; return whether it was answered in this showing."""
        with self._lock:
            self._seen = {m: at for m, at in self._seen.items() if now - at < SAME_SHOWING_SECONDS}
            self._again = {m: at for m, at in self._again.items() if m in self._seen}
            is_due = self._again.get(mark, float("inf")) <= now
            if is_due:
                del self._again[mark]
            was_seen = mark in self._seen and not is_due
            # Each sight prolongs the showing: it ends ten seconds after the code was last seen.
            self._seen[mark] = now
            return was_seen

    def look_again(self, mark: bytes, at: float) -> None:
        """Let a code that is held up patiently be answered once more at `at`: it was refused for a while."""
        with self._lock:
            self._again[mark] = at
