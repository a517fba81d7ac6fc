"""Faces in the live view: where, how good, how far; nobody is named there and nothing is matched."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.faces.quality import QualityLimits, measure

if TYPE_CHECKING:
    from edge.domain import Box, Face, Frame, Quality
    from edge.ports import Clock, Detector

LOOK_SECONDS = 0.4
"""Between two looks, however many watch: a detection is what a viewer costs the door."""

HEAD_METRES = 0.063
"""Distance of an adult's pupils, the mean of the ANSUR survey."""

LENSES_DEGREES = (50, 60, 70, 90, 110)
"""What lenses of webcams and gate cameras see across, as their makers give it."""

WIDTHS_PX = (640, 1280, 1920)


def focal_widths(degrees: float) -> float:
    """Return the focal length, in widths of the picture, of a lens that sees so many degrees across."""
    return 0.5 / math.tan(math.radians(degrees) / 2)


def reach_metres(width_px: int, degrees: float, eyes_px: float) -> float:
    """Return how far a face may be for its eyes to be `eyes_px` apart in a picture `width_px` wide.

    Geometry: in the middle of the picture, looking ahead, without the distortion of very wide lenses.
    """
    return HEAD_METRES * focal_widths(degrees) * width_px / eyes_px


TYPICAL_FOCAL_WIDTHS = focal_widths(60)
"""Of a lens that sees 60 degrees across, as most of these cameras do."""


@dataclass(frozen=True, slots=True)
class SeenFace:
    """One face: its box in pixels of the frame, its quality, and how far it is, in metres, roughly."""

    box: Box
    quality: Quality
    metres: float


class FaceOverlay:
    """Looks at frames for whoever watches. Any thread; `limits` are the door's own."""

    def __init__(self, detector: Detector, clock: Clock, limits: QualityLimits | None = None) -> None:
        self._detector = detector
        self._clock = clock
        self._limits = limits or QualityLimits()
        self._lock = threading.Lock()
        self._faces: tuple[SeenFace, ...] = ()
        self._looked_at = float("-inf")

    @property
    def least_eyes_px(self) -> float:
        """Pixels between the eyes from which a face is judged."""
        return self._limits.min_interocular_px

    def faces(self, frame: Frame) -> tuple[SeenFace, ...]:
        """Return the faces of this frame or of one shown just before, best first."""
        now = self._clock.monotonic()
        with self._lock:
            # One detection for all viewers, however many there are.
            if now - self._looked_at >= LOOK_SECONDS:
                self._looked_at = now
                self._faces = tuple(self._seen(frame, face) for face in self._detector.detect(frame.image))
            return self._faces

    def _seen(self, frame: Frame, face: Face) -> SeenFace:
        quality = measure(frame.image, face, self._limits)
        focal_px = TYPICAL_FOCAL_WIDTHS * frame.image.shape[1]
        return SeenFace(face.box, quality, HEAD_METRES * focal_px / max(quality.interocular_px, 1.0))
