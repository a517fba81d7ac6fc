"""A screen looks alive for a moment now and then: after a doubt only a whole window without one opens."""

from __future__ import annotations

import pytest

from edge.domain import Reason
from edge.faces.liveness.check import PassiveCheck
from edge.faces.liveness.failures import DOUBTED_SECONDS
from edge.faces.liveness.fusion import PAIR, fuse
from edge.faces.liveness.window import WINDOW_SECONDS
from tests.faces.liveness.nets import ANNA, TRUSTED, Eye, Visit
from tests.fakes.scene import Actor, Scene, axis

NEAR, AFAR = 140.0, 80.0
OPENED = (True, None)
ASKED = (False, Reason.SECOND_FACTOR_REQUIRED)
ALIVE, SCREEN, FALLEN_FOR = 0.95, 0.1, 0.97
"""What faceplugin says of a living face and of a screen, and the pair of both."""
WHOLE = round(WINDOW_SECONDS * 15)
"""Frames of a window."""


class Split:
    """A visitor whom the pair takes for alive; what faceplugin says is the test's."""

    def __init__(self) -> None:
        scene = Scene([ANNA])
        self.skin = Eye({0: SCREEN})
        self.pair = [Eye({0: FALLEN_FOR}, name) for name in PAIR]
        self.visit = Visit(PassiveCheck([*self.pair, self.skin], scene, demands=TRUSTED), scene)
        self.visit.resident_id = "anna"

    def said(self, skin: float, frames: int, width: float = NEAR) -> set[tuple[bool, Reason | None]]:
        """Show the face for some frames; return every verdict meanwhile."""
        self.skin.alive = {0: skin}
        verdicts = []
        for _ in range(frames):
            self.visit.show(ANNA, 1, width=width)
            verdicts.append(self.visit.assess())
        return {(one.passed, one.reason) for one in verdicts if one is not None}

    def believes(self, alive: float) -> None:
        """Have the pair say so from now on."""
        for eye in self.pair:
            eye.alive = {0: alive}

    def comes_again(self, after: float, resident_id: str = "anna") -> None:
        """Leave, and be on a track of one's own afterwards."""
        self.visit.check.reset(self.visit.track_id)
        self.visit.away(after)
        self.visit.track_id += 1
        self.visit.resident_id = resident_id


@pytest.mark.parametrize(
    ("skin", "is_doubtful", "is_split"), [(0.2, True, True), (0.4, True, False), (0.5, False, False)]
)
def test_how_far_the_two_opinions_may_be_apart(skin, is_doubtful, is_split):
    fused = fuse({"silentface-2.7": 0.97, "silentface-4.0": 0.97, "faceplugin": skin})

    assert fused.is_live
    assert (fused.is_doubtful, fused.is_split) == (is_doubtful, is_split)


def test_a_moment_that_looks_alive_opens_nothing_and_a_whole_window_does():
    door = Split()

    assert door.said(SCREEN, 14) == set()
    assert OPENED not in door.said(ALIVE, WHOLE)
    assert OPENED in door.said(ALIVE, WHOLE)


def test_every_doubt_begins_the_window_anew():
    door = Split()

    for _ in range(6):
        assert OPENED not in door.said(SCREEN, 14)
        assert OPENED not in door.said(ALIVE, 15)


def test_who_was_only_far_off_when_the_two_disagreed_is_let_in_near_by():
    door = Split()

    assert OPENED not in door.said(SCREEN, 14, AFAR)
    assert OPENED in door.said(ALIVE, WHOLE)


def test_whoever_is_agreed_on_from_the_start_is_let_in():
    assert OPENED in Split().said(ALIVE, 15)


def test_a_doubt_that_is_not_large_is_cleared_up_at_once():
    door = Split()

    assert door.said(0.4, 14) == set()
    assert OPENED in door.said(ALIVE, 14)


