"""What people are told about the door's clock: when it cannot be right, and when it is again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.runtime.clock_trust import WORTH_TELLING

if TYPE_CHECKING:
    from datetime import timedelta

    from edge.runtime.clock_trust import TrustedTime

WAY_OUT = "facegate clock shows why; once the time is right: facegate clock --confirm, or Health on the page"


class ClockNews:
    """Says once that a clock is unconfirmed or far off, and once that it is right again.

    One thread.
    """

    def __init__(self) -> None:
        self._state = "ok"

    def look(self, time: TrustedTime) -> dict[str, Any] | None:
        """Return the data of a `health.clock` event when something changed, else None."""
        state, off = _state(time)
        if state == self._state:
            return None
        self._state = state
        if state == "ok":
            return {"state": state}
        if off is None:
            return {"state": state, "way_out": WAY_OUT}
        seconds = abs(off.total_seconds())
        size = (
            {"hours": round(seconds / 3600.0, 1)}
            if state == "disputed"
            else {"days": round(seconds / 86_400.0, 1)}
        )
        return {"state": state, **size, "way_out": WAY_OUT}


def _state(time: TrustedTime) -> tuple[str, timedelta | None]:
    """Return how the clock stands, and by how much it is off where that is known."""
    disputed, ahead = time.disputed_by, time.ahead
    if disputed is not None:
        return "disputed", disputed
    if ahead is not None and abs(ahead) > WORTH_TELLING:
        return ("ahead" if ahead.total_seconds() > 0 else "behind"), ahead
    return ("unconfirmed" if time.is_unconfirmed else "ok"), None
