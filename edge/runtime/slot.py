"""A queue of one frame: a newer frame replaces it, and one that is too old is never handed out."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.domain import Frame
    from edge.ports import Clock

MAX_AGE_SECONDS = 0.5
"""The door decides about who stands there now."""


class FrameSlot:
    """Carries frames from the capture thread to the recognising thread.

    `taken` counts frames handed out, `dropped` those replaced before, `stale` those refused because
    they were older than `max_age_seconds` on `clock` (the clock that stamped `Frame.time`). Any thread.
    """

    def __init__(self, clock: Clock, max_age_seconds: float = MAX_AGE_SECONDS) -> None:
        self.taken = 0
        self.dropped = 0
        self.stale = 0
        self._clock = clock
        self._max_age = max_age_seconds
        self._frame: Frame | None = None
        self._is_closed = False
        self._changed = threading.Condition()

    @property
    def is_closed(self) -> bool:
        """True when no further frame will come."""
        return self._is_closed

    def put(self, frame: Frame) -> None:
        """Leave `frame` for the reader, in place of one that still waits. Never blocks for long."""
        with self._changed:
            if self._frame is not None:
                self.dropped += 1
            self._frame = frame
            self._changed.notify()

    def take(self, timeout_seconds: float) -> Frame | None:
        """Return the newest frame, waiting up to `timeout_seconds`; None when none came or closed."""
        # The machine's clock, not `self._clock`: a simulated clock stands still while this thread waits.
        deadline = time.monotonic() + timeout_seconds
        with self._changed:
            while (frame := self._take_fresh()) is None:
                remaining = deadline - time.monotonic()
                if self._is_closed or remaining <= 0:
                    return None
                self._changed.wait(remaining)
            return frame

    def close(self) -> None:
        """Mark the end: no further frame will come. Wakes the reader."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _take_fresh(self) -> Frame | None:
        # Taken out also when it is too old: it will not get fresher.
        frame, self._frame = self._frame, None
        if frame is not None and self._clock.monotonic() - frame.time > self._max_age:
            self.stale += 1
            return None
        self.taken += frame is not None
        return frame
