"""How many faces are scored on one frame."""

from __future__ import annotations

import pytest

from edge.faces.liveness.budget import ScoringBudget


@pytest.mark.parametrize(("fps", "each"), [(30, 1), (15, 1), (8, 2), (5, 3), (3, 3), (1, 3)])
def test_a_slow_camera_has_several_faces_scored_on_one_frame(fps, each):
    budget = ScoringBudget()
    budget.take(0.0)

    taken = [sum(budget.take(frame / fps) for _ in range(5)) for frame in range(1, 20)]

    assert set(taken) == {each}


def test_time_that_runs_back_leaves_one():
    budget = ScoringBudget()
    budget.take(10.0)

    assert [budget.take(3.0) for _ in range(3)] == [True, False, False]
