"""Intervals against published values and against brute force."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bench.pad.rates import bootstrap_mean, clopper_pearson, trials_for_claim


class TestClopperPearson:
    @pytest.mark.parametrize(
        ("errors", "trials", "low", "high"),
        [
            (0, 5, 0.0, 0.5218),
            (0, 4, 0.0, 0.6024),
            (1, 10, 0.0025, 0.4450),
            (5, 10, 0.1871, 0.8129),
            (10, 10, 0.6915, 1.0),
        ],
    )
    def test_known_intervals(self, errors, trials, low, high):
        assert clopper_pearson(errors, trials) == pytest.approx((low, high), abs=1e-4)

    def test_without_trials_everything_is_possible(self):
        assert clopper_pearson(0, 0) == (0.0, 1.0)

    @given(st.integers(1, 120), st.data())
    def test_the_rate_lies_within_and_more_errors_move_it_up(self, trials, data):
        errors = data.draw(st.integers(0, trials))
        low, high = clopper_pearson(errors, trials)

        assert 0.0 <= low <= errors / trials <= high <= 1.0
        if errors < trials:
            assert clopper_pearson(errors + 1, trials)[1] >= high

    def test_more_errors_than_trials_is_a_mistake(self):
        with pytest.raises(ValueError, match="3 errors in 2"):
            clopper_pearson(3, 2)


class TestClaims:
    def test_the_rule_of_three(self):
        assert trials_for_claim(0.05) == 59
        assert trials_for_claim(0.01) == 299


class TestBootstrap:
    def test_the_same_seed_gives_the_same_interval(self):
        values = [0.0] * 9 + [1.0]

        low, high = bootstrap_mean(values)

        assert bootstrap_mean(values) == (low, high)
        assert low == 0.0
        assert 0.2 <= high <= 0.4

    def test_nobody_measured_is_nothing_known(self):
        assert bootstrap_mean([]) == (0.0, 1.0)
