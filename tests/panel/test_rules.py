"""Access rules on the page: looked at by everybody, tried on the past before an installer changes them."""

from __future__ import annotations

import re
import resource
import stat
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from edge.domain import EventDraft, Resident
from edge.errors import ConfigError
from edge.events import Kind
from edge.panel.app import make_app
from edge.panel.rule_file import PLACE, RuleFile
from edge.policy.rules_toml import parse_rules
from edge.web.accounts import Role
from tests.places import REPOSITORY

BEFORE = """
[levels.resident]
schedule = "always"
[levels.cleaner]
schedule = "work"
[schedules.work]
weekdays = ["08:00-18:00"]
"""
NIGHTLY = '[levels.resident]\nschedule = "night"\n[schedules.night]\ndaily = ["22:00-06:00"]\n'


@pytest.fixture
def door(panel, tmp_path):
    """A panel whose door has a file of rules; `door.reloads` is how often they were read again."""
    path = tmp_path / "rules.toml"
    path.write_text(BEFORE)
    path.chmod(0o640)
    reloads = []

    def use():
        if "refuse" in path.read_text():
            raise ConfigError("levels.refuse: this door cannot do that")
        reloads.append(path.read_text())
        return "access rules read again"

    file = RuleFile(path, "UTC", use)
    desk = replace(panel.desk, rules=lambda: parse_rules(path.read_text()), rule_file=file)
    panel.desk, panel.app, panel.reloads, panel.rules = desk, make_app(desk), reloads, path
    return panel


def trial(browser, text):
    browser.get("/rules")
    page = browser.post("/rules/look", text=text)
    return page, marks(page)


def marks(page):
    """Return what the form brings along that puts tried rules into force; empty where there is none."""
    return dict(re.findall(r'name="(tried|base)" value="(\w+)"', page.text))


def test_everybody_sees_what_levels_allow_and_only_an_installer_the_file(door):
    auditor = door.logged_in("otto", Role.AUDITOR)
    page = auditor.get("/rules").text
    assert "every door · work" in page
    assert "Monday – Friday" in page
    assert "<textarea" not in page
    assert auditor.post("/rules/look", text=NIGHTLY).status_code == 403


def test_rules_are_tried_on_the_past_and_then_put_into_force(door):
    door.desk.residents.put_people([Resident("a", "Anna")])
    noon = door.clock.now().replace(hour=12)
    door.desk.log.record(EventDraft(Kind.ACCESS_GRANTED, noon, 1.0, "a", "granted", {"method": "card"}))
    ines = door.logged_in()

    page, mark = trial(ines, NIGHTLY)

    assert "1 of 1 openings would have been refused" in page.text
    assert door.rules.read_text() == BEFORE, "trying changes nothing"
    assert ines.post("/rules/put", text=NIGHTLY, **mark).status_code == 200
    assert door.rules.read_text() == NIGHTLY
    assert door.reloads == [NIGHTLY]
    former = door.rules.with_name("rules.toml.before")
    assert former.read_text() == BEFORE
    assert {stat.S_IMODE(path.stat().st_mode) for path in (door.rules, former)} == {0o640}, "as it was"
    assert door.events("panel.rules_changed")[0].data["by"] == "ines"


def test_rules_are_tried_also_on_what_was_before_the_clock_was_wrong(door):
    """A clock without a battery began at 1970 after a power cut: nothing before it was looked at."""
    door.desk.residents.put_people([Resident("a", "Anna")])
    for at in (door.clock.now().replace(hour=12), datetime(1970, 1, 1, tzinfo=UTC)):
        door.desk.log.record(EventDraft(Kind.ACCESS_GRANTED, at, 1.0, "a", "granted", {"method": "card"}))
    page, _ = trial(door.logged_in(), NIGHTLY)
    assert "1 of 1 openings would have been refused" in page.text


def test_other_rules_than_those_that_were_tried_do_not_come_into_force(door):
    ines = door.logged_in()
    _, mark = trial(ines, NIGHTLY)
    answer = ines.post("/rules/put", text=NIGHTLY + '\n[levels.boss]\nschedule = "always"\n', **mark)
    assert answer.status_code == 422
    assert "after they were tried" in answer.text
    assert "[levels.boss]" in answer.text, "what was typed is still there"
    assert door.rules.read_text() == BEFORE


