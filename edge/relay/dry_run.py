"""A lock that moves nothing and remembers everything: for replay, the demo and tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Monotonic(Protocol):
    """The part of `edge.ports.Clock` that a lock needs."""

    def monotonic(self) -> float:
        """Return monotonic seconds."""


@dataclass(frozen=True, slots=True)
class Move:
    """One movement of the lock. `time` is monotonic seconds, `action` `unlock`, `lock` or `relock`.

    `relock` is the lock's own, when the time was up. `seconds` is what an unlock asked for.
    """

    time: float
    action: str
    seconds: float = 0.0


class DryRunLock:
    """A `Lock` without a relay; time is the clock's, so a test decides when it relocks.

    One thread. A second `unlock` while unlocked extends, never shortens, as the guard does.
    """

    def __init__(self, clock: Monotonic) -> None:
        self._clock = clock
        self._until: float | None = None
        self._moves: list[Move] = []

    @property
    def history(self) -> tuple[Move, ...]:
        """Every movement up to now, oldest first."""
        self._settle()
        return tuple(self._moves)

    @property
    def unlocked(self) -> bool:
        """True while the door could be opened."""
        self._settle()
        return self._until is not None

    def unlock(self, seconds: float) -> None:
        """Unlock until `seconds` from now."""
        self._settle()
        now = self._clock.monotonic()
        self._moves.append(Move(now, "unlock", seconds))
        self._until = max(self._until or 0.0, now + seconds)

    def lock(self) -> None:
        """Relock now; remembered only when it was unlocked."""
        self._settle()
        if self._until is not None:
            self._moves.append(Move(self._clock.monotonic(), "lock"))
        self._until = None

    def close(self) -> None:
        """Relock."""
        self.lock()

    def _settle(self) -> None:
        if self._until is not None and self._clock.monotonic() >= self._until:
            self._moves.append(Move(self._until, "relock"))
            self._until = None
