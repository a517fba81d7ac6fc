"""Interlaced recordings: the picture is the one that was recorded, or it is refused in words."""

import shutil
import subprocess
from itertools import pairwise

import numpy as np
import pytest

from edge.camera.file import VideoFile
from edge.camera.opencv import OpenCvCamera
from edge.errors import CameraLost
from edge.runtime.clock import ManualClock
from edge.words import message
from tests.present import present

FFMPEG = shutil.which("ffmpeg") or ""
pytestmark = pytest.mark.skipif(not FFMPEG, reason="no ffmpeg to make recordings with")

FIELDS = "testsrc2=size=720x576:rate=50:duration=0.4,tinterlace=interleave_top,fieldorder=tff"
INTERLACED = {
    "mpeg2.ts": "-c:v mpeg2video -flags +ilme+ildct -q:v 3",
    "mpeg4.avi": "-c:v mpeg4 -flags +ilme+ildct -q:v 3",
    "h264.mp4": "-c:v libx264 -flags +ilme+ildct -x264opts tff=1 -pix_fmt yuv420p",
    "h264.mkv": "-c:v libx264 -flags +ilme+ildct -x264opts tff=1 -pix_fmt yuv422p",
    "dv.avi": "-c:v dvvideo -pix_fmt yuv420p",
    "ffv1.mkv": "-c:v ffv1 -flags +ilme+ildct -pix_fmt yuv420p",
    "prores.mov": "-c:v prores_ks -flags +ilme+ildct -pix_fmt yuv422p10le",
    "yuyv.mkv": "-c:v rawvideo -pix_fmt yuyv422 -field_order tt",
    "v210.mov": "-c:v v210 -field_order tt",
}
STILL = "color=gray:size=320x240:rate=25:duration=0.4"
PROGRESSIVE = {
    "moving.mp4": ("testsrc2=size=320x240:rate=25:duration=0.4", "-c:v libx264 -pix_fmt yuv420p"),
    "still.mp4": (STILL, "-c:v libx264 -pix_fmt yuv420p"),
    "still.mkv": (STILL, "-c:v libx264 -pix_fmt yuv422p10le"),
    "still.avi": (STILL, "-c:v mjpeg -pix_fmt yuvj420p"),
    "black.mp4": (STILL.replace("gray", "black"), "-c:v libx264 -pix_fmt yuv420p"),
    "black.avi": (STILL.replace("gray", "black"), "-c:v mjpeg -pix_fmt yuvj420p"),
}
LIKE = 4.0
"""Mean difference of a byte, by how decoders round; another picture differs by a hundred."""


def made(path, source, codec):
    words = [FFMPEG, "-v", "error", "-y", "-f", "lavfi", "-i", source, *codec.split(), str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this ffmpeg cannot make it: {done.stderr[-200:]}")
    return path


def read(path):
    camera, images = VideoFile(path), []
    while (frame := camera.read()) is not None:
        images.append(frame.image)
    camera.close()
    return images


def decoded(path, shape):
    """Return the pictures as FFmpeg itself decodes them."""
    scale = f"setfield=prog,scale={shape[1]}:{shape[0]}"
    words = [
        present(FFMPEG),
        "-v",
        "error",
        "-i",
        str(path),
        "-vf",
        scale,
        "-pix_fmt",
        "bgr24",
        "-f",
        "rawvideo",
        "-",
    ]
    raw = subprocess.run(words, capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).reshape(-1, *shape)


def assert_alike(path, images):
    for real, image in zip(decoded(path, images[0].shape), images, strict=False):
        assert np.abs(real.astype(int) - image).mean() < LIKE


@pytest.mark.parametrize("name", INTERLACED)
def test_an_interlaced_recording_is_read_or_refused(tmp_path, name):
    path = made(tmp_path / name, FIELDS, INTERLACED[name])
    try:
        images = read(path)
    except CameraLost:
        with pytest.raises(CameraLost, match=f"{name}: interlaced"):
            read(path)
    else:
        assert_alike(path, images)


@pytest.mark.parametrize("name", PROGRESSIVE)
def test_no_other_recording_is_refused(tmp_path, name):
    path = made(tmp_path / name, *PROGRESSIVE[name])
    images = read(path)
    assert len(images) == 10
    assert_alike(path, images)


SWITCHING = {
    "mpeg2.ts": ("-c:v mpeg2video -q:v 3", "-c:v mpeg2video -flags +ilme+ildct -q:v 3"),
    "h264.h264": (
        "-c:v libx264 -pix_fmt yuv420p",
        "-c:v libx264 -flags +ilme+ildct -x264opts tff=1 -pix_fmt yuv420p",
    ),
}


@pytest.mark.parametrize("size", ["720x576", "320x240"])
@pytest.mark.parametrize("name", SWITCHING)
def test_an_encoder_that_switches_to_interlaced_video_is_found_at_once(tmp_path, name, size):
    """The same stream goes on in another way, as when a camera is set up anew while it is connected."""
    before, after = SWITCHING[name]
    path = tmp_path / name
    first = made(tmp_path / f"first-{name}", f"testsrc2=size={size}:rate=25:duration=0.4", before)
    second = made(tmp_path / f"second-{name}", FIELDS, after)
    path.write_bytes(first.read_bytes() + second.read_bytes())
    whole, images = len(read(first)), []
    camera, told = VideoFile(path), ""
    try:
        while (frame := camera.read()) is not None:
            images.append(frame.image)
    except CameraLost as refused:
        told = str(refused)
    camera.close()
    assert f"{name}: interlaced" in told or len(images) > whole
    if not told:
        assert_alike(path, images)
    assert whole - 2 <= len(images)  # the decoder keeps some back while it looks for the next size
    assert_alike(first, images[:whole])
    assert all((one != other).any() for one, other in pairwise(images))


def test_a_camera_that_sends_such_video_is_closed_and_told():
    class Interlaced:
        """A capture that finds so at its first picture."""

        is_open = True

        def isOpened(self):
            return True

        def get(self, _property):
            return 0.0

        def read(self):
            raise CameraLost(message("camera.interlaced", name="gate"))

        def release(self):
            self.is_open = False

    capture = Interlaced()
    with pytest.raises(CameraLost, match="progressive"):
        OpenCvCamera("gate", lambda: capture, ManualClock())
    assert not capture.is_open
