"""What people are told about the door's clock: when it cannot be right, and when it is again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.runtime.clock_trust import WORTH_TELLING

if TYPE_CHECKING:
    from edge.runtime.clock_trust import TrustedTime

WAY_OUT = "facegate clock shows why, facegate clock --confirm ends it once the time is right"


class ClockNews:
    """Says once that a clock is far from what is certain, and once that it is not any more. One thread."""

    def __init__(self) -> None:
        self._state = "ok"

    def look(self, time: TrustedTime) -> dict[str, Any] | None:
        """Return the data of a `health.clock` event when something changed, else None."""
        ahead = time.ahead
        state = "ok"
        if ahead is not None and ahead > WORTH_TELLING:
            state = "ahead"
        elif ahead is not None and ahead < -WORTH_TELLING:
            state = "behind"
        if state == self._state:
            return None
        self._state = state
        if ahead is None or state == "ok":
            return {"state": state}
        days = round(abs(ahead.total_seconds()) / 86_400.0, 1)
        return {"state": state, "days": days, "way_out": WAY_OUT}
