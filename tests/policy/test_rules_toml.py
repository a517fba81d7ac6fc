from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ConfigError
from edge.policy.lockout import LockoutRule
from edge.policy.modes import Mode
from edge.policy.passback import PassbackKind, PassbackRule
from edge.policy.rulebook import DisableReason, Level, RuleBook, UntrustedClock, UsualMode
from edge.policy.rules_toml import parse_rules
from edge.policy.schedule import ALWAYS, WEEKDAYS, Span

FULL = """
time_zone = "Asia/Shanghai"
untrusted_clock = "nobody"

[holidays]
country = "CN"

[special_days]
2026-10-10 = "fri"
2026-12-24 = "early"

[schedules.cleaning]
weekdays = ["06:00-10:00", "22:00-02:00"]
wed = []
holiday = []
early = ["06:00-08:00"]

[levels.resident]
schedule = "always"

[levels.cleaner]
doors = ["north", "garage"]
schedule = "cleaning"
methods = ["card", "pin"]

[levels.rescue]
schedule = "always"
passes_lockdown = true

[groups.family-12]
levels = ["resident"]
members = ["anna", "berta"]
needs_pin_with_face = true

[disabled]
carl = "moved_out"

[doors.shop]
mode = "scheduled"
schedule = "cleaning"

[passback]
kind = "timed"
seconds = 60
methods = ["card"]

[lockout]
pause_after = 3
switch_off = true
"""


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_rules(text, "my.toml")
    head, *rest = str(caught.value).splitlines()
    assert head == "my.toml: the access rules were not loaded:"
    return [line.strip() for line in rest]


def test_an_empty_file_is_the_rules_of_a_house_without_rules():
    book = parse_rules("")
    assert book.levels == {"resident": Level("resident")}
    assert (book.passback, book.lockout) == (RuleBook().passback, RuleBook().lockout)


def test_the_site_s_time_zone_counts_where_the_rules_name_none():
    assert parse_rules("", time_zone="Asia/Shanghai").calendar.zone.key == "Asia/Shanghai"
    assert parse_rules(FULL, time_zone="UTC").calendar.zone.key == "Asia/Shanghai"


@pytest.mark.parametrize(
    ("said", "without", "with_pad"),
    [
        ("switch_off = true", (5, 50), (10, 100)),
        ("pause_after = 5", (5, 50), (5, 100)),
        ("pause_after = 3\nalarm_after = 20", (3, 20), (3, 20)),
    ],
)
def test_what_the_lockout_leaves_open_depends_on_attack_detection(said, without, with_pad):
    book = parse_rules(f"[lockout]\n{said}")

    assert (book.lockout.pause_after, book.lockout.alarm_after) == without
    assert (book.lockout_with_pad.pause_after, book.lockout_with_pad.alarm_after) == with_pad


def test_everything_can_be_said():
    book = parse_rules(FULL)
    cleaner = book.levels["cleaner"]
    assert cleaner.doors == {"north", "garage"}
    assert cleaner.methods == {"card", "pin"}
    assert cleaner.schedule.days["thu"] == (Span(360, 600), Span(1320, 120))
    assert cleaner.schedule.days["wed"] == ()
    assert book.levels["resident"].schedule is ALWAYS
    assert book.levels["rescue"].passes_lockdown
    assert book.groups["family-12"].members == {"anna", "berta"}
    assert book.disabled == {"carl": DisableReason.MOVED_OUT}
    assert book.untrusted_clock is UntrustedClock.NOBODY
    assert book.usual_modes == {"shop": UsualMode(Mode.SCHEDULED, cleaner.schedule)}
    assert book.passback == PassbackRule(PassbackKind.TIMED, 60.0, frozenset({"card"}))
    assert book.lockout == LockoutRule(pause_after=3, switch_off=True)
    assert book.calendar.special[date(2026, 10, 10)] == "fri"


@pytest.mark.parametrize("mode", ["scheduled", "first_person_in"])
def test_a_mode_that_unlocks_needs_its_hours(mode):
    (line,) = mistakes(f'[doors.shop]\nmode = "{mode}"')
    assert line.startswith("doors.shop.schedule: missing; ")


@pytest.mark.parametrize("mode", ["normal", "unlocked"])
def test_hours_of_a_mode_that_has_none_are_a_mistake(mode):
    (line,) = mistakes(f'[doors.shop]\nmode = "{mode}"\nschedule = "always"')
    assert "has no hours" in line


