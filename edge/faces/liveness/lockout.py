"""How often may somebody try? Counted for the door, because an attacker's track is new each time."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_FAILURES = 5
"""Consecutive refusals before a pause: NIST SP 800-63B-4 allows ten when attacks are detected."""

MEMORY_SECONDS = 60.0
PAUSE_SECONDS = 30.0
"""The least pause that NIST SP 800-63B-4 asks for after too many failures."""


@dataclass(slots=True)
class Lockout:
    """Failures of the last minute and the pause they led to. Times are those of the frames."""

    max_failures: int = MAX_FAILURES
    failures: list[float] = field(default_factory=list)
    until: float = float("-inf")

    def fail(self, time: float) -> None:
        """Count one refusal; the last one allowed starts the pause."""
        self.failures = [*(at for at in self.failures if 0 <= time - at <= MEMORY_SECONDS), time]
        if len(self.failures) >= self.max_failures:
            self.until = time + PAUSE_SECONDS
            self.failures.clear()

    def succeed(self) -> None:
        """Somebody was found to be alive: the count starts again."""
        self.failures.clear()

    def is_locked(self, time: float) -> bool:
        """Say whether nobody may try at `time`."""
        return time < self.until
