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


MAY_TELL = (
    *(cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_SAR_NUM, cv2.CAP_PROP_SAR_DEN),
    *(cv2.CAP_PROP_FORMAT, cv2.CAP_PROP_FOURCC, cv2.CAP_PROP_BITRATE, cv2.CAP_PROP_CODEC_PIXEL_FORMAT),
)
"""What a capture might say of the size of its pictures."""


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


def test_nothing_tells_that_the_size_changes_in_mid_stream(tmp_path):
    """OpenCV squeezes what follows into the size of the first picture, until the camera is opened anew.

    docs/troubleshooting.md says what to do. If this fails it is good news: OpenCV has begun to tell.
    """
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        pytest.skip("ffmpeg is not installed")
    stream = tmp_path / "camera.ts"
    with stream.open("wb") as file:
        for size in ("320x240", "640x360"):
            source = ["-f", "lavfi", "-i", f"testsrc=size={size}:rate=15", "-t", "1"]
            made = [ffmpeg, "-loglevel", "error", *source, "-c:v", "mpeg2video", "-f", "mpegts", "-"]
            file.write(subprocess.run(made, check=True, capture_output=True).stdout)
    capture, seen, images = cv2.VideoCapture(str(stream), cv2.CAP_FFMPEG), set(), []
    while (read := capture.read())[0]:
        images.append(read[1])
        seen.add((read[1].shape, *(capture.get(prop) for prop in MAY_TELL)))
    capture.release()
    assert len(images) > 20
    assert [shape for shape, *_ in seen] == [(240, 320, 3)]
