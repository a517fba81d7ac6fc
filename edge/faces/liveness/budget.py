"""How many faces may be scored: the networks must not starve the camera when a crowd stands there."""

from __future__ import annotations

from dataclasses import dataclass

SCORES_PER_SECOND = 15.0
"""As many as one face at the pipeline's pace: about 200 ms of CPU a second on x86."""

MOST_AT_ONCE = 3
"""A slow camera brings few frames, so that several faces share one of them."""


@dataclass(slots=True)
class ScoringBudget:
    """Faces that may still be scored on this frame. Who asks first is served first. One thread."""

    left: int = 0
    at: float = float("-inf")

    def take(self, time: float) -> bool:
        """Return whether one more face may be scored on the frame of `time`, monotonic seconds."""
        if time != self.at:
            share = min((time - self.at) * SCORES_PER_SECOND, float(MOST_AT_ONCE))
            self.left, self.at = max(round(share), 1), time
        self.left -= 1
        return self.left >= 0
