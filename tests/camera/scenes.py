"""Pictures and clips that the camera tests draw themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.domain import Frame

if TYPE_CHECKING:
    from pathlib import Path

    from edge.domain import Image

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def scene(seed: int = 0, size: tuple[int, int] = (160, 120)) -> Image:
    """A picture with edges, light and sensor noise; another `seed`, other noise."""
    width, height = size
    image = np.full((height, width, 3), 90, np.uint8)
    for index in range(0, width, 16):
        cv2.rectangle(image, (index, 0), (index + 7, height), (200, 180, 160), -1)
    cv2.circle(image, (width // 2, height // 2), height // 4, (60, 90, 200), -1)
    noise = np.random.default_rng(seed).integers(-6, 7, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def plain(level: int, noise: int = 2, seed: int = 0, size: tuple[int, int] = (160, 120)) -> Image:
    """A picture of one grey level with sensor noise: darkness, glare or a covered lens."""
    drawn = level + np.random.default_rng(seed).integers(-noise, noise + 1, (size[1], size[0], 3))
    return np.clip(drawn, 0, 255).astype(np.uint8)


def frame(image: Image, time: float, seq: int = 0) -> Frame:
    return Frame(image, seq, time, START + timedelta(seconds=time))


def write_clip(path: Path, frames: int = 12, fps: float = 10.0, codec: str = "MJPG") -> Path:
    """Write a clip of `scene`s at 160x120."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, (160, 120))
    assert writer.isOpened(), codec
    for seed in range(frames):
        writer.write(scene(seed))
    writer.release()
    return path