@pytest.mark.parametrize(("pair", "skin"), [(0.8, 0.05), (FALLEN_FOR, SCREEN), (FALLEN_FOR, 0.4)])
def test_who_was_in_doubt_a_moment_ago_and_comes_again_waits_for_a_whole_window(pair, skin):
    """A screen that is held up again and again shows a good half second at the third or fourth time."""
    door = Split()
    door.believes(pair)
    door.said(skin, 14)
    door.believes(FALLEN_FOR)

    for _ in range(3):
        door.comes_again(1.5)
        assert OPENED not in door.said(ALIVE, WHOLE)
    assert OPENED in door.said(ALIVE, WHOLE)


@pytest.mark.parametrize(("after", "who"), [(DOUBTED_SECONDS + 1, "anna"), (1.5, "otto")])
def test_a_doubt_is_over_after_a_minute_and_is_nobody_elses(after, who):
    door = Split()

    door.said(SCREEN, 14)
    door.comes_again(after, who)
    assert OPENED in door.said(ALIVE, 15)


def test_who_was_found_alive_is_not_in_doubt_any_more():
    door = Split()

    door.said(SCREEN, 14)
    assert OPENED in door.said(ALIVE, 2 * WHOLE)
    door.comes_again(1.5)
    assert OPENED in door.said(ALIVE, 15)


def test_who_was_refused_near_by_and_stands_there_still_waits_for_a_whole_window():
    """A screen that is judged again where it stands shows a good half second at the third time."""
    door = Split()
    door.believes(0.4)

    assert door.said(SCREEN, 14) == {(False, Reason.PRESENTATION_ATTACK)}
    door.visit.check.reset(door.visit.track_id)
    door.believes(FALLEN_FOR)
    assert OPENED not in door.said(ALIVE, 15 + WHOLE)
    assert OPENED in door.said(ALIVE, 14)


@pytest.mark.parametrize("away", [0.0, 0.3])
def test_a_doubt_is_not_shaken_off(away):
    """A screen that is shaken, or hidden for a moment, is judged anew: on its track or on the next."""
    door = Split()

    door.said(SCREEN, 14)
    if away:
        door.comes_again(away)
    else:
        door.visit.check.reset(door.visit.track_id)
    assert OPENED not in door.said(ALIVE, WHOLE)
    assert OPENED in door.said(ALIVE, WHOLE)


def test_time_in_which_nothing_could_be_judged_is_no_window_without_doubt():
    """A screen is tilted between two moments in which it looks alive."""
    door = Split()

    door.said(SCREEN, 14)
    door.said(ALIVE, WHOLE)
    door.visit.show(Actor(0, axis(0), turned=0.6), WHOLE, width=NEAR)
    assert OPENED not in door.said(ALIVE, 15)
    assert OPENED in door.said(ALIVE, 15)


def test_nor_is_one_of_the_visit_before():
    door = Split()

    door.said(0.4, 14)
    door.comes_again(1.5)
    door.said(0.4, 9)
    door.visit.check.reset(door.visit.track_id)
    assert OPENED not in door.said(ALIVE, WHOLE)
    assert OPENED in door.said(ALIVE, WHOLE)


def test_who_comes_after_a_refused_picture_had_gone_does_not():
    door = Split()
    door.believes(0.4)

    door.said(SCREEN, 14)
    door.comes_again(1.5)
    door.believes(FALLEN_FOR)
    assert OPENED in door.said(ALIVE, 15)


@pytest.mark.parametrize("away", [0.8, 2.0])
def test_who_was_refused_from_afar_opens_nothing_from_there(away):
    """A screen held up again and again at arm's length from the door, too small to be judged well."""
    door = Split()
    door.believes(0.4)

    door.said(SCREEN, 14, AFAR)
    door.believes(FALLEN_FOR)
    door.comes_again(away)
    assert OPENED not in door.said(0.4, 9, AFAR) | door.said(ALIVE, 3 * WHOLE, AFAR)
    assert OPENED in door.said(ALIVE, 2 * WHOLE)


def test_who_was_refused_from_afar_is_let_in_at_once_near_by():
    door = Split()
    door.believes(0.4)

    door.said(SCREEN, 14, AFAR)
    door.believes(FALLEN_FOR)
    door.comes_again(1.5)
    assert OPENED in door.said(ALIVE, 15)
