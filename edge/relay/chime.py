"""The buzzer at the door: it sounds for a moment when told to, never for longer."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.relay.line import Line

logger = logging.getLogger(__name__)

CHIME_SECONDS = 3.0


class Chime:
    """Sounds through a line. Monotonic seconds; any thread.

    A line that cannot be driven is logged, not raised: the same thread reads the door contact.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._until: float | None = None
        self._has_failed = False
        # Held over the time and the move that belongs to it: a hush in between left it sounding.
        self._moving = threading.RLock()

    def sound(self, now: float) -> None:
        """Begin to sound, for three seconds from now."""
        with self._moving:
            self._until = now + CHIME_SECONDS
            self._drive(self._line.energise)

    def hush(self) -> None:
        """Be silent at once."""
        with self._moving:
            self._until = None
            if not self._drive(self._line.rest):
                self._until = float("-inf")  # it may still sound: every tick tries again

    def tick(self, now: float) -> None:
        """Be silent when the time is up."""
        with self._moving:
            if self._until is not None and now >= self._until:
                self.hush()

    def close(self) -> None:
        """Be silent and give the line up. Safe to call twice."""
        self._line.close()

    def _drive(self, move: Callable[[], None]) -> bool:
        """Return whether the line could be driven; log the first of several failures."""
        try:
            move()
        except Exception as error:  # noqa: BLE001 - lgpio.error and half of gpiozero.exc derive from it
            if not self._has_failed:
                logger.error("the chime does not answer: %s", error)  # noqa: TRY400 - one clear line
            self._has_failed = True
            return False
        self._has_failed = False
        return True
