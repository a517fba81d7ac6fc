"""The desk moves a building in, removes a flat, logs a lost phone out and opens a door, in Chromium."""

from __future__ import annotations

import re
from contextlib import closing

import pytest

from edge.words import say
from facegate_hub.community.book import Doer
from facegate_hub.community.devices import Devices
from facegate_hub.console.app import COOKIE
from tests.browser.chromium import DESKTOP, PHONE, served
from tests.community.test_console_doors import PASSWORD
from tests.community.test_console_ways import DeskGate
from tests.community.test_whole_way import Neighbour, look
from tests.words.test_pages import foreign_words

LISTED = [
    ("3-1203-7", "王伟"),
    ("7栋二单元301-1", "张三丰" * 9),
    ("7-2-301-2", "赵四"),
    ("K" * 128, "李娜"),
    ("7-2-302-1", "长" * 200),
]
"""Who moves in and who does not, with a name and a number as long as the roster takes them."""
NAMES = {"front", "back", "hub", "mei", "mona", "wang", "K" * 128}
CODE = re.compile(r'<b class="code">[^<]*</b>')

pytestmark = [pytest.mark.browser, pytest.mark.slow]


class Clerking(Neighbour):
    """Somebody at the console, who looks at every page they get also for words that nobody translated."""

    def looks(self, name):
        look(self, name)
        if self.language == "zh":
            words = foreign_words(CODE.sub("", self.browser.page_source)) - NAMES
            self.faults |= {f"{name}-words": sorted(words)} if words else {}


@pytest.mark.parametrize(
    ("language", "window", "has_script"),
    [("zh", PHONE, True), ("en", DESKTOP, True), ("en", PHONE, False)],
    ids=["zh-phone", "en-desk", "en-without-script"],
)
def test_what_the_desk_does_with_a_building_a_flat_a_phone_and_a_door(
    browser, tmp_path, language, window, has_script
):
    (tmp_path / "tls").mkdir()
    with closing(DeskGate(tmp_path)) as gate, served(gate.app, tmp_path / "tls") as url:
        gate.principal("mei", role="manager")
        gate.desk.looking.import_people([{"id": one, "name": name} for one, name in LISTED])
        gate.compound.register.put_flats(Doer("account", "mona"), [("8-1502", "8", "1502")])
        desk = Clerking(browser, url, COOKIE, language)
        desk.has_script, desk.window = has_script, window
        desk.token = Devices(gate.compound.staff).begin(Doer("account", "mona"), "test")
        if not has_script:
            browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
        desk.go(f"/language/{language}?back=/doors")
        desk.open("door.enter")
        desk.fill(name="mei", password=PASSWORD)
        desk.tap("door.enter")
        moves_a_building_in(desk)
        removes_a_flat(desk)
        logs_a_lost_phone_out(desk, gate.compound)
        opens(desk, gate)
        browser.get("about:blank")
    assert desk.faults == {}


def moves_a_building_in(desk):
    desk.go("/access")
    desk.browser.find_element("css selector", "a[href='/people/roster']").click()
    desk.sees("roster_move_would", people=4, flats=1)
    desk.looks("roster")
    desk.fill(q="7")
    desk.tap("search")
    desk.sees("roster_move_would", people=2, flats=1)
    desk.looks("roster-of-a-building")
    desk.tap("roster_move_do")
    desk.sees("invitations_hint")
    desk.looks("invitations")
    desk.go("/people/roster?q=7")
    desk.sees("roster_move_none")
    desk.looks("roster-nobody")


def removes_a_flat(desk):
    for flat, told in (
        ("7-2-301", "refused.flat_lived"),
        ("8-1502", "flats_removed"),
    ):
        desk.go("/flats")
        desk.open("flats_remove")
        desk.looks("flats")
        desk.browser.find_element("name", "flat").send_keys(flat)
        desk.tap("flats_remove")
        desk.sees(told, flat=flat)
        desk.looks(f"flats-{flat}")


def logs_a_lost_phone_out(desk, compound):
    Devices(compound.book).begin(Doer("person", compound.people["wang"]), "phone")
    desk.go(f"/people/{compound.people['wang']}")
    desk.open("lost_phone")
    desk.looks("person-phone")
    assert desk.say("lost_phone_text", count=1) in desk.text
    desk.tap("lost_phone_do")
    desk.open("lost_phone")
    desk.sees("lost_phone_text", count=0)
    desk.looks("person-no-phone")


def opens(desk, gate):
    """What came of it has an address of its own: loaded anew, it opens nothing."""
    desk.go("/doors")
    desk.looks("doors")
    with gate.answering("done", "the bolt was drawn"):
        desk.tap("door.act.unlock")
        desk.wait_for(say("community.door.back", desk.language))
    assert "/doors/told/" in desk.browser.current_url
    desk.looks("door-told")
    asked = gate.asked()
    desk.browser.refresh()
    desk.wait_for(say("community.door.back", desk.language))
    assert gate.asked() == asked
