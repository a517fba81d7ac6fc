from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.policy.holidays import public_days
from edge.policy.schedule import ALWAYS, HOLIDAY, NEVER, WEEKDAYS, Calendar, Schedule, Span

BERLIN = ZoneInfo("Europe/Berlin")  # forward on 2026-03-29 02:00, back on 2026-10-25 03:00
ZONES = ("UTC", "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")


def at(text: str, zone: ZoneInfo = BERLIN, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


def schedule(**days: list[str]) -> Schedule:
    return Schedule("test", {kind: tuple(Span.parse(text) for text in texts) for kind, texts in days.items()})


def open_minutes(calendar: Calendar, plan: Schedule, days: list[date]) -> set[tuple[date, int]]:
    """Return every open minute of the wall clock, found by walking each span minute by minute."""
    found = set()
    for day in days:
        kind = calendar.special.get(day, HOLIDAY if calendar.is_holiday(day) else "")
        if kind not in WEEKDAYS and kind not in plan.days:
            kind = WEEKDAYS[day.weekday()]
        for span in plan.days.get(kind, ()):
            label, minute = day, span.begin
            while True:
                found.add((label, minute))
                minute += 1
                if minute == 1440 and span.end != 1440:
                    label, minute = label + timedelta(days=1), 0
                if minute == span.end:
                    break
    return found


minutes = st.one_of(st.integers(0, 1439), st.sampled_from((0, 1, 60, 119, 120, 150, 180, 1439)))
spans = (
    st.tuples(minutes, st.one_of(minutes, st.just(1440)))
    .filter(lambda p: p[0] != p[1])
    .map(lambda p: Span(*p))
)
kinds = st.sampled_from((*WEEKDAYS, HOLIDAY, "fete"))
plans = st.dictionaries(kinds, st.lists(spans, max_size=3).map(tuple), max_size=9).map(
    lambda d: Schedule("p", d)
)
starts = st.one_of(
    st.dates(date(2020, 1, 1), date(2035, 12, 31)),
    st.sampled_from(
        [
            date(2026, month, day)
            for month, day in ((3, 28), (10, 24), (12, 30), (11, 1), (3, 7), (4, 4), (10, 3))
        ]
    ),
)


@settings(max_examples=60, deadline=None)
@given(plan=plans, zone=st.sampled_from(ZONES), start=starts, data=st.data())
def test_openings_are_those_of_a_walk_minute_by_minute(plan, zone, start, data):
    days = [start + timedelta(days=n) for n in range(-2, 4)]
    special = data.draw(st.dictionaries(st.sampled_from(days), kinds, max_size=2))
    holidays = data.draw(st.sets(st.sampled_from(days), max_size=2))
    calendar = Calendar(ZoneInfo(zone), special, holidays.__contains__)
    expected = open_minutes(calendar, plan, days)
    first = datetime.combine(start, datetime.min.time(), ZoneInfo(zone)).astimezone(UTC)
    for n in range(0, 2 * 1440, 7):
        moment = first + timedelta(minutes=n, seconds=n % 60)
        local = moment.astimezone(ZoneInfo(zone))
        wanted = (local.date(), local.hour * 60 + local.minute) in expected
        assert calendar.is_open(plan, moment) == wanted, (local, str(plan))


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-01-05T07:59:59", False),
        ("2026-01-05T08:00", True),
        ("2026-01-05T17:59:59", True),
        ("2026-01-05T18:00", False),
        ("2026-01-06T08:00", False),
    ],
)
def test_a_span_begins_on_the_minute_and_ends_before_it(moment, is_open):
    assert Calendar(BERLIN).is_open(schedule(mon=["08:00-18:00"]), at(moment)) is is_open


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-01-02T21:59", False),
        ("2026-01-02T22:00", True),
        ("2026-01-03T00:00", True),
        ("2026-01-03T05:59", True),
        ("2026-01-03T06:00", False),
        ("2026-01-03T22:30", False),
        ("2026-01-02T03:00", False),  # the night before belongs to Thursday
    ],
)
def test_a_night_belongs_to_the_day_it_begins_on(moment, is_open):
    assert Calendar(BERLIN).is_open(schedule(fri=["22:00-06:00"]), at(moment)) is is_open


def test_a_night_runs_into_the_holiday_and_the_new_year():
    calendar = Calendar(BERLIN, is_holiday={date(2027, 1, 1)}.__contains__)
    plan = schedule(thu=["20:00-04:00"], fri=["08:00-12:00"], holiday=[])
    assert calendar.is_open(plan, at("2026-12-31T23:59"))
    assert calendar.is_open(plan, at("2027-01-01T03:59"))
    assert not calendar.is_open(plan, at("2027-01-01T09:00"))
    assert calendar.is_open(plan, at("2027-01-08T09:00"))


