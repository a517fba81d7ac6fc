"""`facegate bench enrol` on recordings: enrolled, refused, and nothing to play."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from edge.bench.enrolment import _looped
from edge.cli import app
from tests.places import need_models, shared_data


def bench(*words):
    return CliRunner().invoke(app, ["bench", "enrol", *map(str, words)])


@pytest.mark.models
@pytest.mark.shared
def test_a_recording_too_short_for_a_session_is_played_again_and_again():
    need_models("yunet", "sface")
    result = bench(shared_data("video", "intel_headpose_female.mp4"), "--liveness", "off")

    assert result.exit_code == 0, result.output
    assert "intel_headpose_female.mp4: enrolled" in result.output
    assert "1 of 1 enrolled, liveness off" in result.output


@pytest.mark.models
def test_a_recording_of_nobody_is_refused(tmp_path):
    need_models("yunet", "sface")
    clip = grey_clip(tmp_path / "empty.avi", frames=40)
    assert "empty.avi: refused: timed_out" in bench(clip, "--liveness", "off").output


def test_the_clock_never_goes_back_where_recordings_meet(tmp_path):
    clips = [grey_clip(tmp_path / f"{name}.avi", frames=5) for name in "ab"]
    frames = [frame for frame, _ in zip(_looped(clips), range(23), strict=False)]

    assert [frame.seq for frame in frames] == list(range(23))
    assert all(later.time > earlier.time for earlier, later in pairwise(frames))


def grey_clip(path, frames):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (320, 240))
    for _ in range(frames):
        writer.write(np.full((240, 320, 3), 118, np.uint8))
    writer.release()
    return path
