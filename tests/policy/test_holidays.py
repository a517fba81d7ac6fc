"""A country's calendar, asked by several threads at once."""

from __future__ import annotations

import threading
from datetime import date

from edge.policy.holidays import PublicDays
from tests.waiting import PATIENCE, wait_until

THREADS = 4
NEW_YEAR = date(2026, 1, 1)


class LazyCalendar:
    """As the library's: it notes that it has looked at a year, and then works the year out."""

    def __init__(self, asked: list[int]) -> None:
        self._asked = asked
        self._years: set[int] = set()
        self._days: set[date] = set()

    def __contains__(self, day: date) -> bool:
        if day.year not in self._years:
            self._years.add(day.year)
            wait_until(lambda: len(self._asked) == THREADS)
            self._days.add(NEW_YEAR)
        return day in self._days


def test_whoever_asks_while_a_year_is_worked_out_is_told_of_its_holidays():
    asked: list[int] = []
    answers: list[bool] = []
    public = PublicDays(LazyCalendar(asked))

    def ask() -> None:
        asked.append(1)
        answers.append(public.is_holiday(NEW_YEAR))

    threads = [threading.Thread(target=ask, daemon=True) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert answers == [True] * THREADS
