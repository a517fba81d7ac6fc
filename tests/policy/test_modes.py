from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from edge.policy.modes import DoorModes, Mode, ModeState
from edge.policy.schedule import Calendar, Schedule, Span
from edge.policy.trust import Believe

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)  # a Monday
OFFICE = Schedule("office", {day: (Span.parse("08:00-18:00"),) for day in ("mon", "tue")})
HOUR = timedelta(hours=1)


class Trust:
    """A clock whose trustworthiness can be switched: known, and somebody stands behind it."""

    def __init__(self) -> None:
        self.floor = datetime(1970, 1, 1, tzinfo=UTC)
        self.is_sure = True
        self.is_vouched = True

    def moments(self, at: datetime) -> tuple[datetime, ...]:
        return (at,) if self.is_sure else ()

    def vouches(self, at: datetime) -> bool:
        return self.is_sure and self.is_vouched


class Contradicted(Trust):
    """A clock with a second opinion, three hours behind the first."""

    def moments(self, at: datetime) -> tuple[datetime, ...]:
        return (at, at - 3 * HOUR)


def door(usual: Mode = Mode.NORMAL, trust=None) -> DoorModes:
    return DoorModes(Calendar(ZoneInfo("UTC")), OFFICE, usual, trust or Believe())


@pytest.mark.parametrize(
    ("mode", "noon", "night"),
    [
        (Mode.NORMAL, False, False),
        (Mode.UNLOCKED, True, True),
        (Mode.SCHEDULED, True, False),
        (Mode.FIRST_PERSON_IN, False, False),
        (Mode.LOCKED_DOWN, False, False),
        (Mode.EVACUATION, True, True),
    ],
)
@pytest.mark.parametrize("is_usual", [True, False])
def test_when_each_mode_holds_the_door_open(mode, noon, night, is_usual):
    modes = door(mode if is_usual else Mode.NORMAL)
    if not is_usual:
        modes.set(ModeState(mode, by="staff"))
    assert modes.mode(NOON) is mode
    assert modes.is_held_unlocked(NOON) is noon
    assert modes.is_held_unlocked(NOON + 12 * HOUR) is night


def test_the_first_person_opens_the_door_until_the_end_of_the_hours():
    modes = door(Mode.FIRST_PERSON_IN)
    modes.note_entry(NOON - HOUR)
    assert modes.is_held_unlocked(NOON)
    assert modes.is_held_unlocked(NOON + 6 * HOUR - timedelta(seconds=1))
    assert not modes.is_held_unlocked(NOON + 6 * HOUR)
    tomorrow = NOON + 24 * HOUR
    assert not modes.is_held_unlocked(tomorrow)
    modes.note_entry(tomorrow)
    assert modes.is_held_unlocked(tomorrow + HOUR)


def test_whoever_comes_before_the_hours_does_not_open_the_day():
    modes = door(Mode.FIRST_PERSON_IN)
    modes.note_entry(NOON.replace(hour=7))
    assert not modes.is_held_unlocked(NOON)


def test_setting_a_mode_starts_without_a_first_person():
    modes = door(Mode.FIRST_PERSON_IN)
    modes.note_entry(NOON)
    modes.set(ModeState(Mode.LOCKED_DOWN))
    modes.resume()
    assert modes.mode(NOON) is Mode.FIRST_PERSON_IN
    assert not modes.is_held_unlocked(NOON)


def test_a_timed_mode_ends_on_time():
    modes = door()
    modes.set(ModeState(Mode.UNLOCKED, until=NOON + HOUR, by="staff"))
    assert modes.is_held_unlocked(NOON + HOUR - timedelta(seconds=1))
    assert not modes.is_held_unlocked(NOON + HOUR)
    assert modes.state.by == "staff"


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (Mode.UNLOCKED, Mode.NORMAL),
        (Mode.LOCKED_DOWN, Mode.LOCKED_DOWN),
        (Mode.EVACUATION, Mode.EVACUATION),
    ],
)
@pytest.mark.parametrize("leap", [timedelta(days=-900), timedelta(0), timedelta(days=900)])
def test_a_leaping_clock_neither_ends_an_emergency_nor_keeps_a_door_open(mode, expected, leap):
    trust = Trust()
    modes = door(trust=trust)
    modes.set(ModeState(mode, until=NOON + HOUR))
    trust.is_sure = False
    assert modes.mode(NOON + leap) is expected


def test_no_schedule_holds_a_door_open_while_the_time_is_not_known():
    trust = Trust()
    modes = door(Mode.SCHEDULED, trust)
    trust.is_sure = False
    assert not modes.is_held_unlocked(NOON)
    trust.is_sure = True
    assert modes.is_held_unlocked(NOON)


@pytest.mark.parametrize("mode", [Mode.SCHEDULED, Mode.FIRST_PERSON_IN])
def test_a_clock_that_nobody_stands_behind_unlocks_for_nobody_and_ends_an_emergency(mode):
    trust = Trust()
    modes = door(mode, trust)
    trust.is_vouched = False
    modes.note_entry(NOON)
    assert not modes.is_held_unlocked(NOON)
    modes.set(ModeState(Mode.UNLOCKED, until=NOON + HOUR))
    assert not modes.is_held_unlocked(NOON)
    modes.set(ModeState(Mode.LOCKED_DOWN, until=NOON + HOUR))
    assert modes.mode(NOON) is Mode.LOCKED_DOWN
    assert modes.mode(NOON + HOUR) is mode


def test_an_emergency_outlasts_the_later_of_two_times_that_contradict():
    modes = door(trust=Contradicted())
    modes.set(ModeState(Mode.LOCKED_DOWN, until=NOON))
    assert modes.mode(NOON + 2 * HOUR) is Mode.LOCKED_DOWN
    assert modes.mode(NOON + 3 * HOUR) is Mode.NORMAL


@pytest.mark.parametrize("mode", list(Mode))
def test_a_door_without_hours_is_held_unlocked_by_no_schedule(mode):
    modes = DoorModes(Calendar(ZoneInfo("UTC")))
    modes.set(ModeState(mode))
    modes.note_entry(NOON)
    assert modes.is_held_unlocked(NOON) == (mode in (Mode.UNLOCKED, Mode.EVACUATION))
