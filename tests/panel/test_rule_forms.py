"""Schedules, levels and holidays by forms: tried before they act, nothing typed is lost, the file is kept."""

from __future__ import annotations

import re

import pytest

from edge.domain import EventDraft, Resident
from edge.events import Kind
from edge.policy.rules_toml import parse_rules
from edge.web.accounts import Role
from tests.panel.office import open_panel
from tests.present import present

RULES = """# the compound's own rules
time_zone = "UTC"

[special_days]
2026-10-10 = "fri"   # make-up day

[schedules.work]     # the cleaners' firm
weekdays = ["08:00-18:00"]

[levels.resident]
schedule = "always"

[levels.cleaner]
schedule = "work"
methods = ["card"]
"""


@pytest.fixture
def door(tmp_path, stack):
    return open_panel(tmp_path, stack, rules=RULES)


def into_force(browser, page):
    """Press the button under what was tried."""
    fields = dict(re.findall(r'name="(tried|base)" value="(\w+)"', page.text))
    text = present(re.search(r'<textarea name="text" hidden[^>]*>\n(.*?)</textarea>', page.text, re.DOTALL))[
        1
    ]
    plain = text.replace("&#34;", '"').replace("&#39;", "'").replace("&gt;", ">").replace("&amp;", "&")
    return browser.post("/rules/put", text=plain, **fields)


def week(text, **other):
    return {f"hours_{day}": text for day in ("mon", "tue", "wed", "thu", "fri")} | other


def test_hours_are_tried_on_the_past_and_then_change_one_line(door):
    door.desk.residents.put_people([Resident("c", "Cleo", ("cleaner",))])
    at = door.clock.now().replace(hour=9, minute=30)
    door.desk.log.record(EventDraft(Kind.ACCESS_GRANTED, at, 1.0, "c", "granted", {"method": "card"}))
    ines = door.logged_in()
    assert 'value="08:00-18:00"' in ines.get("/rules/schedule?name=work").text

    page = ines.post("/rules/schedule?name=work", **week("10:00-12:00, 13:00 – 18:00"), days="30")

    assert "1 of 1 openings would have been refused" in page.text
    assert "in 30 days" in page.text
    assert door.desk.rule_file.path.read_text() == RULES, "trying changes nothing"
    assert into_force(ines, page).status_code == 200
    wanted = RULES.replace('["08:00-18:00"]', '["10:00-12:00", "13:00-18:00"]')
    assert door.desk.rule_file.path.read_text() == wanted
    assert door.desk.rule_file.path.with_name("rules.toml.before").read_text() == RULES
    assert door.events("panel.rules_changed")[0].data["by"] == "ines"


def test_wrong_hours_are_told_at_their_field_and_everything_typed_stays(door):
    ines = door.logged_in()
    ines.get("/rules/schedule?name=work")
    page = ines.post("/rules/schedule?name=work", **week("10:00-12:00", hours_wed="8 to 25"))
    assert page.status_code == 422
    assert 'id="fault-hours_wed"' in page.text
    assert 'value="8 to 25"' in page.text
    assert page.text.count('value="10:00-12:00"') == 4
    assert 'name="tried"' not in page.text


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("8:00-12:00，13:30—18:00", ["08:00-12:00", "13:30-18:00"]),
        ("08:00 至 12:00、22:00～02:00", ["08:00-12:00", "22:00-02:00"]),
        ("８：００－９：００", ["08:00-09:00"]),
        ("08:00-09:00 10:00-11:00", ["08:00-09:00", "10:00-11:00"]),
    ],
)
def test_hours_are_read_as_people_write_them(door, typed, stored):
    ines = door.logged_in()
    ines.get("/rules/schedule")
    page = ines.post("/rules/schedule", name="shop", hours_mon=typed)
    into_force(ines, page)
    assert [
        str(span) for span in parse_rules(door.desk.rule_file.path.read_text()).schedules["shop"].days["mon"]
    ] == stored


def test_a_kind_of_day_of_the_sites_own_comes_with_its_first_date(door):
    ines = door.logged_in()
    ines.get("/rules/schedule?name=work")
    fete = {"kind": "fete", "kind_day": "2027-06-01", "kind_hours": "20:00-23:00"}
    page = ines.post("/rules/schedule?name=work", **week("08:00-18:00"), **fete, closed_holiday="yes")
    into_force(ines, page)
    book = parse_rules(door.desk.rule_file.path.read_text())
    assert book.schedules["work"].days["holiday"] == ()
    assert {day.isoformat(): kind for day, kind in book.calendar.special.items()}["2027-06-01"] == "fete"
    assert "# make-up day" in door.desk.rule_file.path.read_text()


