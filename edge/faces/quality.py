"""How good one face is for comparison: pose from five landmarks, light and sharpness from pixels.

Geometry costs nothing and decides first; pixels are looked at only for a face that may be
compared next.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.domain import Box, Face, Flaw, Quality

if TYPE_CHECKING:
    from edge.domain import Image, Landmarks

NOSE_DEPTH = 0.55
"""Nose tip in front of the eyes, in eye distances: 35 mm against 63 mm in adults."""

NOSE_DROP = 0.494
"""Height of the nose tip between eyes (0) and mouth (1) on a frontal face: the alignment template's."""

EYE_TO_MOUTH = 1.16
"""From the middle of the eyes to that of the mouth, in eye distances, in the same face."""

NOSE_DEPTH_VERTICAL = 0.43
"""Nose protrusion over the eye-mouth height, for the same adult face."""

CUT_SHARE = 0.1
"""Detectors draw their boxes a little generously; from here on something of the face is missing."""

PATCH_PX = 64
"""The face is measured at this size, so that sharpness does not depend on distance."""


@dataclass(frozen=True, slots=True)
class Zone:
    """The part of the picture where a face means intent, in fractions of width and height."""

    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0

    def contains(self, box: Box, width: int, height: int) -> bool:
        """Return whether the centre of `box` lies in the zone of a picture of this size."""
        x, y = box.centre
        return self.left <= x / width <= self.right and self.top <= y / height <= self.bottom


@dataclass(frozen=True, slots=True)
class QualityLimits:
    """The least a face must be to be compared: also the intent gate. What was measured stands below each.

    Portraits and people without a word more are LFW's.
    """

    min_interocular_px: float = 20.0
    """Below it a clip of a walking person gave similarities under 0.5 to her own templates, above it 0.53 to
    0.73."""
    max_yaw_deg: float = 35.0
    """Beyond it the far eye is guessed."""
    max_pitch_deg: float = 35.0
    """As the yaw. Of 1,302 portraits none has more than 27; the 7 of 20 and more had 0.53 to 0.60 to another
    photo (median), those below 0.55 to 0.67. Beyond it nothing was measured."""
    max_roll_deg: float = 40.0
    """Of 260 people 95 % reached 0.40 to another photo of theirs; tilted by 20 degrees 90 %, by 30 56 %, by
    40 28 %. Strangers were no more alike (99.9 % under 0.30 at each), and whom a tilt hides is not called
    one: of 77 who were missed at 40 the network hardly saw 75 (`Model.clear_norm`)."""
    min_score: float = 0.7
    """Of 120 portraits 99 % have 0.89 and more."""
    min_sharpness: float = 0.02
    """Refuses what has no structure: portraits out of focus by up to 0.12 of the face's width have more."""
    clear_sharpness: float = 0.17
    """Nobody is called a stranger by a face that is less sharp: of upscaled portraits 99 % have 0.215 and
    more, smeared over a sixth of their width half have 0.14 and less, and 76 % are then not recognised."""
    min_brightness: float = 15.0
    """At 16 to 30 four people had 0.84 to 0.89 to their own templates (0.87 to 0.94 in full light), and 240
    strangers were no more alike to 376 residents at 14 (99 % under 0.385) than in full light (0.382)."""
    max_brightness: float = 235.0
    """Of overexposed portraits at 220 to 235 39 % reached 0.44 to another photo, beyond it 8 %."""
    zone: Zone = Zone()


def pose(landmarks: Landmarks) -> tuple[float, float, float]:
    """Return (yaw, pitch, roll) in degrees from five landmarks, signs as in `Quality`.

    The nose tip's offset from the middle of the eyes follows the yaw of a turning head with a
    correlation of 0.85 to 0.98; good for gates and prompts, not for measuring heads.
    """
    right_eye, left_eye, nose, right_mouth, left_mouth = landmarks.astype(np.float64)
    across = left_eye - right_eye
    eye_distance = max(float(np.hypot(*across)), 1e-6)
    middle = (right_eye + left_eye) / 2
    down = (right_mouth + left_mouth) / 2 - middle
    height = max(float(np.hypot(*down)), 1e-6)
    sideways = float((nose - middle) @ across) / eye_distance**2
    drop = float((nose - middle) @ down) / height**2
    # A nose that stands out by so much moves aside by as much times the tangent of the turn.
    yaw = math.degrees(math.atan(sideways / NOSE_DEPTH))
    pitch = math.degrees(math.atan((NOSE_DROP - drop) / NOSE_DEPTH_VERTICAL))
    roll = math.degrees(math.atan2(float(across[1]), float(across[0])))
    return yaw, pitch, roll


