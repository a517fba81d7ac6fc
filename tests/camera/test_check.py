"""What counts as a picture, and which pictures show nothing."""

from __future__ import annotations

import random
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge.camera.check import PictureHealth, PictureState, look, validate_frame
from edge.camera.image import decode_image
from edge.errors import FrameRefused
from tests.camera.scenes import frame, plain, scene


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        (None, "NoneType"),
        ([[1, 2]], "list"),
        (np.zeros((120, 160, 3), np.float32), "float32, must be uint8"),
        (np.full((120, 160, 3), np.nan), "float64, must be uint8"),
        (np.zeros((120, 160, 2), np.uint8), "shape"),
        (np.zeros((120, 160, 3, 1), np.uint8), "shape"),
        (np.zeros(1000, np.uint8), "shape"),
        (np.zeros((1, 1, 3), np.uint8), "1x1, each side must be 32"),
        (np.zeros((0, 640, 3), np.uint8), "640x0"),
        (np.zeros((31, 640, 3), np.uint8), "640x31"),
        (np.zeros((40, 9000, 1), np.uint8), "9000x40, must be 8K"),
        (np.zeros((6000, 6000), np.uint8), "6000x6000, must be 8K"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(image: object, reason: str) -> None:
    with pytest.raises(FrameRefused, match=reason):
        validate_frame(image)


@pytest.mark.parametrize("shape", [(120, 160), (120, 160, 1), (120, 160, 3), (120, 160, 4), (4320, 7680, 3)])
def test_grey_bgr_bgra_and_8k_become_bgr(shape: tuple[int, ...]) -> None:
    image = validate_frame(np.full(shape, 77, np.uint8))
    assert image.shape == (*shape[:2], 3)
    assert image.dtype == np.uint8
    assert image.flags.c_contiguous
    assert (image[0, 0] == 77).all()


def test_a_view_with_gaps_becomes_contiguous() -> None:
    assert validate_frame(scene()[:, ::2]).flags.c_contiguous


def test_a_good_frame_is_not_copied() -> None:
    image = scene()
    assert validate_frame(image) is image


@given(
    hnp.arrays(
        dtype=st.sampled_from([np.uint8, np.int8, np.uint16, np.float32, np.bool_, object]),
        shape=hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=40),
        elements=st.just(0),
    )
)
def test_any_array_is_a_picture_or_refused(image: object) -> None:
    try:
        picture = validate_frame(image)
    except FrameRefused:
        return
    assert picture.ndim == 3
    assert picture.shape[2] == 3
    PictureHealth().observe(frame(picture, 0.0))


def test_ten_thousand_damaged_frames() -> None:
    """Mutated JPEGs and odd shapes end as pictures or FrameRefused, and health takes them all."""
    chance = random.Random(20260105)
    jpegs = [cv2.imencode(".jpg", scene(seed))[1].tobytes() for seed in range(8)]
    health = PictureHealth()
    outcomes = {"picture": 0, "refused": 0}
    for index in range(10_000):
        try:
            picture = (
                decode_image(_mutate(chance.choice(jpegs), chance))
                if index % 10
                else validate_frame(_odd(chance))
            )
        except FrameRefused:
            outcomes["refused"] += 1
            continue
        outcomes["picture"] += 1
        assert isinstance(health.observe(frame(picture, index / 15)), PictureState)
    assert min(outcomes.values()) > 1000


def _mutate(data: bytes, chance: random.Random) -> bytes:
    mutant = bytearray(data)
    for _ in range(chance.choice((0, 1, 4, 20))):
        mutant[chance.randrange(len(mutant))] ^= 1 << chance.randrange(8)
    return bytes(mutant[: chance.randrange(1, len(mutant))] if chance.random() < 0.4 else mutant)


def _odd(chance: random.Random) -> object:
    shape = tuple(chance.choice((0, 1, 3, 40, 200)) for _ in range(chance.randint(0, 3)))
    kind = chance.choice((np.uint8, np.float32, np.int16))
    return chance.choice((np.zeros((*shape, 3), kind), np.ones(shape, kind), None, b"frame"))


