"""Pixels that are not square are made square, from recordings and cameras."""

from __future__ import annotations

import shutil
import subprocess

import cv2
import numpy as np
import pytest

from edge.camera.file import VideoFile
from edge.camera.pixels import pixel_aspect, squared


class Stream:
    """A stream that says this about its pixels."""

    def __init__(self, wide: float, high: float) -> None:
        self.said = {cv2.CAP_PROP_SAR_NUM: wide, cv2.CAP_PROP_SAR_DEN: high}

    def get(self, prop: int) -> float:
        return self.said[prop]


@pytest.mark.parametrize(
    ("wide", "high", "aspect"),
    [
        (2, 1, 2.0),
        (10, 11, 10 / 11),
        (1, 1, 1.0),
        (0, 1, 1.0),
        (1, 0, 1.0),
        (-1, 1, 1.0),
        (float("nan"), 1, 1.0),
        (100, 1, 1.0),
        (101, 100, 1.0),
    ],
)
def test_only_a_sane_ratio_counts(wide, high, aspect):
    assert pixel_aspect(Stream(wide, high)) == pytest.approx(aspect)


def test_a_picture_is_widened_or_heightened_never_reduced():
    image = np.zeros((100, 60, 3), np.uint8)
    assert squared(image, 2.0).shape == (100, 120, 3)
    assert squared(image, 0.5).shape == (200, 60, 3)
    assert squared(image, 1.0) is image


def test_a_recording_with_half_as_many_columns_is_read_as_it_is_shown(tmp_path):
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        pytest.skip("ffmpeg is not installed")
    clip = tmp_path / "narrow.mp4"
    source = ["-f", "lavfi", "-i", "testsrc=size=160x240:rate=5", "-t", "1", "-vf", "setsar=2/1"]
    subprocess.run([ffmpeg, "-loglevel", "error", *source, "-c:v", "libx264", clip], check=True)
    video = VideoFile(clip)
    frame = video.read()
    video.close()
    assert video.size == (320, 240)
    assert frame is not None
    assert frame.image.shape == (240, 320, 3)
