"""Schedules, levels and holidays by forms on the console: tried on what happened, then sent as tried."""

from __future__ import annotations

import re
import tomllib
from contextlib import closing
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import quote

import pytest

from edge.domain import EventDraft
from edge.events import Kind
from edge.store.chain import Link, Stamp, forge
from edge.store.ids import uuid7
from edge.wire.rules import ReportedRules
from facegate_hub.events import EventSink
from tests.community.test_console_doors import entered
from tests.community.test_console_ways import DeskGate
from tests.community.web import URL
from tests.hub.entries import pack
from tests.places import REPOSITORY
from tests.present import present

RULES = (REPOSITORY / "systemd" / "rules.toml").read_text(encoding="utf-8")
SCHEDULE, LEVEL, DAYS = (f"/rules/{one}?door=front" for one in ("schedule", "level", "days"))


@pytest.fixture
def gate(tmp_path):
    with closing(DeskGate(tmp_path)) as gate:
        gate.principal("mei", role="manager")
        for door, takes in (("front", True), ("back", False)):
            gate.desk.looking.rules.note(door, ReportedRules(0, RULES, takes).encode())
        yield gate


@pytest.fixture
def desk(gate):
    return entered(gate, "mona", "mei")


def send(desk, place, **fields):
    """Fill the form of a page in and send it, as a browser does."""
    desk.get(place)
    desk.client.headers["referer"] = f"{URL}{place}"
    desk.send(place, **fields)


def text_of(desk):
    """Return the rules that the page would send."""
    found = re.search(
        r'<textarea name="rules" hidden aria-hidden="true">\n(.*?)</textarea>', desk.page, re.DOTALL
    )
    return unescape(present(found)[1])


def rules_of(desk):
    return tomllib.loads(text_of(desk))


def dispatch(desk):
    desk.send("/rules/send", rules=text_of(desk), door_front="1")


def test_other_hours_are_tried_on_entries_and_sent(gate, desk):
    """An opening in the night would have been refused; the page names it, and the door gets the rules."""
    night = (datetime.now(UTC) - timedelta(days=1)).replace(hour=19, minute=0)  # 03:00 in Shanghai
    draft = EventDraft(Kind.ACCESS_GRANTED, night, 1.0, "3-1203", "granted", {"method": "face"})
    row = forge(draft, uuid7(night), Stamp(uuid7(night), "boot", "synced", "front"), Link())
    EventSink(gate.engine).store("front", pack([row.envelope]))
    hours = {f"hours_{day}": "8：00 至 20:00" for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
    send(desk, SCHEDULE, name="day", **hours)
    assert desk.status == 200, desk.page
    assert rules_of(desk)["schedules"]["day"]["daily"] == ["08:00-20:00"]
    send(desk, f"{LEVEL}&name=resident", schedule="never")
    assert desk.status == 200, desk.page
    assert "南门" in desk.page.split('id="trial"')[1], (
        "the entry that would have been refused, by the door's name"
    )
    assert rules_of(desk)["levels"]["resident"]["schedule"] == "never"
    assert "<del>" in desk.page
    dispatch(desk)
    (front,) = [one for one in gate.desk.looking.rules.views() if one.device == "front"]
    assert tomllib.loads(present(front.wanted))["levels"]["resident"]["schedule"] == "never"
    assert RULES.splitlines()[0] in present(front.wanted), "comments stay"


def test_holidays_and_special_days(desk):
    send(desk, DAYS, country="cn", day_0="2027-02-06", kind_0="holiday")
    assert desk.status == 200, desk.page
    changed = rules_of(desk)
    assert changed["holidays"]["country"] == "CN"
    assert changed["special_days"]["2027-02-06"] == "holiday"


@pytest.mark.parametrize(
    ("place", "fields", "told", "kept"),
    [
        (SCHEDULE, {"name": "x", "hours_mon": "8-25"}, "8-25", 'value="8-25" '),
        (SCHEDULE, {"name": "a b", "hours_tue": "08:00-09:00"}, "name", 'value="08:00-09:00"'),
        (
            LEVEL,
            {"name": "resident", "schedule": "always", "every_door": "yes"},
            "resident",
            'value="resident"',
        ),
        (LEVEL, {"name": "y", "schedule": "nowhere", "every_door": "yes"}, "schedule", 'value="y"'),
        (DAYS, {"day_0": "2027-02-30", "country": "CN"}, "2027-02-30", 'value="CN"'),
    ],
)
def test_a_refused_form_keeps_what_was_typed(desk, place, fields, told, kept):
    send(desk, place, **fields)
    assert desk.status == 422
    why = desk.page.split('id="refused"')[1].split("</p>")[0]
    assert told in why
    assert kept in desk.page
    assert 'id="trial"' not in desk.page


def test_what_is_in_use_stays_and_what_is_not_goes(gate, desk):
    place = f"{LEVEL}&name=resident"
    desk.get(place)
    csrf = desk.page.split('name="csrf" value="')[1].split('"')[0]
    answer = desk.client.post(place, data={"csrf": csrf, "do": "remove"})
    assert answer.status_code == 422, "people have it"
    send(desk, SCHEDULE, name="spare", hours_mon="08:00-09:00")
    dispatch(desk)
    (front,) = [one for one in gate.desk.looking.rules.views() if one.device == "front"]
    gate.desk.looking.rules.note(
        "front", ReportedRules(front.rev, present(front.wanted), takes=True).encode()
    )
    answer = desk.client.post(f"{SCHEDULE}&name=spare", data={"csrf": csrf, "do": "remove"})
    desk.page = answer.text
    assert "spare" not in rules_of(desk)["schedules"]


def test_a_door_that_takes_no_rules_is_tried_but_not_sent_to(desk):
    send(desk, "/rules/schedule?door=back", name="day", hours_mon="08:00-20:00")
    assert "This door takes no rules from here" in desk.page
    assert 'name="door_front"' in desk.page, "its rules are the front's, too"
    assert 'name="door_back"' not in desk.page


def test_who_gives_no_commands_only_tries(gate):
    desk = gate.logged_in("mona")
    send(desk, SCHEDULE, name="day", hours_mon="08:00-20:00")
    assert 'id="trial"' in desk.page
    assert "/rules/send" not in desk.page


@pytest.mark.parametrize("door", ["", "nowhere", "../x"])
def test_rules_of_no_door(desk, door):
    assert desk.get(f"/rules/level?door={quote(door)}").status_code == 422


def test_rules_that_this_version_cannot_read_say_so(gate, desk):
    gate.desk.looking.rules.note("front", ReportedRules(0, "[levels", takes=True).encode())
    assert desk.get(SCHEDULE).status_code == 422
    assert "These rules have mistakes" in desk.page
    assert desk.get("/rules?door=front").status_code == 200


def test_only_who_keeps_people_sees_rules(gate):
    assert gate.logged_in("technician-1").get(SCHEDULE).status_code == 403