def test_a_door_without_a_mode_is_a_mistake():
    (line,) = mistakes('[doors.shop]\nschedule = "always"')
    assert line.startswith("doors.shop.mode:")


def test_public_holidays_come_from_the_library():
    book = parse_rules(FULL)
    plan = book.levels["cleaner"].schedule
    assert book.calendar.is_holiday(date(2027, 1, 1))
    assert book.calendar.is_open(plan, datetime(2026, 12, 30, 23, 0, tzinfo=UTC))  # Thursday 07:00 there
    assert not book.calendar.is_open(plan, datetime(2026, 12, 31, 23, 0, tzinfo=UTC))  # New Year's Day


@pytest.mark.parametrize("day", ["2027-02-29", "2027/05/01", "01.05.2027", "2027年5月1日", "20270501", "5-1"])
def test_a_special_day_that_is_none_says_how_to_write_one(day):
    (line,) = mistakes(f'[special_days]\n"{day}" = "holiday"')
    assert f"special_days.{day}: this is no day of the calendar; write 2027-05-01" in line


def test_a_country_in_small_letters_says_what_to_write():
    (line,) = mistakes('holidays = { country = "cn" }')
    assert "'cn' has no holiday calendar; write CN" in line


def test_every_mistake_is_named_at_once():
    text = """
        time_zone = "Asia/Shangai"
        holidays = { country = "XX" }
        [special_days]
        2026-12-24 = "ealry"
        [schedules.always]
        mon = ["00:00-24:00"]
        [schedules.day]
        early = ["08:00-25:00"]
        mond = []
        [levels.cleaner]
        schedule = "days"
        [groups.cleaner]
        levels = ["cleanr"]
        [doors.gate]
        mode = "evacuation"
        schedule = "nver"
    """
    found = mistakes(text)
    assert [line.split(":")[0] for line in found] == [
        "schedules.always",
        "schedules.day.early",
        "time_zone",
        "special_days.2026-12-24",
        "schedules.day.early",
        "schedules.day.mond",
        "holidays",
        "levels.cleaner.schedule",
        "groups.cleaner",
        "groups.cleaner.levels",
        "doors.gate.mode",
        "doors.gate.schedule",
    ]
    assert "did you mean early?" in found[3]
    assert "did you mean mon?" in found[5]
    assert "did you mean day?" in found[7]
    assert "did you mean cleaner?" in found[9]


def test_unknown_settings_are_refused_with_a_hint():
    found = mistakes("time_zome = 5\n[levels.resident]\nshedule = 'always'\n[groups.g]\nmember = []\n")
    assert found == [
        "levels.resident.shedule: there is no such setting; did you mean schedule?",
        "groups.g.member: there is no such setting; did you mean members?",
        "time_zome: there is no such setting; did you mean time_zone?",
    ]


def test_arrears_are_not_accepted_as_a_reason():
    (line,) = mistakes("[disabled]\nanna = 'arrears'")
    assert line.startswith("disabled.anna: ")
    assert "'arrears'" in line


@pytest.mark.parametrize(
    "setting",
    ["pause_after = 11", "pause_after = 0", "pause_seconds = 29", "pause_seconds = nan", "alarm_after = 101"],
)
def test_lockout_may_be_stricter_than_the_rule_never_laxer(setting):
    (line,) = mistakes(f"[lockout]\n{setting}")
    assert line.startswith(f"lockout.{setting.split()[0]}: ")


def test_a_level_for_no_method_or_no_door_is_a_mistake():
    found = mistakes("[levels.a]\nmethods = []\n[levels.b]\ndoors = []\n[levels.c]\nmethods = ['iris']")
    assert [line.split(":")[0] for line in found] == [
        "levels.a.methods",
        "levels.b.doors",
        "levels.c.methods.0",
    ]


def test_broken_toml_names_the_file_and_the_line():
    with pytest.raises(ConfigError, match=r"my\.toml: .*line 1"):
        parse_rules("time_zone = \nx = 1", "my.toml")


@given(st.text())
def test_any_text_is_rules_or_a_config_error(text):
    try:
        parse_rules(text)
    except ConfigError:
        return