def test_the_hour_that_does_not_happen_and_the_one_that_happens_twice():
    calendar = Calendar(BERLIN)
    plan = schedule(sun=["02:00-03:00"])
    spring = [at("2026-03-29T00:00") + timedelta(minutes=n) for n in range(360)]
    autumn = [at("2026-10-25T00:00") + timedelta(minutes=n) for n in range(360)]
    assert sum(calendar.is_open(plan, moment) for moment in spring) == 0
    assert sum(calendar.is_open(plan, moment) for moment in autumn) == 120
    assert calendar.is_open(plan, at("2026-10-25T02:30", fold=0))
    assert calendar.is_open(plan, at("2026-10-25T02:30", fold=1))


def test_the_same_wall_clock_hours_in_summer_and_winter():
    plan = schedule(**{day: ["08:00-09:00"] for day in WEEKDAYS})
    for moment in ("2026-01-15T08:30", "2026-07-15T08:30"):
        assert Calendar(BERLIN).is_open(plan, at(moment))
    assert at("2026-01-15T08:30").hour == 7
    assert at("2026-07-15T08:30").hour == 6


def test_a_holiday_not_spoken_of_is_an_ordinary_weekday():
    calendar = Calendar(BERLIN, is_holiday=lambda day: True)
    assert calendar.is_open(schedule(mon=["08:00-18:00"]), at("2026-01-05T09:00"))


def test_a_make_up_working_day_wins_over_the_calendar():
    saturday = date(2026, 10, 10)
    calendar = Calendar(BERLIN, {saturday: "fri"}, is_holiday=lambda day: True)
    plan = schedule(fri=["08:00-18:00"], sat=[], holiday=[])
    assert calendar.is_open(plan, at("2026-10-10T09:00"))


def test_a_weekend_on_which_people_work_has_the_hours_of_the_weekday_beside_it():
    public = public_days("CN")
    calendar = Calendar(ZoneInfo("Asia/Shanghai"), {}, public.is_holiday, public.made_up_as)
    plan = schedule(mon=["06:00-07:00"], fri=["08:00-18:00"], sat=[], sun=[], holiday=[])
    hours = {day: calendar.spans_on(plan, date(2026, *day)) for day in [(2, 14), (2, 28), (10, 10), (2, 21)]}
    assert hours == {
        (2, 14): plan.days["fri"],
        (2, 28): plan.days["fri"],
        (10, 10): plan.days["fri"],
        (2, 21): (),
    }
    assert calendar.spans_on(plan, date(2026, 1, 4)) == plan.days["mon"], "a Sunday"
    assert calendar.spans_on(plan, date(2026, 2, 16)) == (), "New Year's Eve"
    own = Calendar(calendar.zone, {date(2026, 2, 14): "sat"}, public.is_holiday, public.made_up_as)
    assert own.spans_on(plan, date(2026, 2, 14)) == (), "the site's own word wins"


@pytest.mark.parametrize("country", ["DE", "US", "JP"])
def test_where_nobody_makes_up_for_a_day_a_weekend_is_one(country):
    public = public_days(country)
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    assert {public.made_up_as(day) for day in days} == {""}


def test_an_opening_names_the_day_it_began_on():
    calendar = Calendar(BERLIN)
    plan = schedule(fri=["22:00-06:00"])
    evening, morning = (calendar.opening(plan, at(t)) for t in ("2026-01-02T23:00", "2026-01-03T05:00"))
    assert evening == morning
    assert evening is not None
    assert evening.day == date(2026, 1, 2)


@pytest.mark.parametrize(
    "text", ["", "8:00-18:00", "08:00", "08:00-08:00", "24:00-08:00", "08:00-24:30", "25:00-26:00"]
)
def test_nonsense_is_no_span(text):
    with pytest.raises(ValueError, match="is no span of a day"):
        Span.parse(text)


@given(spans)
def test_a_span_reads_back_as_written(span):
    assert Span.parse(str(span)) == span


@given(
    st.dates(date(1, 1, 2), date(9999, 12, 30)).map(lambda d: datetime(d.year, d.month, d.day, tzinfo=UTC))
)
def test_always_and_never(moment):
    calendar = Calendar(ZoneInfo("Asia/Shanghai"))
    assert calendar.is_open(ALWAYS, moment)
    assert not calendar.is_open(NEVER, moment)
    assert ALWAYS.is_always
    assert not NEVER.is_always


def test_always_is_not_claimed_when_a_holiday_is_shut():
    days = {day: ["00:00-24:00"] for day in WEEKDAYS}
    assert schedule(**days).is_always
    assert not schedule(**days, holiday=[]).is_always
