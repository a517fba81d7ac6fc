"""A recording played as if it were live, for demonstrations and long runs without a camera."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.domain import Frame
    from edge.ports import Camera, Clock


class Playback:
    """A recording at its own pace, stamped with the clock instead of the file's time.

    `open_recording` is called at once and again for every round when `loop` is True. `sleep`
    waits until a frame is due (tests pass a clock's `advance`). One thread.
    """

    def __init__(
        self,
        open_recording: Callable[[], Camera],
        clock: Clock,
        *,
        loop: bool = False,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._open_recording = open_recording
        self._clock = clock
        self._loop = loop
        self._sleep = sleep
        self._seq = 0
        self._recording = open_recording()
        self._began: float | None = None

    def read(self) -> Frame | None:
        """Return the next frame when it is due, or None at the end. Raises `CameraLost`."""
        frame = self._recording.read()
        # A recording that gave no frame at all is not begun again, without end.
        if frame is None and self._loop and self._began is not None:
            self._rewind()
            frame = self._recording.read()
        return None if frame is None else self._present(frame)

    def close(self) -> None:
        """Close the recording. Safe to call twice."""
        self._recording.close()

    def _rewind(self) -> None:
        self._recording.close()
        self._recording = self._open_recording()
        self._began = None  # the file's time begins again, the clock's goes on

    def _present(self, frame: Frame) -> Frame:
        # Less the file's own time: a recording that begins at 3 s is played at once, not after three seconds.
        if self._began is None:
            self._began = self._clock.monotonic() - frame.time
        wait = self._began + frame.time - self._clock.monotonic()
        if wait > 0:
            self._sleep(wait)
        self._seq += 1
        return replace(frame, seq=self._seq - 1, time=self._clock.monotonic(), at=self._clock.now())
