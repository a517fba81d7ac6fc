"""Alignment: the fit, the halving, and everything that is no face."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edge.errors import FrameRefused, ModelCorrupt
from edge.faces.align import ALIGNERS, align, aligner, similarity_transform

ARC = ALIGNERS["arcface112"]
TEMPLATE = np.array(ARC.points)


def dotted(scale: float, shift: tuple[float, float], shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture with a white disc on each landmark, and the landmarks."""
    points = TEMPLATE * scale + shift
    image = np.zeros((*shape, 3), np.uint8)
    for x, y in points:
        cv2.circle(
            image, (round(x * 16), round(y * 16)), round(3 * scale * 16), (255,) * 3, -1, cv2.LINE_AA, 4
        )
    return image, points.astype(np.float32)


@given(st.floats(0.2, 20), st.floats(-np.pi, np.pi), st.floats(-1000, 1000), st.floats(-1000, 1000))
def test_the_fit_recovers_any_similarity(scale: float, angle: float, x: float, y: float) -> None:
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = similarity_transform(TEMPLATE, TEMPLATE @ turn.T + (x, y))
    assert np.allclose(found, np.column_stack([turn, (x, y)]), atol=1e-6 * max(scale, abs(x), abs(y), 1))


@given(st.lists(st.tuples(st.floats(-500, 500), st.floats(-500, 500)), min_size=5, max_size=5))
def test_the_fit_never_mirrors(points: list[tuple[float, float]]) -> None:
    source = np.array(points)
    assume(np.ptp(source, axis=0).max() > 2)
    turn = similarity_transform(source, TEMPLATE)[:, :2]
    assert np.linalg.det(turn) >= 0


@pytest.mark.parametrize("scale", [0.4, 1.0, 1.9, 2.1, 4.3, 9.0])
def test_landmarks_land_on_the_template_at_any_size(scale: float) -> None:
    side = round(300 * scale)
    image, points = dotted(scale, (60 * scale, 70 * scale), (side, side))
    chip = align(image, points, ARC)
    for x, y in TEMPLATE:
        left, top = round(x) - 6, round(y) - 6
        window = chip[top : top + 13, left : left + 13, 0].astype(float)
        rows, columns = np.indices(window.shape)
        found_x, found_y = (columns * window).sum() / window.sum(), (rows * window).sum() / window.sum()
        assert np.hypot(left + found_x - x, top + found_y - y) < 0.4


def test_the_rest_of_a_big_picture_does_not_matter() -> None:
    image, points = dotted(1.5, (400, 300), (900, 1200))
    shown = align(image, points, ARC)
    image[:200], image[:, :250] = 255, 255
    assert np.array_equal(shown, align(image, points, ARC))


def test_what_lies_outside_the_picture_is_black() -> None:
    image = np.full((60, 60, 3), 200, np.uint8)
    chip = align(image, TEMPLATE.astype(np.float32), ARC)
    assert chip[10, 10].tolist() == [200, 200, 200]
    assert chip[100, 100].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.full((5, 2), np.nan), "not finite"),
        (np.full((5, 2), np.inf), "not finite"),
        (np.full((5, 2), 20.0), "in one place"),
        (TEMPLATE + 10_000, "outside the picture"),
        (TEMPLATE - 10_000, "outside the picture"),
        (TEMPLATE[:4], "4 landmarks"),
    ],
)
def test_landmarks_that_are_no_face_are_refused(points: np.ndarray, message: str) -> None:
    with pytest.raises(FrameRefused, match=message):
        align(np.zeros((100, 100, 3), np.uint8), points.astype(np.float32), ARC)


@given(st.lists(st.floats(-1e4, 1e4), min_size=10, max_size=10), st.integers(1, 40), st.integers(1, 40))
def test_any_landmarks_in_any_small_picture_give_a_chip_or_a_refusal(
    numbers: list[float], height: int, width: int
) -> None:
    points = np.array(numbers, np.float32).reshape(5, 2)
    try:
        chip = align(np.ones((height, width, 3), np.uint8), points, ARC)
    except FrameRefused:
        return
    assert chip.shape == (112, 112, 3)


def test_an_unknown_aligner_is_refused_by_name() -> None:
    with pytest.raises(ModelCorrupt, match="arcface112"):
        aligner("mtcnn")
