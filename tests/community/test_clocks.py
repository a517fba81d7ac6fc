"""Clocks against a walk minute by minute: zones, nights when the clocks change, holidays, pauses."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

import pytest

from edge.policy.schedule import NEVER, WEEKDAYS, Calendar, Schedule, Span
from facegate_hub.community.clocks import MOST_DAYS, Hours
from tests.community.clock_walk import ZONES, random_hours, walk, walk_after


@pytest.mark.parametrize("zone", ZONES)
def test_open_time_is_what_a_walk_counts(zone):
    rng = random.Random(zone)
    for _ in range(12):
        hours, begin = random_hours(rng, zone)
        end = begin + rng.randrange(60 * 24 * 3) * 60
        assert hours.open_seconds(begin, end) == walk(hours, begin, end)
        seconds = rng.randrange(1, 60 * 9) * 60
        assert hours.after(begin, seconds) == walk_after(hours, begin, seconds)


def test_a_schedule_that_never_opens_has_no_moment():
    hours = Hours(NEVER, Calendar(ZoneInfo("UTC")))
    assert hours.after(0, 60) is None
    assert hours.open_seconds(0, MOST_DAYS * 86_400) == 0


def test_a_night_when_the_clocks_go_back_counts_its_hour_twice():
    night = Schedule("night", MappingProxyType(dict.fromkeys(WEEKDAYS, (Span(120, 180),))))
    hours = Hours(night, Calendar(ZoneInfo("Europe/Berlin")))
    begin = int(datetime(2026, 10, 24, 22, tzinfo=UTC).timestamp())
    assert hours.open_seconds(begin, begin + 86_400) == 7200
    begin = int(datetime(2026, 3, 28, 23, tzinfo=UTC).timestamp())
    assert hours.open_seconds(begin, begin + 82_800) == 0


def test_a_holiday_has_hours_of_its_own():
    days = MappingProxyType({**dict.fromkeys(WEEKDAYS, (Span(540, 1080),)), "holiday": (Span(600, 660),)})
    spring = Calendar(ZoneInfo("Asia/Shanghai"), is_holiday=lambda day: day == date(2026, 2, 17))
    hours = Hours(Schedule("office", days), spring)
    midnight = datetime(2026, 2, 17, tzinfo=ZoneInfo("Asia/Shanghai"))
    begin = int(midnight.timestamp())
    assert hours.open_seconds(begin, begin + 86_400) == 3600
    assert hours.after(begin, 7200) == int((midnight + timedelta(days=1, hours=10)).timestamp())
