"""How far behind the present a stream's reader has fallen."""

from __future__ import annotations

from dataclasses import dataclass

LARGEST_STEP_SECONDS = 0.25
"""A larger disagreement between two frames is the camera setting its clock, or a stall, which the
length of the read shows anyway."""

LEAK_PER_SECOND = 0.001
"""Two quartz clocks differ by up to 100 ppm: forgetting ten times that keeps a day of drift from
adding up, and no overload worth the name is that small."""

IDLE_SHARE = 0.2
"""Who waits for frames a fifth of the time has no backlog, whatever the stamps say: some cheap
cameras stamp 25 fps and send 20. Measured over a second, because a busy machine makes a thread
wait for its turn as well."""

LIVE_WAIT_SECONDS = 0.008
"""A read that waits this long for its frame has no backlog left: faster than any camera up to
60 fps and the decoding of its frame."""


@dataclass(slots=True)
class LagMeter:
    """Adds up how much later each frame arrives than its own time stamp says it should.

    `seconds` is the lag so far. It grows when reader or decoder are too slow, so that frames
    queue up in the network buffers, and is none while frames are idly waited for.
    """

    seconds: float = 0.0
    _stamp: float | None = None
    _arrived: float = 0.0
    _idle_share: float = 0.0

    def observe(self, stamp: float, arrived: float, idle: float) -> float:
        """Take a frame's own time, its arrival and how long was idly waited for it; return the lag.

        All in seconds; `stamp` and `arrived` on scales of their own.
        """
        if self._stamp is not None:
            passed = arrived - self._arrived
            self._idle_share += (idle - self._idle_share * passed) / max(passed, 1.0)
            self._add(passed, stamp - self._stamp)
        self._stamp, self._arrived = stamp, arrived
        if idle >= LIVE_WAIT_SECONDS and self._idle_share >= IDLE_SHARE:
            self.seconds = 0.0
        return self.seconds

    def _add(self, passed: float, stamped: float) -> None:
        late = passed - stamped
        if stamped > 0 and abs(late) <= LARGEST_STEP_SECONDS:
            self.seconds = max(0.0, self.seconds + late - LEAK_PER_SECOND * passed)
