"""Turns found in recordings: what counts as one, and what is told about them."""

from __future__ import annotations

import numpy as np

from edge.bench.pad.flat import PaperMotion, paper_turn
from edge.bench.pad.turns import HeadWatch, Turns, turns_text
from edge.domain import Box, Face
from edge.faces.liveness.planarity import FLAT_RESIDUAL
from tests.faces.liveness.test_planarity import texture
from tests.fakes.scene import Actor, axis

BOX = Box(270, 160, 370, 290)


def face(turned: float) -> Face:
    return Face(BOX, Actor(0, axis(0), turned).landmarks(BOX), 0.9)


def watched(*turned: float | None) -> list[float]:
    """Residuals of a photograph carried away while the nose says so; None: nobody is near."""
    watch = HeadWatch()
    frames = list(paper_turn(texture(), PaperMotion(25, 5, 0.02, 1.05)))
    for index, one in enumerate(turned):
        watch.see(frames[min(index, 9)], None if one is None else face(one))
    return watch.residuals


class TestHeadWatch:
    def test_a_turn_from_rest_is_judged_once(self):
        residuals = watched(0.0, 0.1, 0.15, 0.18, 0.25, 0.3, 0.3)

        assert len(residuals) == 1
        assert residuals[0] < FLAT_RESIDUAL

    def test_a_head_that_was_turned_all_along_is_no_turn(self):
        assert watched(0.3, 0.3, 0.3) == []

    def test_a_face_that_leaves_ends_the_movement(self):
        assert watched(0.0, 0.15, None, 0.3) == []


def test_both_kinds_are_told_with_what_is_on_the_wrong_side():
    found = Turns([0.001, 0.03], [])
    found.add(Turns([], [0.05, 0.01, 0.04]))

    paper, heads = turns_text(found).splitlines()

    assert paper.startswith("photographs, computed: 2;")
    assert paper.endswith(f"1 on the wrong side of {FLAT_RESIDUAL}")
    assert heads.endswith(f"1 on the wrong side of {FLAT_RESIDUAL}")
    assert "median 0.040" in heads
    assert turns_text(Turns([], [])).splitlines()[1] == "heads that turned: none"
    assert np.isfinite(found.paper).all()
