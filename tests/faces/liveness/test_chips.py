"""What a network is shown, to the pixel: a wrong crop makes it guess."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.domain import Box
from edge.faces.liveness.chips import (
    context_chip,
    context_window,
    dimmed_chip,
    mapped_box,
    texture_chip,
)
from edge.faces.liveness.light import BRIGHTENED_TO
from edge.faces.liveness.nets import SPECS


def picture(width: int = 200, height: int = 160) -> np.ndarray:
    """Every pixel tells where it is: blue the column, green the row."""
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([columns % 256, rows % 256, np.full_like(rows, 90)], axis=2).astype(np.uint8)


class TestMappedBox:
    def test_wider_lower_and_about_the_same_middle(self):
        box = mapped_box(Box(100, 100, 200, 300))

        assert box.width == pytest.approx(117)
        assert box.height == pytest.approx(178)
        assert box.centre == pytest.approx((150, 210))


class TestContextWindow:
    def test_a_face_in_the_middle_keeps_its_surroundings_centred(self):
        assert context_window(Box(90, 70, 110, 90), 2.7, 200, 160) == (73, 53, 127, 107)

    @pytest.mark.parametrize(
        ("box", "window"),
        [
            (Box(0, 0, 40, 40), (0, 0, 108, 108)),
            (Box(160, 120, 200, 160), (92, 52, 200, 160)),
        ],
    )
    def test_at_an_edge_the_window_is_shifted_inside_and_keeps_its_size(self, box, window):
        assert context_window(box, 2.7, 200, 160) == window

    def test_a_near_face_gets_the_largest_window_that_fits_and_keeps_its_proportions(self):
        left, top, right, bottom = context_window(Box(50, 20, 150, 140), 4.0, 200, 160)

        assert (top, bottom) == (0, 159)
        assert (right - left) / (bottom - top) == pytest.approx(100 / 120, abs=0.02)

    @settings(deadline=None)
    @given(
        st.integers(30, 500),
        st.integers(30, 500),
        st.floats(-0.4, 1.4),
        st.floats(-0.4, 1.4),
        st.floats(8, 600),
        st.floats(8, 600),
        st.sampled_from([2.7, 4.0]),
    )
    def test_never_empty_never_outside(self, width, height, x, y, face_width, face_height, scale):
        middle_x, middle_y = min(max(x, 0), 1) * width, min(max(y, 0), 1) * height
        box = Box(
            middle_x - face_width / 2,
            middle_y - face_height / 2,
            middle_x + face_width / 2,
            middle_y + face_height / 2,
        )

        left, top, right, bottom = context_window(box, scale, width, height)

        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height


class TestChips:
    def test_context_is_cut_from_the_full_frame_and_squeezed(self):
        image = picture()
        left, top, right, bottom = context_window(mapped_box(Box(90, 70, 110, 90)), 2.7, 200, 160)

        chip = context_chip(image, Box(90, 70, 110, 90), 2.7, 80)

        assert chip.shape == (80, 80, 3)
        np.testing.assert_array_equal(chip, cv2.resize(image[top:bottom, left:right], (80, 80)))

    @pytest.mark.parametrize("scale", [2.7, 4.0])
    def test_grain_is_averaged_where_the_picture_shrinks(self, scale):
        grain = np.random.default_rng(4).normal(110, 6, (480, 640, 3))
        image = np.clip(grain, 0, 255).astype(np.uint8)

        chip = context_chip(image, Box(250, 150, 400, 350), scale, 80)

        assert chip.std() < 6 / 3

    def test_texture_is_a_square_about_the_longer_side(self):
        chip = texture_chip(picture(), Box(90, 60, 110, 100), 60)

        assert chip.shape == (60, 60, 3)
        assert abs(int(chip[30, 0, 0]) - 70) <= 1  # from column 70...
        assert abs(int(chip[30, 59, 0]) - 129) <= 1  # ...to column 129, untouched

    def test_texture_beyond_the_edge_mirrors_the_picture(self):
        chip = texture_chip(picture(), Box(0, 40, 40, 80), 60)

        assert abs(int(chip[30, 10, 0]) - 0) <= 1
        assert abs(int(chip[30, 0, 0]) - 10) <= 1

    @settings(deadline=None, max_examples=50)
    @given(st.floats(-60, 240), st.floats(-60, 200), st.floats(4, 400), st.floats(4, 400))
    def test_any_box_that_touches_the_picture_gives_a_chip(self, left, top, width, height):
        box = Box(left, top, left + width, top + height)
        if box.right <= 0 or box.bottom <= 0 or left >= 200 or top >= 160:
            return

        assert texture_chip(picture(), box, 128).shape == (128, 128, 3)


class TestDimmedChip:
    FACE = Box(250, 150, 400, 350)

    @staticmethod
    def scene() -> np.ndarray:
        """Light and dark that survive averaging; green a little brighter than blue and red."""
        rows, columns = np.mgrid[0:480, 0:640]
        grey = 125 + 55 * np.sin(columns / 10) * np.where(rows % 120 < 60, 1, -1)
        return np.stack([grey - 8, grey + 8, grey - 8], axis=2).astype(np.uint8)

    def face_of(self, chip: np.ndarray) -> np.ndarray:
        """The grey face in the middle of a chip that is 2.7 faces wide."""
        return cv2.cvtColor(chip[41:87, 41:87], cv2.COLOR_BGR2GRAY)

    @pytest.mark.parametrize("more", [60, 30, -10])
    def test_a_bright_screen_is_shown_to_faceplugin_as_a_dim_one(self, more):
        image = self.scene()
        other = np.clip(image.astype(int) + more, 0, 255).astype(np.uint8)

        shown, again = (SPECS["faceplugin"].chip(one, self.FACE) for one in (image, other))

        assert np.abs(shown.astype(int) - again.astype(int)).mean() < 2

    def test_the_face_decides_and_not_the_window_behind_it(self):
        backlit = self.scene()
        backlit[:, :200] = backlit[:, 450:] = 255

        face = self.face_of(dimmed_chip(backlit, self.FACE, 2.7, 128))

        assert face.mean() == pytest.approx(BRIGHTENED_TO, abs=4)

    def test_a_face_at_the_edge_is_measured_where_it_is(self):
        image = np.full((480, 640, 3), 230, np.uint8)
        box = Box(0, 150, 150, 350)
        image[150:360, :165] = 160

        chip = dimmed_chip(image, box, 2.7, 128)

        assert chip.min() == pytest.approx(BRIGHTENED_TO, abs=4)

    def test_a_face_that_is_no_brighter_is_shown_as_it_is(self):
        image = (self.scene() * 0.8).astype(np.uint8)

        np.testing.assert_array_equal(
            dimmed_chip(image, self.FACE, 2.7, 128), context_chip(image, self.FACE, 2.7, 128)
        )

    def test_contrast_and_grain_stay_as_they_came(self):
        grain = np.random.default_rng(4).normal(170, 6, (480, 640, 3))
        image = np.clip(grain, 0, 255).astype(np.uint8)

        dimmed = dimmed_chip(image, self.FACE, 2.7, 128)

        assert dimmed.std() == pytest.approx(context_chip(image, self.FACE, 2.7, 128).std(), rel=0.02)

    @settings(deadline=None, max_examples=50)
    @given(st.floats(-60, 240), st.floats(-60, 200), st.floats(4, 400), st.floats(4, 400))
    def test_any_box_gives_a_chip(self, left, top, width, height):
        box = Box(left, top, left + width, top + height)

        assert dimmed_chip(picture(), box, 2.7, 128).shape == (128, 128, 3)
