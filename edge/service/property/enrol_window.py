"""When staff may enrol at a door: a window that somebody opens, that is logged, and that closes itself."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from edge.domain import EventDraft
from edge.errors import PanelRefused
from edge.events import Kind
from edge.words import message

if TYPE_CHECKING:
    from edge.ports import Clock, EventWriter

MOST_SECONDS = 3600.0
"""An hour: the most that the remote command may ask for (`edge.wire.commands`)."""


class EnrolWindow:
    """Closed at every start; open for as long as `open` says, by the monotonic clock. Any thread.

    Every opening, closing and refusal is an event (`enrol.window_opened`, `enrol.window_closed`,
    `enrol.refused`). An opening that cannot be stored does not happen: `JournalUnavailable`.
    """

    def __init__(self, clock: Clock, events: EventWriter) -> None:
        self._clock = clock
        self._events = events
        self._lock = threading.Lock()
        self._until: float | None = None

    def open(self, seconds: float, by: str) -> float:
        """Let staff enrol from now for `seconds`, and return that; it replaces what was left before.

        `by` names who opened it. Raises `PanelRefused` unless 0 < seconds <= 3600.
        """
        if not 0 < seconds <= MOST_SECONDS:
            raise PanelRefused(
                message("error.window_seconds", seconds=f"{seconds:g}", most=f"{MOST_SECONDS:g}")
            )
        # Before it opens: an opening that nobody can be told of does not happen.
        self._events.commit(self._draft(Kind.ENROL_WINDOW_OPENED, by=by, seconds=seconds))
        with self._lock:
            self._until = self._clock.monotonic() + seconds
        return seconds

    def close(self, by: str) -> bool:
        """Close the window now; False when it was not open."""
        if not self._shut(when_over_only=False):
            return False
        self._events.record(self._draft(Kind.ENROL_WINDOW_CLOSED, by=by))
        return True

    def tick(self) -> None:
        """Write down that the time is over, when it is. Call about once a second."""
        if self._shut(when_over_only=True):
            self._events.record(self._draft(Kind.ENROL_WINDOW_CLOSED, by="time"))

    @property
    def seconds_left(self) -> float:
        """How long staff may still enrol, 0 when they may not."""
        with self._lock:
            return 0.0 if self._until is None else max(0.0, self._until - self._clock.monotonic())

    def require_open(self, by: str) -> None:
        """Raise `PanelRefused`, journaled, unless the window is open; `by` is who wants to enrol."""
        if self.seconds_left > 0:
            return
        self._events.record(self._draft(Kind.ENROL_REFUSED, by=by, why="window_closed"))
        raise PanelRefused(message("error.window_closed"))

    def _shut(self, *, when_over_only: bool) -> bool:
        """Close the window and say whether this call did it."""
        with self._lock:
            is_over = self._until is not None and self._until <= self._clock.monotonic()
            if self._until is None or (when_over_only and not is_over):
                return False
            self._until = None
            return True

    def _draft(self, kind: Kind, **data: Any) -> EventDraft:
        return EventDraft.now(self._clock, kind, data)