def test_a_level_is_made_changed_and_removed(door):
    ines = door.logged_in()
    ines.get("/rules/level")
    page = ines.post(
        "/rules/level",
        name="courier",
        schedule="work",
        doors="gate, garage",
        methods="pass",
        is_first_person="yes",
    )
    into_force(ines, page)
    level = parse_rules(door.desk.rule_file.path.read_text()).levels["courier"]
    assert (level.doors, level.methods, level.is_first_person) == (
        frozenset({"gate", "garage"}),
        frozenset({"pass"}),
        True,
    )
    page = ines.post("/rules/level?name=courier", schedule="always", every_door="yes", passes_lockdown="yes")
    into_force(ines, page)
    level = parse_rules(door.desk.rule_file.path.read_text()).levels["courier"]
    assert (level.doors, level.methods, level.passes_lockdown) == (frozenset({"*"}), frozenset({"*"}), True)
    into_force(ines, ines.post("/rules/level?name=courier", do="remove"))
    assert door.desk.rule_file.path.read_text().rstrip() == RULES.rstrip()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"name": "", "schedule": "work", "every_door": "yes"}, "Give a name of 1 to 40 signs"),
        ({"name": "two words", "schedule": "work", "every_door": "yes"}, "without blanks"),
        ({"name": "cleaner", "schedule": "work", "every_door": "yes"}, "of the name cleaner already"),
        ({"name": "x", "schedule": "work", "doors": " , "}, "Name at least one door"),
        ({"name": "x", "schedule": "nigth", "every_door": "yes"}, "Choose a schedule"),
    ],
)
def test_a_wrong_level_is_told_at_its_field(door, fields, told):
    ines = door.logged_in()
    ines.get("/rules/level")
    page = ines.post("/rules/level", **fields)
    assert page.status_code == 422
    assert told in page.text


def test_what_is_in_use_is_not_removed(door):
    door.desk.residents.put_people([Resident("c", "Cleo", ("cleaner",))])
    ines = door.logged_in()
    ines.get("/rules/schedule?name=work")
    assert "in use: cleaner" in ines.post("/rules/schedule?name=work", do="remove").text
    assert "people 1" in ines.post("/rules/level?name=cleaner", do="remove").text


def test_a_level_is_given_and_taken_where_its_holders_stand(door):
    door.desk.residents.put_people([Resident("3-1203", "Li", ("resident",))])
    ines = door.logged_in()
    ines.get("/rules/level?name=cleaner")
    page = ines.post("/rules/level/holders?name=cleaner", level="cleaner", do="give", resident_id="3-1203")
    assert "1 people have it" in page.text
    assert door.desk.residents.get("3-1203").access_levels == ("resident", "cleaner")
    ines.post("/rules/level/holders?name=cleaner", level="cleaner", do="take", resident_id="3-1203")
    assert door.desk.residents.get("3-1203").access_levels == ("resident",)
    wrong = ines.post("/rules/level/holders?name=cleaner", level="cleaner", do="give", resident_id="3-9")
    assert wrong.status_code == 422
    assert 'id="fault-resident_id"' in wrong.text
    assert 'value="3-9"' in wrong.text


@pytest.mark.parametrize("is_removed", [False, True])
def test_of_two_who_give_levels_at_once_none_takes_the_others_back(door, is_removed):
    """The other one comes between the look and the write; and nobody brings back who was removed."""
    people = door.desk.residents
    people.put_people([Resident("3-1203", "Li", ("resident",))])
    others = Resident("3-1203", "Li", ("resident", "gym"))

    def meanwhile(draft):
        if draft.kind is Kind.RESIDENT_CHANGED:
            people.remove("3-1203") if is_removed else people.put_people([others])

    door.desk.log.subscribe(meanwhile)
    ines = door.logged_in()
    ines.get("/rules/level?name=cleaner")
    page = ines.post("/rules/level/holders?name=cleaner", level="cleaner", do="give", resident_id="3-1203")
    assert page.status_code == 422
    assert "meanwhile" in page.text
    assert people.get("3-1203") == (None if is_removed else others)


def test_special_days_are_added_and_taken_out(door):
    ines = door.logged_in()
    assert 'value="2026-10-10"' in ines.get("/rules/days").text
    fields = {"day_0": "", "kind_0": "fri", "day_1": "2027-02-06", "kind_1": "holiday"}
    into_force(ines, ines.post("/rules/days", **fields))
    assert {
        str(day): kind
        for day, kind in parse_rules(door.desk.rule_file.path.read_text()).calendar.special.items()
    } == {"2027-02-06": "holiday"}
    twice = ines.post("/rules/days", day_0="2027-02-06", day_1="2027-02-06", kind_1="mon")
    assert twice.status_code == 422
    assert 'id="fault-day_1"' in twice.text
    assert "stands here twice" in twice.text


def test_a_country_without_a_calendar_is_told(door):
    ines = door.logged_in()
    ines.get("/rules/days")
    page = ines.post("/rules/days", country="XX")
    assert page.status_code == 422
    assert "no holiday calendar" in page.text
    assert 'value="XX"' in page.text


def test_nothing_changed_brings_nothing_into_force(door):
    ines = door.logged_in()
    ines.get("/rules/schedule?name=work")
    page = ines.post("/rules/schedule?name=work", **week("08:00-18:00"))
    assert "Nothing would change" in page.text
    assert 'name="tried"' not in page.text


@pytest.mark.parametrize("path", ["/rules/schedule", "/rules/level", "/rules/days"])
def test_only_an_installer_comes_here(door, path):
    assert door.logged_in("sam", Role.STAFF).get(path).status_code == 403
