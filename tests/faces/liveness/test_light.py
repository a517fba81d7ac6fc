"""What light a picture was taken in: colour or none, dark or not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge.domain import Box, Reason
from edge.faces.liveness.check import PassiveCheck
from edge.faces.liveness.chips import context_chip
from edge.faces.liveness.light import (
    BRIGHTENED_TO,
    MOST_GAIN,
    brightened,
    face_brightness,
    gain_for,
    grain,
    is_colourless,
)
from tests.faces.liveness.nets import ANNA, TRUSTED, Eye
from tests.fakes.scene import Scene, axis

if TYPE_CHECKING:
    from edge.domain import Embedding, Image, Landmarks, Liveness

BOX = Box(250, 120, 330, 220)


def room(
    face: tuple[int, int, int] = (120, 140, 190), wall: tuple[int, int, int] = (118, 118, 118)
) -> np.ndarray:
    """A wall of one colour (BGR) with a face before it."""
    image = np.full((480, 640, 3), wall, np.uint8)
    image[::7] = np.asarray(wall) // 2  # a picture has dark and light parts
    image[120:220, 250:330] = face
    return image


def noisy(image: np.ndarray, counts: float) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, counts, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


class TestColour:
    def test_a_grey_picture_has_none_whatever_the_noise(self):
        grey = room(face=(150, 150, 150))

        assert is_colourless(grey, BOX)
        assert is_colourless(noisy(grey, 15), BOX)

    def test_nor_has_one_with_a_tint_over_all_of_it(self):
        assert is_colourless(room(face=(158, 150, 154), wall=(126, 118, 122)), BOX)

    def test_a_coloured_face_before_a_grey_wall_is_colour(self):
        assert not is_colourless(room(), BOX)
        assert not is_colourless(noisy(room(), 15), BOX)
        assert not is_colourless((room() * 0.25).astype(np.uint8), BOX)

    def test_a_grey_photograph_in_a_coloured_room_is_no_night(self):
        image = room(face=(150, 150, 150), wall=(80, 110, 150))
        image[:, :200] = (150, 110, 70)

        assert not is_colourless(image, BOX)


class TestGain:
    @pytest.mark.parametrize(
        ("level", "gain"), [(120, 1.0), (70, 1.0), (55, BRIGHTENED_TO / 55), (5, MOST_GAIN)]
    )
    def test_only_dark_faces_are_brightened_and_not_without_end(self, level, gain):
        image = np.full((480, 640, 3), level, np.uint8)

        assert gain_for(image, BOX) == pytest.approx(gain)

    def test_a_face_outside_the_picture_is_left_alone(self):
        assert gain_for(np.zeros((480, 640, 3), np.uint8), Box(700, 0, 800, 100)) == 1.0

    def test_a_face_in_good_light_is_shown_as_it_is(self):
        image = np.full((480, 640, 3), 120, np.uint8)

        assert brightened(image, BOX) is image

    def test_what_an_average_of_dark_pixels_tells_is_kept(self):
        """Two cheeks that differ by half a count at a quarter of the light differ by two when brightened."""
        image = np.full((480, 640, 3), 27, np.uint8)
        image[::2, ::2] = 28
        image[:, 320:][::2, 1::2] = 28
        image[:, 320:][1::2, ::2] = 28
        chip = context_chip(brightened(image, BOX), BOX, 2.7, 80)

        assert float(chip[:, 60:].mean()) - float(chip[:, :20].mean()) == pytest.approx(2.0, abs=0.3)


class Always(Eye):
    """A network that gives every picture the same score, and remembers how bright the faces were."""

    def __init__(self, score: float) -> None:
        super().__init__({})
        self.always, self.seen = score, list[float]()

    def score(self, image: Image, box: Box) -> float:
        self.seen.append(face_brightness(image, box))
        return self.always


class OneFace:
    """Anna before one network, at a part of her light and with some counts of grain."""

    model_id = "one face"
    dim = 16

    def __init__(self, part: float = 1.0, grain: float = 0.0, score: float = 0.9) -> None:
        self.scene, self.part, self.grain, self.eye = Scene([ANNA]), part, grain, Always(score)
        self.check = PassiveCheck([self.eye], self, demands=TRUSTED)
        self.seq = 0

    def embed(self, image: Image, landmarks: Landmarks) -> Embedding:
        return axis(0)

    def said(self, frames: int, width: float = 130) -> list[Liveness]:
        told = []
        for _ in range(frames):
            self.seq += 1
            frame = self.scene.frame(self.seq, (ANNA, 250 + self.seq % 3, 120, width))
            (face,) = self.scene.detect(frame.image)
            self.check.observe(replace(frame, image=self.seen(frame.image)), face, 1, alone=True)
            told.append(self.check.assess(1))
        return [one for one in told if one is not None]

    def seen(self, image: Image) -> Image:
        noise = np.random.default_rng(self.seq).normal(0, self.grain, image.shape)
        return np.clip(image * self.part + noise, 0, 255).astype(np.uint8)


def test_a_face_in_the_dark_is_shown_as_bright_as_the_networks_want_it():
    dim = OneFace(part=0.5)
    dim.said(10)
    assert dim.eye.seen
    assert all(seen == pytest.approx(BRIGHTENED_TO, abs=8) for seen in dim.eye.seen)


class TestGrain:
    @pytest.mark.parametrize("counts", [1, 3, 8])
    def test_is_measured_whatever_else_the_picture_shows(self, counts):
        image = noisy(room(), counts)
        image[::40] = 20
        image[:, ::40] = 220

        assert grain(image, BOX) == pytest.approx(counts, rel=0.15, abs=0.3)

    def test_a_far_face_in_strong_grain_is_told_to_come_nearer_and_judged_there(self):
        grainy = OneFace(grain=8)
        assert {one.reason for one in grainy.said(60, width=80)} == {Reason.PAD_NO_RESPONSE}
        assert grainy.said(30, width=130)[-1].passed

    def test_what_looked_alive_from_afar_does_not_count_near_by(self):
        grainy = OneFace(grain=8, score=1.0)
        grainy.said(20, width=80)
        grainy.eye.always = 0.6
        assert not any(one.passed for one in grainy.said(20, width=130))

    def test_what_a_dark_picture_has_counts_as_much_as_it_is_brightened(self):
        assert not any(one.passed for one in OneFace(part=0.5, grain=3).said(60, width=80))

    def test_a_little_of_it_keeps_nobody_out(self):
        assert OneFace(grain=2).said(30, width=80)[-1].passed
