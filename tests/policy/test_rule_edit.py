"""One thing in a file of rules is changed: it says what was wanted, and everything else is as it was."""

from __future__ import annotations

import tomllib
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from edge.errors import PanelRefused
from edge.policy.rule_edit import DaysEdit, LevelEdit, Removal, ScheduleEdit, edited
from edge.policy.rules_toml import GROUPS_OF_DAYS, parse_rules
from edge.policy.schedule import HOLIDAY, WEEKDAYS, Span
from tests.places import REPOSITORY

EXAMPLE = (REPOSITORY / "systemd" / "rules.toml").read_text(encoding="utf-8")
DAY, NIGHT = (Span(480, 1080),), (Span(1320, 360),)

a_day = some.sampled_from([(), DAY, NIGHT, (Span(480, 720), Span(780, 1080))])
names = some.lists(some.sampled_from([*GROUPS_OF_DAYS, *WEEKDAYS, HOLIDAY]), unique=True)


def written(keys, hours):
    rows = "".join(
        f"{key} = [{', '.join(repr(str(one)) for one in spans)}]\n"
        for key, spans in zip(keys, hours, strict=True)
    )
    return f'# ours\n[schedules.x]\n{rows}\n[levels.resident]\nschedule = "x" # the only one\n'


@given(some.data())
@settings(max_examples=200, deadline=None)
def test_a_schedule_says_what_was_wanted_however_it_was_written(data):
    keys = data.draw(names)
    text = written(keys, [data.draw(a_day) for _ in keys])
    wanted = {day: data.draw(a_day) for day in WEEKDAYS} | data.draw(
        some.sampled_from([{}, {HOLIDAY: ()}, {HOLIDAY: NIGHT}])
    )

    days = parse_rules(edited(text, ScheduleEdit("x", wanted))).schedules["x"].days

    assert {day: days.get(day, ()) for day in WEEKDAYS} == {day: wanted[day] for day in WEEKDAYS}
    assert days.get(HOLIDAY) == wanted.get(HOLIDAY)


def lines_that_differ(before, after):
    return [line for line in before.splitlines() if line not in after.splitlines()], [
        line for line in after.splitlines() if line not in before.splitlines()
    ]


def test_one_hour_changes_one_line_and_keeps_its_comment():
    hours = dict.fromkeys(WEEKDAYS[:5], (Span(360, 660),)) | {"sat": (Span(1320, 120),), HOLIDAY: ()}
    gone, new = lines_that_differ(EXAMPLE, edited(EXAMPLE, ScheduleEdit("cleaning", hours)))
    assert [line.replace("10:00", "11:00") for line in gone] == new
    assert "mon..sun" in new[0]


def test_what_is_as_it_was_changes_no_letter():
    book = parse_rules(EXAMPLE)
    same: list[Any] = [
        *(ScheduleEdit(one.name, one.days) for one in book.schedules.values()),
        LevelEdit("cleaner", "cleaning", ("north-gate",), ("card", "pin")),
        DaysEdit("", "", book.calendar.special),
    ]
    for edit in same:
        assert edited(EXAMPLE, edit) == EXAMPLE


def test_the_first_level_that_is_named_does_not_take_everybodys_away():
    rules = parse_rules(edited("", LevelEdit("cleaner", "never")))
    assert rules.levels["resident"].schedule.is_always


def test_a_level_that_is_open_to_every_way_again_says_nothing_of_ways():
    text = edited(EXAMPLE, LevelEdit("cleaner", "night", ("north-gate",)))
    assert tomllib.loads(text)["levels"]["cleaner"] == {"doors": ["north-gate"], "schedule": "night"}


def test_a_kind_of_day_comes_with_its_first_date():
    edit = ScheduleEdit("fair", {"fete": NIGHT}, {date(2027, 6, 1): "fete"})
    book = parse_rules(edited(EXAMPLE, edit))
    assert book.calendar.special[date(2027, 6, 1)] == "fete"
    assert book.calendar.special[date(2026, 10, 10)] == "fri", "the other days stay"


def test_days_are_taken_out_and_a_country_comes_in():
    book = tomllib.loads(edited(EXAMPLE, DaysEdit("CN", "", {date(2027, 2, 6): "holiday"})))
    assert book["special_days"] == {"2027-02-06": "holiday"}
    assert book["holidays"] == {"country": "CN"}


def test_what_is_removed_is_gone_and_nothing_else():
    before, after = tomllib.loads(EXAMPLE), tomllib.loads(edited(EXAMPLE, Removal("schedules", "night")))
    assert before["schedules"].pop("night")
    assert after == before


@pytest.mark.parametrize(
    "text",
    [
        "[schedules]\nwork = {mon = ['08:00-09:00']} # inline\n",
        "schedules.work.mon = ['08:00-09:00'] # dotted\n",
        "[schedules.a]\nmon = []\n[levels.x]\nschedule = 'always'\n[schedules.work] # apart\nmon = []\n",
        "[schedules.work]\r\nmon = [\r\n  '08:00-09:00',\r\n] # early\r\n",
    ],
)
def test_files_in_any_style_are_changed(text):
    wanted = dict.fromkeys(WEEKDAYS, DAY)
    changed = edited(text, ScheduleEdit("work", wanted))
    assert dict(parse_rules(changed).schedules["work"].days) == wanted
    assert ("#" in text) == ("#" in changed)


def test_a_file_that_is_none_is_left_alone():
    with pytest.raises(PanelRefused):
        edited("schedules = 3\n", ScheduleEdit("work", {}))
