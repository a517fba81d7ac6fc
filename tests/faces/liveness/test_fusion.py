"""Cue scores become a verdict in one place, and a missing cue is never skipped."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.faces.liveness.fusion import ALLOWED_SETS, PAIR, fuse

LIVE = {"faceplugin": 0.9, "silentface-2.7": 0.9, "silentface-4.0": 0.9, "texture": 0.9}
score = st.floats(0, 1)


def of(names, value: float) -> dict[str, float]:
    return dict.fromkeys(names, value)


class TestVotes:
    def test_the_pair_has_one_vote_and_all_others_one_between_them(self):
        fused = fuse({"silentface-2.7": 1.0, "silentface-4.0": 0.8, "faceplugin": 0.4, "texture": 0.0})

        assert fused.score == pytest.approx((0.9 + 0.2) / 2)
        assert fused.is_live

    def test_the_pair_alone_can_refuse(self):
        assert not fuse({"silentface-2.7": 0.3, "silentface-4.0": 0.6, "faceplugin": 1.0}).is_live

    def test_a_narrow_pass_is_doubtful_and_a_clear_one_is_not(self):
        assert fuse(of(("faceplugin",), 0.6)).is_doubtful
        assert not fuse(of(("faceplugin",), 0.8)).is_doubtful
        assert not fuse(of(("faceplugin",), 0.4)).is_doubtful

    @pytest.mark.parametrize("names", ALLOWED_SETS, ids="+".join)
    def test_half_is_the_line_for_every_set(self, names):
        assert fuse(of(names, 0.5)).is_live
        assert not fuse(of(names, 0.4999)).is_live


class TestClosed:
    @pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf, -0.01, 1.01])
    @pytest.mark.parametrize("name", LIVE)
    def test_a_number_that_is_no_score_is_an_error(self, name, wrong):
        with pytest.raises(ValueError, match=r"0\.\.1"):
            fuse({**LIVE, name: wrong})

    @pytest.mark.parametrize(
        "names", [(), ("texture",), PAIR, PAIR[:1], ("faceplugin", "texture"), ("other",), (*LIVE, "x")]
    )
    def test_a_set_without_a_measured_rule_is_an_error(self, names):
        with pytest.raises(ValueError, match="no rule"):
            fuse(of(names, 1.0))

    @given(st.sampled_from(ALLOWED_SETS), st.data())
    def test_raising_any_cue_never_refuses(self, names, data):
        means = {name: data.draw(score) for name in names}
        name = data.draw(st.sampled_from(names))
        raised = {**means, name: data.draw(st.floats(means[name], 1))}

        assert fuse(raised).is_live or not fuse(means).is_live

    @given(st.sampled_from(ALLOWED_SETS), st.data())
    def test_nothing_passes_when_every_cue_says_picture(self, names, data):
        assert not fuse({name: data.draw(st.floats(0, 0.499)) for name in names}).is_live
