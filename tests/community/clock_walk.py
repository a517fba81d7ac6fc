"""Promised times against a walk minute by minute, over random schedules, zones and holidays.

python -m tests.community.clock_walk --histories 10000
"""

from __future__ import annotations

import argparse
import random
import sys
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from edge.policy.schedule import WEEKDAYS, Calendar, Schedule, Span
from facegate_hub.community.clocks import Hours

ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca")
"""One without, four with clocks that change: by an hour, by half an hour, in a zone off by half an hour."""


def random_hours(rng: random.Random, zone: str) -> tuple[Hours, int]:
    """Return hours, and a moment near which the zone's clocks may change."""

    def spans():
        marks = rng.sample(range(0, 24 * 60, 5), rng.choice([2, 2, 4]))
        return tuple(Span(one, two) for one, two in zip(marks[::2], marks[1::2], strict=True))

    days = {day: spans() for day in (*WEEKDAYS, "holiday") if rng.random() < 0.85}
    free = {date(2026, rng.randrange(1, 13), rng.randrange(1, 29)) for _ in range(60)}
    calendar = Calendar(ZoneInfo(zone), is_holiday=free.__contains__)
    month, day = rng.choice([(3, 28), (3, 7), (10, 24), (11, 1), (4, 4), (10, 3), (2, 15), (6, 1)])
    begin = datetime(2026, month, day, tzinfo=UTC) + timedelta(minutes=rng.randrange(2880))
    return Hours(Schedule("any", MappingProxyType(days)), calendar), int(begin.timestamp())


def is_open(hours: Hours, at: int) -> bool:
    return hours.calendar.is_open(hours.schedule, datetime.fromtimestamp(at, UTC))


def walk(hours: Hours, begin: int, end: int) -> int:
    return sum(60 for at in range(begin, end, 60) if is_open(hours, at))


def walk_after(hours: Hours, begin: int, seconds: int) -> int | None:
    for at in range(begin, begin + 30 * 86_400, 60):
        if is_open(hours, at):
            seconds -= 60
            if seconds == 0:
                return at + 60
    return hours.after(begin, seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--histories", type=int, default=10_000)
    wish = parser.parse_args()
    wrong = 0
    for number in range(wish.histories):
        rng = random.Random(number)
        hours, begin = random_hours(rng, ZONES[number % len(ZONES)])
        end = begin + rng.randrange(60 * 24 * 2) * 60
        wrong += hours.open_seconds(begin, end) != walk(hours, begin, end)
        seconds = rng.randrange(1, 60 * 9) * 60
        wrong += hours.after(begin, seconds) != walk_after(hours, begin, seconds)
    sys.stdout.write(f"{wish.histories} histories, {wrong} disagree\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
