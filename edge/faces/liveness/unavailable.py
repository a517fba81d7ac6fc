"""The liveness of a door whose networks are not there: no face passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.domain import Liveness, Reason

if TYPE_CHECKING:
    from edge.domain import Face, Frame


class Unavailable:
    """Liveness that could not be loaded: nobody passes by face alone, and the reason says why."""

    def __init__(self, why: str) -> None:
        self.why = why

    def observe(self, frame: Frame, face: Face, track_id: int, alone: bool) -> None:  # noqa: FBT001
        """Look at nothing."""

    def is_ready(self, track_id: int, resident_id: str | None = None) -> bool:  # noqa: ARG002
        """Return that the answer is known."""
        return True

    def assess(self, track_id: int, resident_id: str | None = None) -> Liveness | None:  # noqa: ARG002
        """Refuse with `PAD_UNAVAILABLE`."""
        return Liveness(False, None, Reason.PAD_UNAVAILABLE)

    def opinion(self, track_id: int) -> bool | None:
        """Have none."""

    def confirm(self, track_id: int, resident_id: str) -> None:
        """Take note of nothing: nobody passes."""

    def reset(self, track_id: int) -> None:
        """Forget nothing."""
