"""Evidence from something better than the door's own camera: near infrared, depth, a second view.

A port and one worked example. The rule is that of the passive networks: enough valid readings
in the window, a mean of at least one half, and no reading at all is a failure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Protocol

from edge.domain import Liveness, Reason
from edge.errors import CameraLost
from edge.faces.liveness.fusion import THRESHOLD
from edge.faces.liveness.window import ENOUGH_LOOKS, LEAST_FRAMES, WINDOW_SECONDS, independent_looks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.domain import Box, Face, Frame
    from edge.ports import Camera, Detector, LivenessCheck

LATE_SECONDS = 0.1
"""A reading further from the frame than this is of another moment."""

PATIENCE_SECONDS = 3.0
OVERLAP = 0.3
"""Least overlap of the two cameras' faces once one is mapped onto the other."""


@dataclass(frozen=True, slots=True)
class SensorEvidence:
    """One reading: `score` 0..1, 1 = a living face; `time` monotonic seconds as in `Frame.time`."""

    score: float
    is_valid: bool
    time: float
    source: str


class PresenceSensor(Protocol):
    """Something that can say whether the face the door sees is there in the flesh."""

    @property
    def source(self) -> str:
        """A short name for events and reports."""

    def evidence(self, frame: Frame, face: Face) -> SensorEvidence:
        """Return what this sensor knows about `face` of `frame`; never raises, never waits."""


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Where a point of the door's picture lies in the second camera's: scale, then shift, in pixels."""

    scale: float = 1.0
    shift_x: float = 0.0
    shift_y: float = 0.0

    def onto(self, box: Box) -> Box:
        """Return `box` in the second camera's picture."""
        return type(box)(
            box.left * self.scale + self.shift_x,
            box.top * self.scale + self.shift_y,
            box.right * self.scale + self.shift_x,
            box.bottom * self.scale + self.shift_y,
        )


class NearInfrared:
    """A second camera that sees only near-infrared light: screens are dark there.

    A face of the door's camera with no face at its place in the infrared picture scores 0. A
    printed photograph may well show up: this is no defence against paper. One thread; `camera`
    may be a recording and must share the door camera's clock.
    """

    def __init__(self, camera: Camera, detector: Detector, placed: SideBySide | None = None) -> None:
        self._camera = camera
        self._detector = detector
        self._placed = placed or SideBySide()
        self._now: Frame | None = None
        self._next: Frame | None = None
        self._is_lost = False

    @property
    def source(self) -> str:
        """The name `near-infrared`."""
        return "near-infrared"

    def evidence(self, frame: Frame, face: Face) -> SensorEvidence:
        """Return 1 when a face is where `face` should be in the infrared picture, else 0."""
        self._catch_up(frame.time)
        # Of another moment it proves nothing: invalid, and too many invalid readings are a failure.
        seen = self._now
        if seen is None or abs(seen.time - frame.time) > LATE_SECONDS:
            return SensorEvidence(0.0, False, frame.time, self.source)
        place = self._placed.onto(face.box)
        found = any(other.box.iou(place) >= OVERLAP for other in self._detector.detect(seen.image))
        return SensorEvidence(float(found), True, seen.time, self.source)

    def _catch_up(self, time: float) -> None:
        """Read on to the last infrared frame that is not from after `time`."""
        while not self._is_lost:
            if self._next is None:
                self._next = self._read()
            if self._next is None or self._next.time > time:
                return
            self._now, self._next = self._next, None

    def _read(self) -> Frame | None:
        try:
            frame = self._camera.read()
        except CameraLost:
            frame = None
        self._is_lost = frame is None
        return frame


@dataclass(slots=True)
class _Readings:
    started: float
    last_seen: float
    by_source: dict[str, list[SensorEvidence]] = field(default_factory=dict)

    def add(self, reading: SensorEvidence, now: float) -> None:
        old = self.by_source.get(reading.source, [])
        usable = reading.is_valid and 0.0 <= reading.score <= 1.0 and abs(reading.time - now) <= LATE_SECONDS
        fresh = [one for one in old if now - one.time <= WINDOW_SECONDS]
        self.by_source[reading.source] = [*fresh, reading] if usable else fresh

    def mean(self, source: str) -> float:
        """Return the mean of enough readings, NaN while there are too few."""
        readings = self.by_source.get(source, [])
        is_enough = len(readings) >= LEAST_FRAMES and (
            independent_looks(one.time for one in readings) >= ENOUGH_LOOKS
        )
        return fmean(one.score for one in readings) if is_enough else math.nan


class SensorCheck:
    """Another check plus sensors, all of which must agree that the face is alive. One thread."""

    def __init__(self, inner: LivenessCheck, sensors: Sequence[PresenceSensor]) -> None:
        self._inner = inner
        self._sensors = sensors
        self._readings: dict[int, _Readings] = {}

    def observe(self, frame: Frame, face: Face, track_id: int, alone: bool) -> None:  # noqa: FBT001
        """Take one frame of a track, and one reading of every sensor."""
        self._inner.observe(frame, face, track_id, alone)
        readings = self._readings.setdefault(track_id, _Readings(frame.time, frame.time))
        readings.last_seen = frame.time
        for sensor in self._sensors:
            readings.add(sensor.evidence(frame, face), frame.time)

    def is_ready(self, track_id: int, resident_id: str | None = None) -> bool:
        """Return whether the inner check has an answer."""
        return self._inner.is_ready(track_id, resident_id)

    def assess(self, track_id: int, resident_id: str | None = None) -> Liveness | None:
        """Return the inner verdict, and a pass only when every sensor passes too.

        Where the inner check wants more (pictures without colour, say), the sensors are that.
        """
        verdict = self._inner.assess(track_id, resident_id)
        readings = self._readings.get(track_id)
        if verdict is None or readings is None or not (verdict.passed or verdict.wants_more):
            return verdict
        # Asked only once the inner check said yes, or that it wants more: sensors add to it and never
        # replace it.
        means = {sensor.source: readings.mean(sensor.source) for sensor in self._sensors}
        if any(math.isnan(mean) for mean in means.values()):
            is_late = readings.last_seen - readings.started > PATIENCE_SECONDS
            return Liveness(False, None, Reason.PAD_UNAVAILABLE, verdict.cues) if is_late else None
        cues = {**verdict.cues, **means}
        if min(means.values(), default=1.0) < THRESHOLD:
            return Liveness(False, verdict.score, Reason.PRESENTATION_ATTACK, cues)
        return Liveness(True, verdict.score, cues=cues)

    def opinion(self, track_id: int) -> bool | None:
        """Return what the inner check thinks."""
        return self._inner.opinion(track_id)

    def confirm(self, track_id: int, resident_id: str) -> None:
        """Tell the inner check whose face passed."""
        self._inner.confirm(track_id, resident_id)

    def reset(self, track_id: int) -> None:
        """Forget a track: it ended, jumped, or changed identity."""
        self._readings.pop(track_id, None)
        self._inner.reset(track_id)
