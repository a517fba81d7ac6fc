"""The rendered walk-ups: the same every time, and as hard as they say."""

from __future__ import annotations

import numpy as np
import pytest

from edge.demo.render import FACE_PX, FAR, FPS, SENSOR_SIGMA, Act, DemoStage, Walk, cut_out
from edge.domain import Box


@pytest.fixture(scope="module")
def cutout():
    photo = np.random.default_rng(3).integers(0, 255, (400, 300, 3), np.uint8)
    return cut_out(photo, Box(100, 120, 200, 240))


def frames(acts: list[Act]) -> list[np.ndarray]:
    stage, out = DemoStage(acts), []
    while (frame := stage.read()) is not None:
        out.append(frame.image)
    return out


def test_the_same_acts_give_the_same_pictures(cutout):
    acts = [Act("one", (Walk("a", cutout),), 2.0, ())]

    assert all(np.array_equal(a, b) for a, b in zip(frames(acts), frames(acts), strict=True))


def test_a_person_approaches_from_a_quarter_of_his_size(cutout):
    walk = Walk("a", cutout, enters_s=1.0, walks_s=3.0, stays_s=1.0)

    assert walk.size_at(0.9) is None
    assert walk.size_at(1.0) == pytest.approx(FAR)
    assert walk.size_at(4.0) == pytest.approx(1.0)
    assert walk.size_at(5.1) is None
    assert FACE_PX * FAR < 40


def test_frames_are_stamped_at_the_cameras_pace(cutout):
    stage = DemoStage([Act("one", (Walk("a", cutout),), 1.0, ())])

    times = [frame.time for frame in iter(stage.read, None)]

    assert len(times) == FPS
    assert np.allclose(np.diff(times), 1 / FPS)


def test_every_colour_has_the_noise_of_a_sensor_of_its_own():
    one, other = frames([Act("one", (), 2 / FPS, ())])

    moved = (other.astype(float) - one).reshape(-1, 3)
    moved -= moved.mean(axis=0)  # the exposure hunts

    assert moved.std(axis=0) == pytest.approx([SENSOR_SIGMA * 2**0.5] * 3, rel=0.05)
    assert np.abs(np.corrcoef(moved.T) - np.eye(3)).max() < 0.02


def test_the_act_that_plays_is_known_and_ends(cutout):
    stage = DemoStage([Act("one", (), 1.0, ()), Act("two", (), 2.0, ())])

    assert [stage.act_at(t) for t in (0.0, 0.99, 1.0, 2.9, 3.0)] == [0, 0, 1, 1, None]


def test_frames_cannot_be_written_to(cutout):
    frame = DemoStage([Act("one", (), 1.0, ())]).read()

    assert frame is not None
    assert not frame.image.flags.writeable
