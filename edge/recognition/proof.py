"""Does who was let in by their face still stand there? A picture of them may have taken place and track."""

from __future__ import annotations

import math
from dataclasses import dataclass

AGAIN_SECONDS = 10.0
"""Between two such questions: each costs some four frames before the networks."""

SOON_SECONDS = 5.0
"""The same after a no. A living person who was refused for a moment has several tries before they count as
gone (`presence.PROOF_SECONDS`)."""

PATIENCE_SECONDS = 3.0
"""Who cannot be judged for so long (turned away, half hidden, neither yes nor no) is left in peace until the
next question."""


@dataclass(slots=True)
class Proof:
    """What liveness last said of somebody who was let in. Times are monotonic seconds.

    It opens nothing and accuses nobody: a face that is refused clearly only keeps its resident present no
    longer than one that merely looks like theirs.
    """

    is_refused: bool = False
    _next: float = math.inf
    _asked: float | None = None

    def begin(self, time: float) -> None:
        """Take note that this face passed at `time`."""
        self.is_refused, self._next, self._asked = False, time + AGAIN_SECONDS, None

    def is_due(self, time: float) -> bool:
        """Return whether liveness is to be asked now."""
        return time >= self._next

    def take(self, time: float, is_alive: bool | None) -> bool:  # noqa: FBT001
        """Take an answer, None for none yet; return whether the question is over."""
        self._asked = time if self._asked is None else self._asked
        # Asked on each frame until there is an answer, which takes some four of them.
        if is_alive is None and time - self._asked < PATIENCE_SECONDS:
            return False
        # Without an answer the last one stands: who turns away is not thereby found alive, nor refused.
        if is_alive is not None:
            self.is_refused = not is_alive
        self._asked = None
        self._next = time + (SOON_SECONDS if self.is_refused else AGAIN_SECONDS)
        return True
