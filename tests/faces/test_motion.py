"""Light that swings is no new scene; another picture is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from edge.faces.motion import Motion, MotionGate

if TYPE_CHECKING:
    from edge.domain import Image

SIZE = (480, 640)


def place(seed: int) -> Image:
    """A picture with structure of its own: blots of all sizes."""
    noise = np.random.default_rng(seed).normal(0, 1, (24, 32, 3)).astype(np.float32)
    blots = cv2.resize(noise, SIZE[::-1], interpolation=cv2.INTER_CUBIC)
    return np.clip(120 + 45 * blots, 0, 255).astype(np.uint8)


def lit(image: Image, gain: float) -> Image:
    return np.clip(image.astype(np.float32) * gain, 0, 255).astype(np.uint8)


def banded(image: Image, depth: float, phase: float) -> Image:
    """As a rolling shutter of 30 ms reads it out under a lamp on 50 Hz mains."""
    rows = np.arange(image.shape[0], dtype=np.float32)[:, None, None] / image.shape[0]
    swing = 1 + depth * np.sin(2 * np.pi * 3 * rows + phase)
    return np.clip(image * swing, 0, 255).astype(np.uint8)


def what_happens(*images: Image) -> list[Motion]:
    gate = MotionGate()
    return [gate.observe(image) for image in images][1:]


@pytest.mark.parametrize("depth", [0.1, 0.2, 0.3, 0.45])
def test_swinging_light_is_no_jump(depth: float) -> None:
    scene = place(1)
    swings = [lit(scene, 1 + depth * sign) for sign in (1, -1, 1, -1, 1)]
    assert Motion.JUMPED not in what_happens(*swings)


@pytest.mark.parametrize("depth", [0.1, 0.2, 0.3, 0.45])
def test_walking_mains_bands_are_no_jump(depth: float) -> None:
    scene = place(1)
    assert Motion.JUMPED not in what_happens(*(banded(scene, depth, 2.1 * n) for n in range(8)))


def test_a_lamp_switched_off_and_on_is_no_jump() -> None:
    scene = place(1)
    assert Motion.JUMPED not in what_happens(scene, lit(scene, 0.25), scene)


@pytest.mark.parametrize("seed", range(2, 12))
def test_another_picture_is_a_jump(seed: int) -> None:
    assert what_happens(place(1), place(seed)) == [Motion.JUMPED]


@pytest.mark.parametrize("gain", [0.5, 0.8, 1.3])
def test_another_picture_in_another_light_is_a_jump(gain: float) -> None:
    assert what_happens(place(1), lit(place(2), gain)) == [Motion.JUMPED]


def test_light_does_not_hide_another_picture_in_its_swing() -> None:
    first, second = place(1), place(2)
    assert Motion.JUMPED in what_happens(first, lit(first, 0.6), lit(second, 1.3))


def test_a_blank_wall_that_goes_dark_is_no_jump() -> None:
    wall = np.full((*SIZE, 3), 180, np.uint8)
    assert what_happens(wall, lit(wall, 0.4)) == [Motion.MOVED]


def test_a_scene_that_rests_is_still() -> None:
    scene = place(1)
    assert what_happens(scene, scene) == [Motion.STILL]
