"""The recording that a measured door sees: one resident after the other walks up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2

from edge.bench.gate.compose import Layer, Scene, walks_up
from edge.errors import EvaluationRefused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from edge.bench.gate.cast import Actor

LEAD_SECONDS = 6.0
"""An empty corridor first, in which the door settles after its start."""

STAY_SECONDS, EVERY_SECONDS = 5.0, 9.0
"""How long somebody is in view, and from one resident to the next: an opening (5 s) has ended by then."""

WALK_SECONDS, FAR_PX, NEAR_PX = 3.0, 40.0, 200.0
"""A walk-up: the face grows from the one width to the other as the distance falls evenly."""

NEAR_ENOUGH_PX = 90.0
"""From this width on somebody waits, as in the scenes of `edge.bench.gate`."""

JPEG_QUALITY = 90
"""As USB cameras send; decoding costs what it costs at a door."""


@dataclass(frozen=True, slots=True)
class WalkUps:
    """A written recording, and the second from which each resident is near enough."""

    path: Path
    seconds: float
    near: Mapping[str, float]


def write_walk_ups(residents: Sequence[Actor], path: Path) -> WalkUps:
    """Write a recording (Motion JPEG, 640x480 at 15 f/s) in which these people walk up one after the other.

    Raises `EvaluationRefused` where OpenCV cannot write it.
    """
    begins = {who.name: LEAD_SECONDS + number * EVERY_SECONDS for number, who in enumerate(residents)}
    reach = WALK_SECONDS * (1 - FAR_PX / NEAR_ENOUGH_PX) / (1 - FAR_PX / NEAR_PX)
    # They look at the camera from then on: the wait is to be the door's, not that of who looks elsewhere.
    layers = [
        Layer(
            who.facing_at(begins[who.name] + reach),
            walks_up(WALK_SECONDS, NEAR_PX, FAR_PX, begins[who.name], begins[who.name] + STAY_SECONDS),
        )
        for who in residents
    ]
    scene = Scene(LEAD_SECONDS + EVERY_SECONDS * len(layers), layers)
    _write(scene, path)
    # The first frame that shows it: a camera has no picture of the moments in between.
    near = {who: math.ceil((begin + reach) * scene.fps) / scene.fps for who, begin in begins.items()}
    return WalkUps(path, scene.seconds, near)


def _write(scene: Scene, path: Path) -> None:
    quality = [cv2.VIDEOWRITER_PROP_QUALITY, JPEG_QUALITY]
    code = cv2.VideoWriter.fourcc(*"MJPG")
    sink = cv2.VideoWriter(str(path), cv2.CAP_OPENCV_MJPEG, code, scene.fps, scene.size, quality)
    if not sink.isOpened():
        raise EvaluationRefused(f"{path}: this OpenCV cannot write a Motion JPEG recording")
    for frame in scene.frames():
        sink.write(frame.image)
    sink.release()
