"""What light a picture was taken in: colour or none, dark or not."""

from __future__ import annotations

import numpy as np
import pytest

from edge.domain import Box
from edge.faces.liveness.light import BRIGHTENED_TO, MOST_GAIN, gain_for, is_colourless

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
