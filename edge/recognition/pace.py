"""How often to look: seldom while nothing happens, at the camera's pace while somebody waits."""

from __future__ import annotations

from dataclasses import dataclass

TOLERANCE_SECONDS = 0.005
"""Frames of a 30 Hz camera jitter by a few milliseconds; a look due now is not put off a frame."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to look, in looks per second.

    `busy` at most, while somebody wants a look; `settled` at least, while a face is in view; `idle`
    while things move but there is no face (a visitor is then seen 0.1 s later on average);
    `still` when nothing moves at all.
    """

    busy: float = 15.0
    idle: float = 5.0
    settled: float = 4.0
    still: float = 1.0

    def next_look(self, time: float, wanted: float | None) -> float:
        """Return when to look again after `time`; `wanted` is when a visitor next does, None without one.

        In monotonic seconds.
        """
        if wanted is None:
            at = time + 1 / self.idle
        else:
            # Also while everybody in view rests: a face that is not looked at for longer than
            # `tracker.STEADY_GAP_SECONDS` may be another one, and what was learned of it would be dropped.
            at = min(max(wanted, time + 1 / self.busy), time + 1 / self.settled)
        return at - TOLERANCE_SECONDS
