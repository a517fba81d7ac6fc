"""Whether a face can be judged at all."""

from __future__ import annotations

import numpy as np
import pytest

from edge.domain import Box, Face
from edge.faces.liveness.gate import GateLimits, Hindrance, hindrance
from edge.faces.liveness.light import is_badly_lit
from tests.fakes.scene import Actor, axis

SIZE = (480, 640)


def face(
    left: float = 250, top: float = 120, width: float = 130, score: float = 0.9, turned: float = 0.0
) -> Face:
    box = Box(left, top, left + width, top + width * 1.2)
    return Face(box, Actor(0, axis(0), turned).landmarks(box), score)


def hindered(one: Face, *, alone: bool = True) -> Hindrance | None:
    return hindrance(one, alone, SIZE, GateLimits())


class TestHindrance:
    def test_a_near_frontal_face_alone_in_view_can_be_judged(self):
        assert hindered(face()) is None

    @pytest.mark.parametrize(
        ("one", "expected"),
        [
            (face(width=49.9), Hindrance.TOO_FAR),
            (face(left=-30), Hindrance.AT_EDGE),
            (face(left=540), Hindrance.AT_EDGE),
            (face(top=-40), Hindrance.AT_EDGE),
            (face(top=350), Hindrance.AT_EDGE),
            (face(score=0.79), Hindrance.UNSURE),
            (face(score=float("nan")), Hindrance.UNSURE),
            (face(turned=0.4), Hindrance.TURNED),
            (face(turned=-0.4), Hindrance.TURNED),
        ],
        ids=lambda value: str(value) if isinstance(value, Hindrance) else "",
    )
    def test_what_hinders_is_named(self, one, expected):
        assert hindered(one) is expected

    def test_company_is_named_first(self):
        assert hindered(face(width=40), alone=False) is Hindrance.NOT_ALONE

    def test_a_generous_box_may_reach_a_little_beyond_the_edge(self):
        assert hindered(face(left=-10)) is None


class TestLight:
    @pytest.mark.parametrize(
        ("face_level", "room_level", "badly"),
        [(120, 100, False), (30, 30, True), (240, 120, True), (60, 200, True), (110, 200, False)],
    )
    def test_dark_glaring_and_backlit_faces(self, face_level, room_level, badly):
        image = np.full((480, 640, 3), room_level, np.uint8)
        image[120:276, 250:380] = face_level

        assert is_badly_lit(image, face().box, GateLimits()) is badly

    @pytest.mark.parametrize(("rows", "badly"), [(40, False), (70, True)])
    def test_a_face_that_is_white_in_large_part_is_badly_lit_though_its_mean_is_fair(self, rows, badly):
        image = np.full((480, 640, 3), 120, np.uint8)
        image[120 : 120 + rows, 250:380] = 255

        assert is_badly_lit(image, face().box, GateLimits()) is badly

    def test_a_strong_colour_is_not_white(self):
        image = np.full((480, 640, 3), 120, np.uint8)
        image[120:276, 250:380, 2] = 255

        assert not is_badly_lit(image, face().box, GateLimits())

    def test_a_face_outside_the_picture_is_badly_lit(self):
        assert is_badly_lit(np.zeros((480, 640, 3), np.uint8), Box(700, 0, 800, 100), GateLimits())
