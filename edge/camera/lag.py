"""How far behind the present a stream's frames are when they arrive."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

LARGEST_STEP_SECONDS = 0.25
"""Stamps that run ahead of the clock by more between two frames are the camera setting its clock."""

LEAK_PER_SECOND = 0.001
"""Two quartz clocks differ by up to 100 ppm: forgetting ten times that keeps a day of drift from
adding up, and no overload worth the name is that small."""

IDLE_SHARE = 0.2
"""Who waits for frames a fifth of the time reads and decodes fast enough. Measured over a second,
because a busy machine makes a thread wait for its turn as well."""

LIVE_WAIT_SECONDS = 0.008
"""A read that waits this long for its frame has taken all there was: faster than any camera up to
60 fps and the decoding of its frame."""

TRUST_SECONDS = 10.0
TRUST_RATIO = 0.003
"""Stamps that pass as the clock does for so long, within so much, are right, and stay so: what
arrives late from then on is late."""

EVEN_FRAMES = 16
EVEN_RATIO = 1.5
"""Frames come evenly when no gap among the last ones is longer than this many times their mean. A link
that is too narrow brings large frames later than small ones."""

DISAGREE_RATIO = 0.02
MOST_UNPROVEN_SECONDS = 3.0
"""Frames of one size come evenly over a narrow link, too. What their stamps seem to be late by is put down
to the camera for so long; then a whole picture, several times larger, must come as quickly as the others."""


@dataclass(slots=True)
class Stamps:
    """What is known of a camera's time stamps, over all its connections.

    Some cheap cameras stamp 25 fps and send 20, always: their stamps say nothing. A camera whose
    stamps once passed as the clock does is another matter: when they fall behind, it is the link, unless
    a whole picture shows that the link has room. Many cameras send fewer frames at night, or once set to,
    and stamp them as before.
    """

    are_right: bool = False
    _passed: float = 0.0
    _stamped: float = 0.0

    def observe(self, passed: float, stamped: float) -> None:
        """Take what passed between two frames, by the clock and by their stamps, in seconds."""
        # A camera that sets its clock, or has none, begins the measurement anew and proves nothing.
        if not 0 < stamped <= passed + LARGEST_STEP_SECONDS:
            self._passed = self._stamped = 0.0
            return
        self._passed += passed
        self._stamped += stamped
        if self._passed >= TRUST_SECONDS:
            # Right once, right for good: what disagrees from then on is late, until `refute` shows otherwise.
            self.are_right = self.are_right or abs(self._stamped / self._passed - 1) <= TRUST_RATIO
            self._passed = self._stamped = 0.0

    def refute(self) -> None:
        """Take note that they run on while the link has room: they say nothing until they are right again."""
        self.are_right = False
        self._passed = self._stamped = 0.0


@dataclass(frozen=True, slots=True)
class _Step:
    """What passed from one frame to the next, by the clock and by their stamps, in seconds."""

    passed: float
    stamped: float
    is_whole: bool | None


@dataclass(slots=True)
class LagMeter:
    """Adds up how much later each frame arrives than its own time stamp says it should.

    `seconds` is the lag so far. It grows when reader or decoder are too slow, so that frames queue
    up here, and when the link is too narrow, so that they queue up on the way, where waiting for them
    proves nothing. Stamps that were never right are not held against a camera whose frames come evenly.
    """

    stamps: Stamps = field(default_factory=Stamps)
    seconds: float = 0.0
    _stamp: float | None = None
    _arrived: float = 0.0
    _idle_share: float = 0.0
    _unproven: float = 0.0
    _steps: deque[_Step] = field(default_factory=lambda: deque(maxlen=EVEN_FRAMES))

    @property
    def is_idle(self) -> bool:
        """True when the reader mostly waits: what is late then was late on the way."""
        return self._idle_share >= IDLE_SHARE

    def observe(self, stamp: float, arrived: float, idle: float, *, is_whole: bool | None = None) -> float:
        """Take a frame's own time, its arrival and how long was idly waited for it; return the lag.

        All in seconds; `stamp` and `arrived` on scales of their own. `is_whole` tells a whole picture from
        one that says only what changed; None where that is not known.
        """
        if self._stamp is not None:
            passed, stamped = arrived - self._arrived, stamp - self._stamp
            # An average over about the last second, however many frames come in it.
            self._idle_share += (idle - self._idle_share * passed) / max(passed, 1.0)
            self._steps.append(_Step(passed, stamped, is_whole))
            self.stamps.observe(passed, stamped)
            self._add(passed, stamped)
        self._stamp, self._arrived = stamp, arrived
        # Waited for, by a reader with time to spare, and evenly: nothing queues up here, nor on the way.
        if idle >= LIVE_WAIT_SECONDS and self.is_idle and self._is_even():
            self._forgive()
        return self.seconds

    def _forgive(self) -> None:
        """Put down to the camera what its evenly coming frames are late by, if the link is not to blame."""
        has_room = self._has_room()
        if has_room and self.seconds > LARGEST_STEP_SECONDS and self._disagree():
            self.stamps.refute()
            self.seconds = 0.0
        self._unproven = 0.0 if has_room else self._unproven
        if self.stamps.are_right:
            return
        # Where whole pictures are not told from others none can prove anything: then the camera is believed.
        is_known = any(step.is_whole is False for step in self._steps)
        if not is_known or self._unproven + self.seconds <= MOST_UNPROVEN_SECONDS:
            self._unproven += self.seconds
            self.seconds = 0.0

    def _has_room(self) -> bool:
        """Return whether a whole picture came just now, as quickly as the smaller ones before it."""
        kinds = [step.is_whole for step in self._steps]
        return len(kinds) == EVEN_FRAMES and kinds[-1] is True and False in kinds

    def _disagree(self) -> bool:
        passed = sum(step.passed for step in self._steps)
        return passed - sum(step.stamped for step in self._steps) > DISAGREE_RATIO * passed

    def _add(self, passed: float, stamped: float) -> None:
        # Also below zero: frames that arrive faster than they were taken are a queue that empties. Stamps
        # that stand still, run back or leap ahead say nothing.
        late = passed - stamped
        if stamped > 0 and late >= -LARGEST_STEP_SECONDS:
            self.seconds = max(0.0, self.seconds + late - LEAK_PER_SECOND * passed)

    def _is_even(self) -> bool:
        gaps = [step.passed for step in self._steps]
        return max(gaps) * len(gaps) <= EVEN_RATIO * sum(gaps) if gaps else True
