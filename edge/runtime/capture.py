"""Keeps a camera open, drains it, and hands on only frames that are new, whole and fresh."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from edge.domain import EventDraft, Frame
from edge.errors import CameraLost, FrameRefused
from edge.events import Kind
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.domain import Image
    from edge.ports import Camera, Clock
    from edge.runtime.slot import FrameSlot

logger = logging.getLogger(__name__)

FIRST_RETRY_SECONDS = 0.5
LAST_RETRY_SECONDS = 5.0
"""With 4 s for opening, a camera that returns is used again within 10 s."""

STEADY_SECONDS = 2.0
"""Frames for this long mean the camera is back."""

FLAPPING_SECONDS, LONGEST_STEADY_SECONDS = 60.0, 120.0
"""A camera that is lost again so soon after it was back has to be steady for twice as long the next time, two
minutes at most: a flapping one stays lost in the journal. Its frames count meanwhile."""

BLIND_SECONDS = 3.0
"""Nothing but refused frames for this long is a lost camera."""

FROZEN_RETRY_SECONDS = 60.0
"""A frozen picture is answered by reopening at once (an unplugged USB camera repeats its last
frame), then once a minute: over RTSP a scene without noise may really stand still."""

MAX_SILENCE_SECONDS = 10.0
"""For the worker that runs `Capture.step`: opening is bounded by 4 s, one read by 2 s, and one step
may reopen, skip what waited and read."""

WAIT_SLICE_SECONDS = 0.5
"""A step never waits longer, so that a lost camera does not look like a hung thread to the watchdog."""


class PictureWatch(Protocol):
    """Judges pictures over time; `edge.camera.check.PictureHealth` is one."""

    @property
    def is_repeat(self) -> bool:
        """True when the last frame equals the one before it in every pixel."""

    def check(self, image: Any) -> Image:
        """Return `image` as a (H, W, 3) uint8 BGR picture. Raises `FrameRefused`."""

    def observe(self, frame: Frame) -> str:
        """Take a frame and return `ok`, `frozen`, `black`, `white` or `covered`."""

    def reopened(self) -> None:
        """Take note that the camera was opened anew."""

    def restart(self) -> None:
        """End any alarm: the camera was lost."""


class Capture:
    """One camera's life: open, read, notice, reopen. `step` is for a `Worker`.

    `open_camera` opens it anew each time and raises `CameraLost`. Every change goes to `emit` as a
    `health.camera` event whose `state` is `lost`, `back`, `frozen`, `black`, `white`, `covered`
    or `ok`. Frames keep counting over reopenings. A frame that repeats the one before bit for bit
    is not handed on: it proves nothing about now. `wait` sleeps until told to stop.
    """

    def __init__(
        self,
        open_camera: Callable[[], Camera],
        slot: FrameSlot,
        clock: Clock,
        *,
        health: PictureWatch,
        emit: Callable[[EventDraft], object],
        wait: Callable[[float], object],
    ) -> None:
        self.frames = 0
        self.refused = 0
        self.repeated = 0
        self.opened = 0
        self.state = "ok"
        """What was last reported; `lost` while no frames come."""
        self.has_ended = False
        """True when a recording is over; `step` then only waits."""
        self._open_camera = open_camera
        self._slot = slot
        self._clock = clock
        self._health = health
        self._emit = emit
        self._wait = wait
        self._camera: Camera | None = None
        self._retry_seconds = FIRST_RETRY_SECONDS
        self._retry_at = clock.monotonic()
        self._steady_since = 0.0
        self._steady_wanted = STEADY_SECONDS
        self._back_at = float("-inf")
        self._good_at = 0.0
        self._unfreeze_at = clock.monotonic()

    def step(self) -> None:
        """Open the camera, or read one frame, or wait half a second for the next attempt."""
        if self.has_ended:
            self._wait(WAIT_SLICE_SECONDS)
        elif self._camera is not None:
            self._read(self._camera)
        elif (pause := self._retry_at - self._clock.monotonic()) > 0:
            self._wait(min(pause, WAIT_SLICE_SECONDS))
        else:
            self._open()

    def close(self) -> None:
        """Close the camera and tell the reader that no more frames come."""
        self._drop_camera()
        self._slot.close()

    def _open(self) -> None:
        try:
            self._camera = self._open_camera()
        except CameraLost as error:
            self._lose(error)
            return
        self.opened += 1
        self._health.reopened()
        self._steady_since = self._good_at = self._clock.monotonic()

    def _read(self, camera: Camera) -> None:
        try:
            frame = camera.read()
        except CameraLost as error:
            self._lose(error)
            return
        if frame is None:
            self._end()
            return
        try:
            # Numbered here, not by the camera, which begins again at 0 each time it is opened.
            self._hand_on(replace(frame, image=self._health.check(frame.image), seq=self.frames))
        except FrameRefused as error:
            self._refuse(error)

    def _hand_on(self, frame: Frame) -> None:
        # Other threads read it from here on.
        frame.image.setflags(write=False)
        self._good_at = self._clock.monotonic()
        # Repeats too: they are how a frozen picture is found.
        picture = self._health.observe(frame)
        if self._health.is_repeat:
            self.repeated += 1
        else:
            self.frames += 1
            self._slot.put(frame)
        self._settle(picture)

    def _settle(self, picture: str) -> None:
        """Report what changed; a camera that just came back must first be steady."""
        now = self._clock.monotonic()
        is_steady = now - self._steady_since >= STEADY_SECONDS
        if is_steady:
            self._retry_seconds = FIRST_RETRY_SECONDS
        if self.state == "lost":
            if now - self._steady_since >= self._steady_wanted:
                self._back_at = now
                self._report("back")
        # `back` also says that the picture is well, so `ok` right after it is not reported.
        elif picture != ("ok" if self.state == "back" else self.state):
            self._report(picture)
        if picture == "frozen" and now >= self._unfreeze_at:
            # The next attempt is a minute away, however this one ends.
            self._unfreeze_at = now + FROZEN_RETRY_SECONDS
            self._drop_camera()

    def _refuse(self, error: FrameRefused) -> None:
        self.refused += 1
        if self._clock.monotonic() - self._good_at >= BLIND_SECONDS:
            self._lose(CameraLost(message("camera.no_pictures", error=str(error))))

    def _lose(self, error: CameraLost) -> None:
        self._drop_camera()
        self._health.restart()
        self._retry_at = self._clock.monotonic() + self._retry_seconds
        self._retry_seconds = min(self._retry_seconds * 2, LAST_RETRY_SECONDS)
        if self.state != "lost":
            is_flapping = self._clock.monotonic() - self._back_at < FLAPPING_SECONDS
            longer = min(self._steady_wanted * 2, LONGEST_STEADY_SECONDS)
            self._steady_wanted = longer if is_flapping else STEADY_SECONDS
            logger.error("camera lost: %s", error)
            self._report("lost", **error.recorded("detail"))

    def _end(self) -> None:
        self.has_ended = True
        self.close()

    def _drop_camera(self) -> None:
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()

    def _report(self, state: str, **data: str) -> None:
        self.state = state
        self._emit(EventDraft.now(self._clock, Kind.HEALTH_CAMERA, {"state": state, **data}))
