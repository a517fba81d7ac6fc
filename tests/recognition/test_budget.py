"""However often somebody comes and goes, one camera spends no more than so much an hour."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.recognition.budget import HOUR_SECONDS, LEAST_PART, VISITS_AN_HOUR, HourlyBudget


def test_an_ordinary_hour_pays_every_look_in_full():
    budget = HourlyBudget()
    assert [budget.take(n * 8.0, 1 / 8) for n in range(390)] == [1 / 8] * 390


def test_who_tries_without_end_gets_less_and_less_and_is_never_refused_outright():
    budget = HourlyBudget()
    given_out = [budget.take(n * 0.5, 1 / 8) for n in range(7000)]
    assert sum(given_out) <= VISITS_AN_HOUR + 7000 * LEAST_PART / 8
    assert given_out == sorted(given_out, reverse=True)
    assert min(given_out) >= LEAST_PART / 8


@given(
    st.lists(st.tuples(st.floats(0, 600), st.floats(1e-4, 1.0)), min_size=1, max_size=400),
    st.floats(1.0, 20.0),
)
def test_no_hour_spends_more_than_the_limit(tries, limit):
    budget, now, spent = HourlyBudget(limit), 0.0, []
    for wait, share in tries:
        now += wait
        spent.append((now, budget.take(now, share)))
        last_hour = sum(amount for at, amount in spent if now - at < HOUR_SECONDS - 60)
        least = LEAST_PART * len(spent)
        assert last_hour <= limit + 1 + least  # the look that crosses the limit may take one visit's rate


def test_what_a_resident_spent_is_given_back():
    budget = HourlyBudget(limit=2.0)
    for n in range(1000):
        budget.give_back(budget.take(float(n), 1 / 8))
    assert budget.spent(1000.0) == pytest.approx(0.0)
    assert budget.take(1000.0, 1 / 8) == 1 / 8


def test_an_hour_later_all_is_forgotten():
    budget = HourlyBudget(limit=1.0)
    for n in range(100):
        budget.take(float(n), 1.0)
    assert budget.take(100.0, 1.0) < 0.01
    assert budget.take(HOUR_SECONDS + 100.0, 1.0) == 1.0


def test_half_a_budget_is_news_once_an_hour():
    budget, told = HourlyBudget(limit=10.0), 0
    for n in range(7200):
        budget.take(float(n), 1 / 8)
        told += budget.is_news(float(n))
    assert told == 2