def test_every_mistake_is_told_at_once_and_nothing_typed_is_lost(door):
    page, mark = trial(door.logged_in(), '[levels.resident]\nschedule = "nigth"\nmethod = ["card"]\n')
    assert page.status_code == 422
    assert "there is no such setting" in page.text
    assert "nigth" in page.text
    assert not mark


def test_rules_that_somebody_changed_in_between_are_not_written_over(door):
    file = door.desk.rule_file
    seen = file.text()
    door.rules.write_text(NIGHTLY)
    with pytest.raises(ConfigError, match="changed at the door meanwhile"):
        file.put(BEFORE, seen)
    assert door.rules.read_text() == NIGHTLY


def test_rules_that_the_door_refuses_leave_the_former_ones(door):
    ines = door.logged_in()
    text = '[levels.refuse]\nschedule = "always"\n'
    _, mark = trial(ines, text)
    assert ines.post("/rules/put", text=text, **mark).status_code == 422
    assert door.rules.read_text() == BEFORE
    assert door.events("panel.failed")


def test_people_without_a_level_of_the_rules_are_named(door):
    door.desk.residents.put_people([Resident("guest-7", "Bo", access_levels=("guest",))])
    shown = door.logged_in().get("/rules").text
    assert "nothing opens here for them: 1. <code>guest-7</code>" in shown


def test_a_door_without_rules_says_so(panel):
    ines = panel.logged_in()
    shown = ines.get("/rules").text
    assert "no file of rules" in shown
    assert f"/dev/null {PLACE}/rules.toml" in shown, "how one is made that the page may change"
    example = (REPOSITORY / "systemd" / "config.toml").read_text()
    assert f'#rules = "{PLACE}/rules.toml"' in example, "and the settings propose the same"
    assert ines.post("/rules/look", text=NIGHTLY).status_code == 422


def test_rules_that_somebody_else_changed_meanwhile_are_not_written_over(door):
    ines = door.logged_in()
    _, mark = trial(ines, NIGHTLY)
    door.rules.write_text(BEFORE + "# by hand\n")
    answer = ines.post("/rules/put", text=NIGHTLY, **mark)
    assert answer.status_code == 422
    assert "changed meanwhile" in answer.text
    assert door.rules.read_text() == BEFORE + "# by hand\n"


def test_the_rules_before_the_last_changes_are_kept_and_offered(door):
    ines = door.logged_in()
    texts = [BEFORE, *(f'[levels.resident]\nschedule = "always"\n# {n}\n' for n in range(7))]
    for text in texts[1:]:
        _, mark = trial(ines, text)
        assert ines.post("/rules/put", text=text, **mark).status_code == 200
    assert kept_rules(door) == list(reversed(texts[-6:-1]))
    assert "# 5" in ines.get("/rules?former=1").text


def kept_rules(door):
    return [path.read_text() for path in sorted(door.rules.parent.glob("rules.toml.before*"))]


def test_rules_that_the_door_refuses_push_none_of_the_former_ones_out(door):
    """Each attempt kept the rules of now once more; after five of them nothing else was left."""
    file = door.desk.rule_file
    for number in range(4):
        file.put(f'[levels.resident]\nschedule = "always"\n# {number}\n', file.text())
    before = kept_rules(door)
    for _ in range(6):
        with pytest.raises(ConfigError, match="cannot do that"):
            file.put('[levels.refuse]\nschedule = "always"\n', file.text())
        assert kept_rules(door) == before


@contextmanager
def files_up_to(size):
    """Let no file grow beyond this, as a card that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_rules_that_a_full_card_does_not_take_push_none_of_the_former_ones_out(door):
    """The rules of now were kept as the former ones, and the oldest of them were lost."""
    file = door.desk.rule_file
    for number in range(4):
        file.put(f'[levels.resident]\nschedule = "always"\n# {number}\n', file.text())
    before, now = kept_rules(door), file.text()
    for size in (0, len(now)):
        with files_up_to(size), pytest.raises(OSError, match="too large"):
            file.put(NIGHTLY + "#" * 1000, now)
        assert kept_rules(door) == before
        assert file.text() == now
