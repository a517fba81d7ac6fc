"""The camera as the panel sees it: opened while somebody watches, closed soon after."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Protocol

from edge.errors import CameraLost
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.domain import Frame
    from edge.ports import Camera, Clock
    from edge.words import Message

LOG = logging.getLogger(__name__)

LEASE_SECONDS = 5.0
"""A browser asks several times a second; after five silent seconds nobody watches."""

RETRY_SECONDS = 1.0

STALE_SECONDS = 2.0
"""An older picture is no live view; the slowest camera sends one a second."""


class Feed(Protocol):
    """Where the panel gets frames from; the door service has one of its own."""

    def lease(self) -> None:
        """Keep frames coming: somebody watches now."""

    def newest(self) -> Frame | None:
        """Return the newest frame, or None while there is none."""

    @property
    def problem(self) -> Message | None:
        """What is wrong with the camera, or None."""


class DoorFeed:
    """The frames of the door's own camera, kept only while somebody watches.

    The recognising thread hands each frame to `see`, which costs a look at the clock; any thread
    asks. `problem` is what the door says about its camera.
    """

    def __init__(self, clock: Clock) -> None:
        self.problem: Message | None = None
        self._clock = clock
        self._leased_until = float("-inf")
        self._newest: Frame | None = None

    def lease(self) -> None:
        """Keep frames for the next seconds."""
        self._leased_until = self._clock.monotonic() + LEASE_SECONDS

    def see(self, frame: Frame) -> None:
        """Take the newest frame, if anybody watches; otherwise let go of the last one."""
        # No lock: both fields are single values, and the thread that recognises people must never wait for a
        # browser.
        self._newest = frame if frame.time < self._leased_until else None

    def newest(self) -> Frame | None:
        """Return the newest frame, or None while there is none or the camera is silent."""
        frame = self._newest
        is_old = frame is None or self._clock.monotonic() - frame.time > STALE_SECONDS
        return None if is_old else frame


class CameraFeed:
    """A camera of the panel's own, read by a thread that lives only while somebody watches."""

    def __init__(self, opener: Callable[[], Camera], clock: Clock) -> None:
        self.problem: Message | None = None
        self._opener = opener
        self._clock = clock
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._leased_until = float("-inf")
        self._stopping = threading.Event()
        self._newest: Frame | None = None

    def lease(self) -> None:
        """Keep the camera open for the next seconds, opening it if need be."""
        with self._lock:
            self._leased_until = self._clock.monotonic() + LEASE_SECONDS
            if self._thread is None and not self._stopping.is_set():
                self._thread = threading.Thread(target=self._run, name="panel-camera", daemon=True)
                self._thread.start()

    def newest(self) -> Frame | None:
        """Return the newest frame, or None while nobody watches."""
        return self._newest

    def close(self) -> None:
        """Close the camera and wait for the thread."""
        self._stopping.set()
        if (thread := self._thread) is not None:
            thread.join(timeout=5)

    def _run(self) -> None:
        while self._is_wanted():
            try:
                self._read_on()
            except CameraLost as error:
                self.problem = error.message
                LOG.warning("panel: %s", error)
                self._stopping.wait(RETRY_SECONDS)
            except Exception:  # the thread's outermost loop: were it to end, nobody would start another one
                self.problem = message("error.unexpected")
                LOG.exception("panel: the camera failed in a way nobody expected")
                self._stopping.wait(RETRY_SECONDS)

    def _read_on(self) -> None:
        camera = self._opener()
        try:
            while self._is_wanted() and (frame := camera.read()) is not None:
                self._newest, self.problem = frame, None
        finally:
            # No picture stays that would pass for a live view: here nobody asks how old it is.
            self._newest = None
            camera.close()

    def _is_wanted(self) -> bool:
        """Return whether to go on; the decision to stop and the thread's end are one step."""
        with self._lock:
            if not self._stopping.is_set() and self._clock.monotonic() < self._leased_until:
                return True
            # Within the lock: a browser that asks at this moment either finds the thread running or starts
            # another one.
            self._thread = None
            return False