@pytest.mark.parametrize(
    ("image", "state"),
    [
        (scene(), PictureState.OK),
        (plain(0), PictureState.BLACK),
        (plain(10, noise=8), PictureState.BLACK),
        (plain(255), PictureState.WHITE),
        (plain(110, noise=8), PictureState.COVERED),
        (
            np.repeat(np.linspace(60, 140, 160, dtype=np.uint8)[None, :, None], 120, 0).repeat(3, 2),
            PictureState.COVERED,
        ),
        (scene() // 6, PictureState.OK),  # a dim hall: dark, but with detail
    ],
)
def test_one_look(image: np.ndarray, state: PictureState) -> None:
    assert look(image) is state


def run(health: PictureHealth, pictures: list[np.ndarray], start: float = 0.0) -> list[PictureState]:
    return [health.observe(frame(image, start + index / 10)) for index, image in enumerate(pictures)]


def test_a_frozen_picture_is_noticed_after_three_seconds() -> None:
    states = run(PictureHealth(), [scene()] * 45)
    assert states[28] is PictureState.OK
    assert states[30:] == [PictureState.FROZEN] * 15


def test_sensor_noise_alone_is_life() -> None:
    assert set(run(PictureHealth(), [scene(seed) for seed in range(45)])) == {PictureState.OK}


def test_a_repeat_is_known_at_once() -> None:
    health = PictureHealth()
    repeats = []
    for image in (scene(1), scene(1), scene(2), scene(1)):
        health.observe(frame(image, 0.0))
        repeats.append(health.is_repeat)
    assert repeats == [False, True, False, False]


def test_one_changed_pixel_is_not_a_repeat() -> None:
    health = PictureHealth()
    other = scene()
    other[0, 0, 0] ^= 1
    run(health, [scene(), other])
    assert not health.is_repeat


def test_an_alarm_ends_after_ten_good_seconds() -> None:
    health = PictureHealth()
    run(health, [scene()] * 40)
    states = run(health, [scene(seed) for seed in range(1, 121)], start=4.0)
    assert states[:100] == [PictureState.FROZEN] * 100
    assert states[101:] == [PictureState.OK] * 19


def test_a_camera_that_was_lost_starts_afresh_but_not_with_the_old_picture() -> None:
    health = PictureHealth()
    run(health, [scene()] * 40)
    health.restart()
    assert run(health, [scene()], start=9.0) == [PictureState.FROZEN]
    health.restart()
    assert run(health, [scene(1)], start=12.0) == [PictureState.OK]


def test_a_scene_that_often_stands_still_is_one_alarm() -> None:
    """A strongly compressed stream at night changes only with its key frames, every four seconds."""
    states = run(PictureHealth(), [scene(index // 40) for index in range(600)])
    assert sum(now is not before for before, now in pairwise(states)) == 1


@pytest.mark.parametrize(
    ("level", "state"), [(0, PictureState.BLACK), (255, PictureState.WHITE), (120, PictureState.COVERED)]
)
def test_a_lens_that_shows_nothing_is_noticed_within_five_seconds(level: int, state: PictureState) -> None:
    health = PictureHealth()
    run(health, [scene(seed) for seed in range(20)])
    states = run(health, [plain(level, seed=seed) for seed in range(50)], start=2.0)
    assert states[20] is PictureState.OK
    assert states[40:] == [state] * 10
    assert run(health, [scene(seed) for seed in range(120)], start=7.0)[-1] is PictureState.OK


def test_a_passing_hand_is_no_alarm() -> None:
    health = PictureHealth()
    pictures = ([scene(seed) for seed in range(6)] + [plain(120, seed=seed) for seed in range(20)]) * 3
    assert set(run(health, pictures)) == {PictureState.OK}


def test_flicker_between_dark_and_covered_still_raises_the_alarm() -> None:
    health = PictureHealth()
    states = run(health, [plain(10 if seed // 7 % 2 else 60, seed=seed) for seed in range(50)])
    assert states[-1] in {PictureState.BLACK, PictureState.COVERED}
