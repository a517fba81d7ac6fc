"""The pair says yes and the other opinion no: nothing opens by that, nor by a moment that looks better."""

from __future__ import annotations

import pytest

from edge.domain import Reason
from edge.faces.liveness.check import PassiveCheck
from edge.faces.liveness.fusion import PAIR, fuse
from tests.faces.liveness.nets import ANNA, TRUSTED, Eye, Visit
from tests.fakes.scene import Scene

NEAR, AFAR = 140.0, 80.0


class Split:
    """A visitor whom the pair takes for alive; what faceplugin says is the test's."""

    def __init__(self) -> None:
        scene = Scene([ANNA])
        self.skin = Eye({0: 0.1})
        pair = [Eye({0: 0.97}, name) for name in PAIR]
        self.visit = Visit(PassiveCheck([*pair, self.skin], scene, demands=TRUSTED), scene)

    def said(self, skin: float, frames: int, width: float = NEAR) -> set[tuple[bool, Reason | None]]:
        """Show the face for some frames; return every verdict meanwhile."""
        self.skin.alive = {0: skin}
        verdicts = []
        for _ in range(frames):
            self.visit.show(ANNA, 1, width=width)
            verdicts.append(self.visit.assess())
        return {(one.passed, one.reason) for one in verdicts if one is not None}


ASKED = {(False, Reason.SECOND_FACTOR_REQUIRED)}


@pytest.mark.parametrize(("skin", "is_doubtful", "is_split"), [(0.49, True, False), (0.2, True, True)])
def test_a_pass_that_the_pair_carries_alone_is_doubtful(skin, is_doubtful, is_split):
    fused = fuse({"silentface-2.7": 1.0, "silentface-4.0": 1.0, "faceplugin": skin})

    assert fused.is_live
    assert (fused.is_doubtful, fused.is_split) == (is_doubtful, is_split)
    assert not fuse({"silentface-2.7": 1.0, "silentface-4.0": 1.0, "faceplugin": 0.51}).is_doubtful


def test_a_screen_that_looks_alive_for_a_while_after_it_did_not_opens_nothing():
    door = Split()

    assert door.said(0.1, 14) == set()
    assert door.said(0.95, 45) <= ASKED


def test_who_was_only_far_off_when_the_two_disagreed_is_let_in_near_by():
    door = Split()

    assert (True, None) not in door.said(0.1, 14, AFAR)
    assert (True, None) in door.said(0.95, 30)


def test_whoever_is_agreed_on_from_the_start_is_let_in():
    assert (True, None) in Split().said(0.95, 15)


def test_a_doubt_between_the_two_that_is_not_large_is_cleared_up():
    door = Split()

    assert door.said(0.45, 14) == set()
    assert (True, None) in door.said(0.95, 30)
