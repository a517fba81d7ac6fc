"""One error rate for a whole visit, and no name without the face of this moment."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain import FIRST_LOOK_SHARE, Match, OperatingPoint, Reason, Verdict
from edge.recognition.evidence import (
    MAX_SHOTS,
    NEXT_SHARE,
    SUPPORT_SLACK,
    Evidence,
    is_hopeless,
    share_of_look,
    weigh,
)
from edge.words import Message
from tests.fakes.scene import axis, leaning

POINT = OperatingPoint(0.5, 0.05, 1e-3, 100, Message("basis.benchmark"))
SIMILARITY = st.one_of(st.floats(-1, 1), st.just(math.nan))


def match(similarity: float, who: str | None = "anna", runner_up: float = 0.1) -> Match:
    return Match(who, similarity, "bela", runner_up)


def test_all_looks_together_spend_no_more_than_the_visit_may():
    assert sum(share_of_look(look) for look in range(1, 100_000)) <= 1.0


def test_the_first_look_has_half_and_what_is_told_as_the_threshold_is_its() -> None:
    assert share_of_look(1) == FIRST_LOOK_SHARE == 0.5
    assert [share_of_look(look) for look in range(2, 7)] == [NEXT_SHARE] * 5
    assert share_of_look(7) < NEXT_SHARE


def test_one_very_clear_shot_is_enough():
    assert weigh(match(0.8), match(0.8), POINT) == (Verdict.GRANT, Reason.GRANTED)


@pytest.mark.parametrize(
    ("shot", "mean", "reason"),
    [
        (match(0.49), match(0.49), Reason.UNKNOWN_CREDENTIAL),
        (match(0.8, "bela"), match(0.8), Reason.COLLECTING),
        (match(0.30), match(0.6), Reason.COLLECTING),
        (match(0.6, runner_up=0.58), match(0.6, runner_up=0.58), Reason.AMBIGUOUS_MATCH),
        (match(-1.0, None), match(-1.0, None), Reason.UNKNOWN_CREDENTIAL),
        (match(math.nan), match(math.nan), Reason.UNKNOWN_CREDENTIAL),
        (match(math.nan), match(0.9), Reason.COLLECTING),
    ],
)
def test_what_is_missing_is_named(shot, mean, reason):
    assert weigh(shot, mean, POINT) == (Verdict.WAIT, reason)


@given(SIMILARITY, SIMILARITY, SIMILARITY, st.sampled_from(["anna", "bela", None]))
def test_nothing_is_granted_under_the_threshold(shot, mean, runner_up, who):
    """NaN included: a comparison that is not certainly true never opens."""
    verdict, _ = weigh(match(shot, who), match(mean, "anna", runner_up), POINT)

    if verdict is Verdict.GRANT:
        assert mean >= POINT.threshold
        assert shot >= POINT.threshold - SUPPORT_SLACK
        assert who == "anna"
        assert mean - runner_up >= POINT.margin


def test_shots_of_two_faces_are_never_averaged():
    evidence = Evidence()
    evidence.add(0.0, axis(0))

    assert not evidence.add(0.1, axis(1))
    assert np.array_equal(evidence.mean(), axis(1))


def test_old_shots_are_dropped_and_few_are_kept():
    evidence = Evidence()
    for n in range(20):
        evidence.add(n * 0.1, leaning(0, 0.9, other=n % 5 + 1))
    assert len(evidence.shots) == MAX_SHOTS

    evidence.add(100.0, axis(0))
    assert len(evidence.shots) == 1


def test_doubt_forgets_the_shots_but_not_the_looks_spent():
    evidence = Evidence(looks=4)
    evidence.add(0.0, axis(0))
    evidence.drop()

    assert evidence.looks == 4
    assert evidence.shots == []


def test_a_clear_stranger_is_given_up_early_a_near_match_later():
    assert is_hopeless(match(0.1), POINT, looks=3)
    assert not is_hopeless(match(0.1), POINT, looks=2)
    assert not is_hopeless(match(0.45), POINT, looks=4)
    assert is_hopeless(match(0.45), POINT, looks=5)
    assert is_hopeless(match(math.nan), POINT, looks=3)
