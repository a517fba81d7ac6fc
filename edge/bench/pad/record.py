"""Labelled presentations collected at the real door, in the layout that the evaluation reads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import cv2

from edge.errors import EvaluationRefused

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.domain import Frame
    from edge.ports import Camera

PLAIN = re.compile(r"[\w][\w .-]*")
FPS = 15.0
"""The pace at which the door looks; what a camera gives beyond it is left out."""


def place(folder: Path, species: str, person: str, stamp: str) -> Path:
    """Return where a new presentation goes: SPECIES/PERSON/STAMP.avi below `folder`.

    Raises `EvaluationRefused` when a name would leave the folder.
    """
    for what, name in (("species", species), ("person", person)):
        if not PLAIN.fullmatch(name):
            raise EvaluationRefused(f"{what} {name!r}: use letters, digits, spaces, dots and dashes")
    return folder / species / person / f"{stamp}.avi"


def record(camera: Camera, path: Path, seconds: float, on_frame: Callable[[Frame], None]) -> int:
    """Write `seconds` of `camera` to `path` and return the number of frames; the file is new.

    Raises `CameraLost` as the camera does, and `EvaluationRefused` when nothing could be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    writer: cv2.VideoWriter | None = None
    written, begun = 0, None
    try:
        while (frame := camera.read()) is not None:
            begun = frame.time if begun is None else begun
            if frame.time - begun >= seconds:
                break
            writer = writer or _writer(path, frame)
            due = int((frame.time - begun) * FPS + 1e-6) + 1
            while written < due:  # a slow camera's picture is held, so that time stays true
                writer.write(frame.image)
                written += 1
            on_frame(frame)
    finally:
        if writer is not None:
            writer.release()
    if not written:
        raise EvaluationRefused(f"{path}: the camera gave no picture; nothing was recorded")
    return written


def _writer(path: Path, frame: Frame) -> cv2.VideoWriter:
    """Open a Motion-JPEG file: every OpenCV can write it, and it leaves each picture alone."""
    height, width = frame.image.shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (width, height))
    if not writer.isOpened():
        raise EvaluationRefused(f"{path} cannot be written: choose a folder on a disk with room")
    return writer
