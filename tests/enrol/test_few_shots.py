"""Who is enrolled with fewer than three different pictures is told what it costs."""

from __future__ import annotations

import numpy as np
import pytest

from edge.enrol.few_shots import MISSED, advice, different, missed
from edge.enrol.session import judged_by_turns
from edge.enrol.shots import mean_of
from edge.enrol.verdict import measured_by_turns
from tests.fakes.scene import Residents, axis, leaning


def test_the_same_picture_three_times_is_one_picture() -> None:
    assert different([axis(0)] * 3) == 1
    assert different([axis(0), leaning(0, 0.99), leaning(0, 0.9, other=2)]) == 2
    assert different([leaning(0, 0.9, other=n) for n in (1, 2, 3)]) == 3
    assert different([]) == 0


@pytest.mark.parametrize("pictures", [0, 1, 2])
def test_fewer_than_three_are_warned_of_by_size_of_gallery(pictures: int) -> None:
    small, large = str(advice(pictures, 8)), str(advice(pictures, 800))
    assert "gallery of 8 " in small
    assert "gallery of 800 " in large
    assert f"{MISSED[0][1]:.0%}" in small
    assert f"{MISSED[-1][1]:.0%}" in large


def test_three_are_enough() -> None:
    assert advice(3, 100_000) is None


def test_more_residents_never_promise_fewer_misses() -> None:
    shares = [missed(residents) for residents in (0, 1, 10, 30, 100, 299, 1000, 10**6)]
    assert all(np.diff([one for one, _ in shares]) >= 0)
    assert all(three < one / 3 for one, three in shares)


def test_of_three_photos_all_are_kept_and_each_is_measured_against_the_others() -> None:
    shots = [leaning(0, 0.9, other=n) for n in (1, 2, 3)]
    outcome = judged_by_turns("anna", shots, Residents({}))
    assert len(outcome.rows) == 4
    assert np.allclose(outcome.rows[-1], mean_of(shots))
    assert outcome.report is not None
    assert len(outcome.report.similarities) == 3
    pair = mean_of(shots[:2])
    assert outcome.report.similarities[2] == pytest.approx(float(pair @ shots[2]), abs=1e-5)


def test_two_photos_are_measured_against_each_other() -> None:
    report = measured_by_turns([axis(0), leaning(0, 0.8)], 0.4)
    assert report.similarities == pytest.approx((0.8, 0.8), abs=1e-5)
    assert report.templates == 3
