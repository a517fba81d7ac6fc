"""Looks for visitor passes in the camera's pictures, in a thread that never delays recognition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.credentials.qr import QrReader
from edge.policy.passes import is_like_a_pass
from edge.runtime.slot import FrameSlot
from edge.runtime.worker import Worker

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from edge.domain import Frame
    from edge.ports import Clock

TAKE_SECONDS = 0.5
"""How long a frame is waited for before the thread reports that it is alive."""

NICE = 10
"""Faces first: where every core is busy, a pass is read a little later."""


class CodeWatch:
    """Reads codes in a thread of its own: one look costs 6 to 50 ms, on a small board several times that.

    `show` hands a frame over and never waits; of frames that come faster than looks, the newest counts.
    `take` gets each text, in the thread of `worker`.
    """

    def __init__(self, clock: Clock, take: Callable[[str], None]) -> None:
        self._slot = FrameSlot(clock)
        self._reader = QrReader(clock.monotonic, is_like_a_pass)
        self._take = take

    def show(self, frame: Frame) -> None:
        """Leave `frame` to be looked at. Any thread."""
        self._slot.put(frame)

    def step(self) -> None:
        """Look at the newest frame, or wait half a second for one."""
        # The slot refuses frames older than half a second: a pass opens for who stands there now.
        frame = self._slot.take(TAKE_SECONDS)
        text = self._reader.read(frame) if frame is not None else None
        if text is not None:
            self._take(text)

    def worker(self, stopping: threading.Event) -> Worker:
        """Return the thread, not yet started."""
        return Worker("codes", self.step, stopping=stopping, nice=NICE)