def intent_flaws(face: Face, limits: QualityLimits, width: int, height: int) -> tuple[Flaw, ...]:
    """Return what geometry alone says against comparing `face` in a picture of this size.

    This is the intent gate: who is far off, looking away or outside the zone is a passer-by and
    is never embedded.
    """
    yaw, pitch, roll = pose(face.landmarks)
    flaws = []
    if face_scale_px(face) < limits.min_interocular_px:
        flaws.append(Flaw.TOO_FAR)
    if abs(yaw) > limits.max_yaw_deg or abs(pitch) > limits.max_pitch_deg or abs(roll) > limits.max_roll_deg:
        flaws.append(Flaw.NOT_FACING)
    if not limits.zone.contains(face.box, width, height):
        flaws.append(Flaw.OUTSIDE_ZONE)
    if not _landmarks_inside(face.landmarks, width, height):
        flaws.append(Flaw.AT_EDGE)
    return tuple(flaws)


def face_scale_px(face: Face) -> float:
    """Return the eye distance the face would have if it looked straight ahead, in pixels.

    A turned head shortens the eye distance but not the eye-mouth height, and the other way
    round for a nod; the larger of the two says how near the person is.
    """
    right_eye, left_eye, _, right_mouth, left_mouth = face.landmarks
    height = float(np.hypot(*((right_mouth + left_mouth - right_eye - left_eye) / 2)))
    return max(face.interocular_px, height / EYE_TO_MOUTH)


def measure(image: Image, face: Face, limits: QualityLimits) -> Quality:
    """Return the full quality of `face` in `image`, with every flaw named.

    Sharpness is the mean absolute Laplacian of the face at 64x64 over its standard deviation:
    unitless, independent of contrast and distance.
    """
    height, width = image.shape[:2]
    # Again, of the landmarks of the close-up: a glance gives coarse ones.
    flaws = list(intent_flaws(face, limits, width, height))
    sharpness, brightness = _light(image, face.box)
    if face.score < limits.min_score:
        flaws.append(Flaw.LOW_SCORE)
    if brightness < limits.min_brightness:
        flaws.append(Flaw.TOO_DARK)
    if brightness > limits.max_brightness:
        flaws.append(Flaw.TOO_BRIGHT)
    if sharpness < limits.min_sharpness:
        flaws.append(Flaw.BLURRED)
    yaw, pitch, roll = pose(face.landmarks)
    return Quality(face.interocular_px, sharpness, yaw, pitch, roll, brightness, tuple(flaws))


def is_cut(box: Box, height: int, width: int) -> bool:
    """Say whether the edge of a picture of this size cuts off a tenth of a face: a chin, a cheek."""
    over = max(-box.left, box.right - width) / max(box.width, 1e-6)
    return max(over, max(-box.top, box.bottom - height) / max(box.height, 1e-6)) >= CUT_SHARE


def _light(image: Image, box: Box) -> tuple[float, float]:
    """Return (sharpness, mean brightness) of the face; (0, 0) when nothing of it is in the picture."""
    height, width = image.shape[:2]
    left, top = max(int(box.left), 0), max(int(box.top), 0)
    right, bottom = min(int(box.right), width), min(int(box.bottom), height)
    if right - left < 4 or bottom - top < 4:
        return 0.0, 0.0
    shrinking = right - left > PATCH_PX
    patch = cv2.resize(
        image[top:bottom, left:right],
        (PATCH_PX, PATCH_PX),
        interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR,
    )
    grey = cv2.cvtColor(patch, cv2.COLOR_BGR2GRAY)
    edges = cv2.Laplacian(grey, cv2.CV_32F)
    spread = max(float(grey.std()), 1.0)  # a face without any contrast is blurred, not sharp without end
    return float(np.abs(edges).mean()) / spread, float(grey.mean())


def _landmarks_inside(landmarks: Landmarks, width: int, height: int) -> bool:
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    return bool(low[0] >= 0 and low[1] >= 0 and high[0] < width and high[1] < height)
