"""Recordings: the file is the clock, and damage never gets out."""

from __future__ import annotations

import csv
import math
import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.camera.file import (
    DEFAULT_FPS,
    RECORDING_START,
    ImageFolder,
    VideoFile,
    _Timeline,
    open_recording,
    sane_fps,
)
from edge.errors import CameraLost
from tests.camera.scenes import scene, write_clip
from tests.places import shared_data

if TYPE_CHECKING:
    from pathlib import Path

    from edge.domain import Frame
    from edge.ports import Camera


def drain(camera: Camera) -> list[Frame]:
    frames = []
    while (frame := camera.read()) is not None:
        frames.append(frame)
    camera.close()
    return frames


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.avi")


def test_time_comes_from_the_file(clip: Path) -> None:
    """Twelve frames at 10 fps are 0.1 s apart, counted from the start that was given."""
    start = datetime(2025, 3, 1, 7, 30, tzinfo=UTC)
    frames = drain(VideoFile(clip, start=start))
    assert [frame.seq for frame in frames] == list(range(12))
    assert [frame.time for frame in frames] == pytest.approx([index / 10 for index in range(12)])
    assert all(frame.at == start + timedelta(seconds=frame.time) for frame in frames)


def test_attributes_describe_the_clip(clip: Path) -> None:
    camera = VideoFile(clip)
    assert (camera.fps, camera.size, camera.frame_count) == (10.0, (160, 120), 12)
    camera.close()
    camera.close()


def test_two_readings_are_the_same_bit_for_bit(clip: Path) -> None:
    once, again = drain(VideoFile(clip)), drain(VideoFile(clip, threads=2))
    assert [(f.time, f.at, f.image.tobytes()) for f in once] == [
        (f.time, f.at, f.image.tobytes()) for f in again
    ]
    assert once[0].at == RECORDING_START


def test_frames_cannot_be_written_to(clip: Path) -> None:
    frame = VideoFile(clip).read()
    assert frame is not None
    with pytest.raises(ValueError, match="read-only"):
        frame.image[0, 0] = 0


def test_the_end_stays_the_end(clip: Path) -> None:
    camera = VideoFile(clip)
    drain(camera)
    assert camera.read() is None


@pytest.mark.parametrize("claimed", [0.0, -5.0, math.nan, math.inf, 1e6, 90000.0])
def test_an_unbelievable_frame_rate_is_replaced(claimed: float) -> None:
    assert sane_fps(claimed) == DEFAULT_FPS


def test_a_frame_rate_damaged_in_the_file_is_replaced(tmp_path: Path) -> None:
    """The AVI header says one microsecond per frame and 0/0 as the stream's rate."""
    data = bytearray(write_clip(tmp_path / "clip.avi").read_bytes())
    main, stream = data.index(b"avih") + 8, data.index(b"strh") + 8
    data[main : main + 4] = (1).to_bytes(4, "little")
    data[stream + 20 : stream + 28] = bytes(8)
    damaged = tmp_path / "damaged.avi"
    damaged.write_bytes(data)
    camera = VideoFile(damaged)
    assert math.isfinite(camera.fps)
    assert 0.1 <= camera.fps <= 240
    times = [frame.time for frame in drain(camera)]
    assert times == sorted(set(times))


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=30))
def test_time_always_rises_whatever_the_stamps_say(stamps: list[float]) -> None:
    timeline = _Timeline(0.1, RECORDING_START)
    image = scene()
    times = [timeline.stamp(image, stamp).time for stamp in stamps]
    assert all(math.isfinite(time) for time in times)
    assert all(later > earlier for earlier, later in pairwise(times))


def test_variable_frame_rate_is_kept() -> None:
    """A webcam that slows down in the dark writes uneven stamps; they are the truth."""
    timeline = _Timeline(1 / 30, RECORDING_START)
    assert [timeline.stamp(scene(), t).time for t in (0.0, 0.033, 0.2, 0.9)] == [0.0, 0.033, 0.2, 0.9]


