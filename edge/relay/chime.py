"""The buzzer at the door: it sounds for a moment when told to, never for longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.relay.line import Line

CHIME_SECONDS = 3.0


class Chime:
    """Sounds through a line. One thread; monotonic seconds."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._until: float | None = None

    def sound(self, now: float) -> None:
        """Begin to sound, for three seconds from now."""
        self._line.energise()
        self._until = now + CHIME_SECONDS

    def hush(self) -> None:
        """Be silent at once."""
        self._until = None
        self._line.rest()

    def tick(self, now: float) -> None:
        """Be silent when the time is up."""
        if self._until is not None and now >= self._until:
            self.hush()

    def close(self) -> None:
        """Be silent and give the line up. Safe to call twice."""
        self._line.close()