KEYS = st.sampled_from(
    (
        "time_zone",
        "levels",
        "groups",
        "schedules",
        "disabled",
        "holidays",
        "special_days",
        "mon",
        "doors",
        "x",
    )
)
VALUES = st.recursive(
    st.sampled_from(("'a'", "1", "true", "'08:00-09:00'", "2026-01-01", "nan")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2).map(lambda items: f"[{', '.join(items)}]"),
        st.dictionaries(KEYS, inner, max_size=2).map(
            lambda table: "{" + ", ".join(f"{key} = {value}" for key, value in table.items()) + "}"
        ),
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=4))
def test_any_toml_is_rules_or_a_config_error(table):
    try:
        parse_rules("\n".join(f"{key} = {value}" for key, value in table.items()))
    except ConfigError:
        return


def test_strict_liveness_is_read_by_level_and_by_schedule():
    book = parse_rules(
        """
        strict_liveness = "night"
        [schedules.night]
        daily = ["22:00-06:00"]
        [levels.resident]
        schedule = "always"
        [levels.vault]
        schedule = "always"
        liveness = "strict"
        """
    )

    assert book.strict_liveness.name == "night"
    assert [name for name, level in book.levels.items() if level.is_strict] == ["vault"]
    assert book.is_ever_strict
    assert not parse_rules("").is_ever_strict


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('strict_liveness = "nite"', "strict_liveness: there is no schedule 'nite'"),
        ('[levels.resident]\nliveness = "off"', "levels.resident.liveness"),
    ],
)
def test_a_mistake_about_liveness_is_named(text, said):
    with pytest.raises(ConfigError, match=said):
        parse_rules(text)


def test_a_level_says_when_it_opens_and_only_a_door_that_starts_forgives_an_old_file():
    old = "[levels.resident]\n[levels.cleaner]\ndoors = ['north']"
    assert mistakes(old) == [
        f"levels.{name}.schedule: missing; write when it opens: the name of a schedule "
        '("always" means day and night)'
        for name in ("resident", "cleaner")
    ]
    forgiven: list[str] = []
    book = parse_rules(old, forgiven=forgiven.append)
    assert [level.schedule.name for level in book.levels.values()] == ["always", "always"]
    assert len(forgiven) == 2


def test_who_is_switched_off_is_off_however_the_id_was_typed():
    book = parse_rules("""
        [disabled]
        "３栋１２０３" = "moved_out"
        "3–1204" = "credential_lost"
        [groups.cleaners]
        levels = ["resident"]
        members = ["Mu\u0308ller"]
        """)
    assert {"3栋1203", "3-1204"} <= book.disabled.keys()
    assert "3–1204" in book.disabled, "an id of before dashes were made one"
    assert "Müller" in book.groups["cleaners"].members


ODD_NAMES = """
    [levels."all day"]
    schedule = "always"
    [levels."ｎｉｇｈｔ"]
    schedule = "always"
    [levels."for a group"]
    schedule = "always"
    [groups."by list"]
    levels = ["for a group"]
    members = ["anna"]
    [groups."by, name"]
    levels = ["for a group"]
    """


def test_a_level_of_a_name_that_nobody_can_have_is_a_mistake():
    with pytest.raises(ConfigError) as refused:
        parse_rules(ODD_NAMES)
    told = str(refused.value)
    assert "levels.all day: nobody can have it" in told
    assert "write all-day" in told
    assert "write night" in told
    assert "write by-name" in told
    assert "for a group:" not in told, "the group holds it"
    assert "by list:" not in told, "its members are listed"


def test_a_door_goes_on_with_such_names():
    """Nobody had a level of this name before: to refuse the file now would shut out everybody else."""
    forgiven: list[str] = []
    assert len(parse_rules(ODD_NAMES, forgiven=forgiven.append).levels) == 3
    assert len(forgiven) == 3


@pytest.mark.parametrize("order", [("daily", "weekend"), ("weekend", "daily")])
def test_of_two_names_for_a_day_the_one_for_fewer_days_counts_in_any_order(order):
    hours = {"daily": '["07:00-22:00"]', "weekend": "[]"}
    lines = "\n".join(f"{name} = {hours[name]}" for name in order)
    book = parse_rules(f"[schedules.office]\n{lines}\n")
    assert [day for day, spans in book.schedules["office"].days.items() if spans] == [*WEEKDAYS[:5]]