def test_a_stamp_from_nowhere_does_not_move_the_clock() -> None:
    timeline = _Timeline(0.1, RECORDING_START)
    assert [timeline.stamp(scene(), t).time for t in (0.0, 1e9, 0.2)] == pytest.approx([0.0, 0.1, 0.2])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CameraLost, match=r"nothing\.mp4: no such video file"):
        VideoFile(tmp_path / "nothing.mp4")


@pytest.mark.parametrize("content", [b"", b"not a video", bytes(5000), b"\x00\x00\x00\x18ftypmp42"])
def test_a_file_that_is_no_video_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    with pytest.raises(CameraLost, match=r"clip\.mp4: is not a video"):
        VideoFile(path)


def test_a_truncated_clip_gives_what_decodes(tmp_path: Path) -> None:
    data = write_clip(tmp_path / "clip.avi", frames=20).read_bytes()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(data[: len(data) // 2])
    assert 5 <= len(drain(VideoFile(cut))) < 20


@pytest.mark.parametrize("codec", ["MJPG", "mp4v"])
def test_a_damaged_clip_never_raises_but_at_open(tmp_path: Path, codec: str) -> None:
    """Sixty clips with random bytes overwritten: frames, fewer frames or CameraLost."""
    data = write_clip(tmp_path / "clip.avi", codec=codec).read_bytes()
    chance = random.Random(7)
    damaged = tmp_path / "damaged.avi"
    opened = 0
    for _ in range(30):
        mutant = bytearray(data)
        for _ in range(chance.randint(1, 60)):
            mutant[chance.randrange(len(mutant))] = chance.randrange(256)
        damaged.write_bytes(mutant)
        try:
            camera = VideoFile(damaged)
        except CameraLost:
            continue
        opened += 1
        for index, frame in enumerate(drain(camera)):
            assert frame.seq == index
            assert frame.image.dtype == np.uint8
    assert opened > 0


def test_a_folder_of_pictures_is_a_clip(tmp_path: Path) -> None:
    for index in range(3):
        cv2.imwrite(str(tmp_path / f"{index}.png"), scene(index))
    (tmp_path / "1b.jpg").write_bytes(b"\xff\xd8damaged")
    (tmp_path / "notes.txt").write_text("not a picture")
    frames = drain(ImageFolder(tmp_path, fps=5.0))
    assert [frame.seq for frame in frames] == [0, 1, 2]
    assert [frame.time for frame in frames] == pytest.approx([0.0, 0.2, 0.6])
    assert np.array_equal(frames[2].image, scene(2))


def test_one_picture_is_a_clip_of_one_frame(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "face.png"), scene())
    assert len(drain(open_recording(tmp_path / "face.png"))) == 1


@pytest.mark.parametrize("name", ["IMG.jfif", "IMG.JPE", "IMG", "IMG.tif", "IMG.txt"])
def test_pictures_are_told_by_their_bytes_not_their_names(tmp_path: Path, name: str) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((48, 64, 3), 90, np.uint8))
    (tmp_path / "a.png").rename(tmp_path / name)
    (tmp_path / "notes.jpg").write_text("no picture")
    (tmp_path / "album.jpg").mkdir()
    for source in (tmp_path, tmp_path / name):
        assert open_recording(source).frame_count == 1


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CameraLost, match="holds no picture"):
        open_recording(tmp_path)
    with pytest.raises(CameraLost, match="no such file or folder"):
        ImageFolder(tmp_path / "missing")


@pytest.mark.shared
def test_real_clips_give_the_frames_that_are_in_them() -> None:
    """Every clip of up to 100 frames: as many frames as the set's own count, at its rate."""
    with shared_data("videos.csv").open(encoding="utf-8") as listed:
        rows = [row for row in csv.DictReader(listed) if int(row["frames"]) <= 100]
    assert rows
    for row in rows:
        camera = VideoFile(shared_data(row["path"]))
        assert f"{camera.size[0]}x{camera.size[1]}" == row["size"]
        assert camera.fps == pytest.approx(float(row["fps"]), abs=0.01)
        frames = drain(camera)
        assert len(frames) == int(row["frames"]), row["path"]
        assert frames[-1].time == pytest.approx((len(frames) - 1) / camera.fps, abs=2 / camera.fps)
