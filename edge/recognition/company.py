"""Counts who was in view while the door was unlocked: somebody may have walked in behind a resident."""

from __future__ import annotations

import threading
from typing import Any


class Company:
    """The most faces seen during one unlocking, against how many were let in. Any thread.

    A camera cannot stop whoever walks in behind a resident; it can say that they were there. Times
    are monotonic seconds, the scale of `Frame.time`.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until: float | None = None
        self._let_in = 0
        self._most = 0

    def unlocked(self, time: float, seconds: float) -> None:
        """Take note that the door was unlocked at `time` for somebody, by whatever way in."""
        with self._lock:
            # One opening for two who were let in one after the other: a second grant never shortens the
            # first.
            self._until = max(self._until or time, time + seconds)
            self._let_in += 1

    def see(self, time: float, faces: int) -> dict[str, Any] | None:
        """Take how many people are in view; return the event's data when the door is locked again.

        None while it is not, and when no more people were seen than were let in.
        """
        with self._lock:
            if self._until is None:
                return None
            if time <= self._until:
                self._most = max(self._most, faces)
                return None
            # The first frame after it shut, not a timer: without frames nobody was seen, and nothing is told.
            found = {"most_faces": self._most, "let_in": self._let_in}
            self._until, self._let_in, self._most = None, 0, 0
        return found if found["most_faces"] > found["let_in"] else None
