"""What makes a frame a picture, and a picture one that shows something."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from edge.camera.standing import StandingPicture
from edge.errors import FrameRefused

if TYPE_CHECKING:
    from edge.domain import Frame, Image

MIN_SIDE_PX = 32
"""Smaller pictures cannot hold a face that the detector finds (its stride is 32 px)."""

MAX_SIDE_PX = 8192
"""8K (7680 x 4320) and a little; anything larger is damage or an attack on memory."""

MAX_PIXELS = 7680 * 4320

SAMPLE_SECONDS = 0.5
"""Brightness and detail are looked at twice a second: 0.3 ms at 640x480, 7 ms at 1080p."""

HOLD_SECONDS = 3.0
"""Of a picture that shows nothing, before it is an alarm, which is due within 5 s."""

RECOVER_SECONDS = 10.0
"""Of a picture that shows something, before that is over: a scene on the edge must not flood the journal."""

DARKEST_MEAN = 16.0
"""Mean luminance of a picture without light; 16 is black in video range."""

BRIGHTEST_MEAN = 240.0

LEAST_DETAIL = 2.0
"""Mean step between neighbours of the 64x48 thumbnail, grey levels.

Measured: 3.6 was the least over 5,000 frames of 23 clips and 890 photos; a hand, a finger or a
cloth on the lens, simulated with sensor noise of 8 grey levels, stayed below 1.3.
"""


def validate_frame(image: Any) -> Image:
    """Return `image` as a contiguous (H, W, 3) uint8 BGR picture; grey and BGRA are converted.

    Raises `FrameRefused` naming what is wrong: not an array, not uint8, a shape that is no
    picture, a side under 32 px or over 8192 px, more pixels than 8K. Never raises anything else.
    """
    if not isinstance(image, np.ndarray):
        raise FrameRefused(f"frame is {type(image).__name__}, must be an array of pixels")
    if image.dtype != np.uint8:
        raise FrameRefused(f"frame is {image.dtype}, must be uint8 (0..255 per channel)")
    if image.ndim not in {2, 3} or (image.ndim == 3 and image.shape[2] not in {1, 3, 4}):
        raise FrameRefused(f"frame has shape {image.shape}, must be (H, W) or (H, W, 1, 3 or 4)")
    _check_size(image.shape[1], image.shape[0])
    return _as_bgr(image)


def _check_size(width: int, height: int) -> None:
    if min(width, height) < MIN_SIDE_PX:
        raise FrameRefused(f"frame is {width}x{height}, each side must be {MIN_SIDE_PX} px or more")
    if max(width, height) > MAX_SIDE_PX or width * height > MAX_PIXELS:
        raise FrameRefused(f"frame is {width}x{height}, must be 8K (7680x4320) or less")


def _as_bgr(image: Image) -> Image:
    channels = 1 if image.ndim == 2 else image.shape[2]
    if channels == 1:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR), dtype=np.uint8)
    if channels == 4:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGRA2BGR), dtype=np.uint8)
    return np.ascontiguousarray(image)


class PictureState(StrEnum):
    """What the camera shows, judged over time."""

    OK = "ok"
    FROZEN = "frozen"
    """The same picture, bit for bit: an unplugged or hung camera that still answers; or all but its clock."""
    BLACK = "black"
    WHITE = "white"
    COVERED = "covered"
    """No detail although there is light: a hand, tape or spray on the lens."""


def look(image: Image) -> PictureState:
    """Return what one (H, W, 3) BGR picture shows; never FROZEN, which takes two."""
    # Averaged, unlike the motion gate's thumbnail: single pixels of a covered lens are noise, and noise is
    # detail.
    small = cv2.resize(image, (64, 48), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.int16)
    if float(np.abs(np.diff(grey, axis=1)).mean()) >= LEAST_DETAIL:
        return PictureState.OK
    mean = float(grey.mean())
    if mean <= DARKEST_MEAN:
        return PictureState.BLACK
    return PictureState.WHITE if mean >= BRIGHTEST_MEAN else PictureState.COVERED


class PictureHealth:
    """Notices a frozen, black, white or covered picture. One camera, one thread.

    An alarm counts once its cause has held for `HOLD_SECONDS` and ends after `RECOVER_SECONDS` without one.
    Where a clock runs on in a frozen picture that takes a minute, see `StandingPicture`.
    Keep it over a reopening: a hung camera shows the same picture again.
    """

    def __init__(self) -> None:
        self.state = PictureState.OK
        self.is_repeat = False
        """True when the last frame equals the one before it in every pixel: it shows nothing new."""
        self._last: Frame | None = None
        self._standing = StandingPicture()
        self._is_standing = False
        self._shown = PictureState.OK
        self._sampled_at = -np.inf
        self._changed_at = 0.0
        self._dull_since: float | None = None
        self._well_since: float | None = None

    def check(self, image: Any) -> Image:
        """Return `image` as a picture, see `validate_frame`. Raises `FrameRefused`."""
        return validate_frame(image)

    def observe(self, frame: Frame) -> PictureState:
        """Take the next validated frame and return the state that holds now."""
        self.is_repeat = self._last is not None and _same_pixels(self._last.image, frame.image)
        self._last = frame
        if not self.is_repeat:
            self._changed_at = frame.time
        self._is_standing = self._standing.observe(frame)
        # 0 <=: after a step back of the clock at once, not after as long as the step was.
        if not 0 <= frame.time - self._sampled_at < SAMPLE_SECONDS:
            self._shown = look(frame.image)
            self._sampled_at = frame.time
        return self._settle(frame.time)

    def reopened(self) -> None:
        """Take note that the camera was opened anew: its first pictures do not end a frozen one."""
        self._standing.reopened()

    def restart(self) -> None:
        """End any alarm: the camera was lost. The same picture as before is still a repeat."""
        self.state = self._shown = PictureState.OK
        self._sampled_at = -np.inf
        self._dull_since = self._well_since = None

    def _settle(self, time: float) -> PictureState:
        alarm = self._alarm(time)
        if alarm is not PictureState.OK:
            self.state, self._well_since = alarm, None
        # Dull but not for long enough to alarm: not well either, so ten good seconds begin after it.
        elif self._dull_since is not None or self._well_since is None:
            self._well_since = time
        elif time - self._well_since >= RECOVER_SECONDS:
            self.state = PictureState.OK
        return self.state

    def _alarm(self, time: float) -> PictureState:
        if self._shown is PictureState.OK:
            self._dull_since = None
            is_frozen = self._is_standing or time - self._changed_at >= HOLD_SECONDS
            return PictureState.FROZEN if is_frozen else PictureState.OK
        # A frozen black picture is black: that says more about the cause.
        self._dull_since = time if self._dull_since is None else self._dull_since
        return self._shown if time - self._dull_since >= HOLD_SECONDS else PictureState.OK


def _same_pixels(one: Image, other: Image) -> bool:
    # 0.03 ms at 640x480, 0.16 ms at 1080p.
    return one.shape == other.shape and cv2.norm(one, other, cv2.NORM_INF) == 0
