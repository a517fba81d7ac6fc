"""How sure the networks are counts, not only what they say on average; and the looks from near by decide."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain import Reason
from edge.faces.liveness.fusion import ALLOWED_SETS, MOST_ODDS, PAIR, SKIN_WEIGHT, SURE_ODDS, odds
from tests.faces.liveness.test_split import AFAR, ASKED, NEAR, OPENED, WHOLE, Split

SURE, FALLEN_FOR, SKIN = 0.9999, 0.89, 0.75
"""What the pair says of a face and of a screen that look alive for a moment, and faceplugin of both."""


def scores(pair: float, skin: float) -> dict[str, float]:
    return {**dict.fromkeys(PAIR, pair), "faceplugin": skin}


class TestOdds:
    def test_tell_a_face_from_a_screen_where_the_mean_of_the_scores_does_not(self):
        face, screen = odds(scores(SURE, SKIN)), odds(scores(FALLEN_FOR, SKIN))

        assert face is not None
        assert screen is not None
        assert screen < SURE_ODDS < face

    @pytest.mark.parametrize("names", [("faceplugin",), (*PAIR, "texture"), PAIR, ()])
    def test_are_unknown_where_nothing_was_measured(self, names):
        assert odds(dict.fromkeys(names, 0.9)) is None

    @given(st.floats(0, 1), st.floats(0, 1))
    def test_are_finite_and_bounded_for_every_score(self, pair, skin):
        value = odds(scores(pair, skin))

        assert value is not None
        assert math.isfinite(value)
        assert abs(value) <= (1 + SKIN_WEIGHT) * MOST_ODDS

    @given(st.sampled_from(ALLOWED_SETS), st.floats(0, 1), st.floats(0, 1))
    def test_never_fall_where_a_score_rises(self, names, one, other):
        less, more = (odds(dict.fromkeys(names, value)) for value in sorted((one, other)))

        assert less is None or (more is not None and less <= more)


class TestAMomentThatLooksAlive:
    """A screen that walks up quickly: both opinions are over the line for a second, and neither is sure."""

    def test_opens_nothing(self):
        door = Split()
        door.believes(FALLEN_FOR)

        assert door.said(SKIN, WHOLE + 20) == {ASKED}

    def test_opens_for_a_face_of_which_the_pair_is_sure(self):
        door = Split()
        door.believes(SURE)

        assert OPENED in door.said(SKIN, WHOLE)

    def test_asks_for_nothing_from_afar_where_a_step_nearer_may_be_enough(self):
        door = Split()
        door.believes(0.85)

        assert door.said(0.65, WHOLE + 20, AFAR) <= {(False, Reason.PAD_NO_RESPONSE)}


class TestWhoComesNearer:
    """One of seven people has 0.3 at 60 to 90 px and 0.9 near by."""

    def test_is_judged_by_the_looks_from_near_by_as_soon_as_they_are_enough(self):
        door = Split()
        door.believes(0.55)
        door.said(0.02, 5, AFAR)
        door.believes(0.95)

        assert OPENED in door.said(0.95, 9, NEAR)

    def test_looked_more_alive_from_afar_and_is_a_screen(self):
        door = Split()
        door.said(0.95, 6, AFAR)

        assert OPENED not in door.said(0.02, WHOLE + 20, NEAR)
