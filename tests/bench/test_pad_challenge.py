"""Recordings against random challenges, by simulation."""

from __future__ import annotations

from math import pi, sin
from random import Random

import numpy as np
import pytest

from edge.bench.pad.challenge import RecordedPose, chance, per_window
from edge.bench.pad.flat import PaperMotion, paper_turn, random_motion, relief_of
from edge.domain import Box
from edge.faces.liveness.planarity import FLAT_RESIDUAL
from tests.faces.liveness.test_planarity import texture
from tests.present import present


def recording(yaw, seconds: float = 12.0) -> list[RecordedPose]:
    return [RecordedPose(index / 15, yaw(index / 15), 60.0) for index in range(int(seconds * 15))]


class TestChance:
    def test_somebody_who_keeps_still_never_answers(self):
        assert chance(recording(lambda t: 3.0), 2, 50) == 0.0

    def test_a_talking_head_that_turns_now_and_then_stays_below_two_percent_a_window(self):
        natural = recording(lambda t: 25 * sin(2 * pi * 0.13 * t) + 6 * sin(2 * pi * 0.7 * t), 20)

        assert per_window(chance(natural, 3, 300), 2) <= 0.02

    def test_more_steps_are_harder(self):
        turning = recording(lambda t: 28.0 * (t % 4 > 3) - 28.0 * (t % 6 > 5), 24)

        assert chance(turning, 1, 200) >= chance(turning, 2, 200) >= chance(turning, 3, 200)

    def test_the_same_seed_gives_the_same_figure(self):
        turning = recording(lambda t: 28.0 * (t % 4 > 3))

        assert chance(turning, 1, 50, seed=4) == chance(turning, 1, 50, seed=4)

    def test_tries_add_up(self):
        assert per_window(0.1, 2) == pytest.approx(0.19)


class TestPaper:
    def test_a_photograph_that_turns_is_flat(self):
        frames = list(paper_turn(texture(), PaperMotion(25, 5, 0.02, 1.05)))

        assert len(frames) == 10
        assert present(relief_of(frames, Box(270, 160, 370, 290))) < FLAT_RESIDUAL

    def test_it_begins_where_it_was(self):
        first = next(iter(paper_turn(texture(), random_motion(Random(3)))))

        np.testing.assert_allclose(first, texture(), atol=1)
