"""A PIN, a card and rules given in a real Chromium, on a phone and a desk's screen, in both languages."""

from __future__ import annotations

import re
from contextlib import closing

import pytest

from edge.wire.rules import ReportedRules
from edge.words import say
from facegate_hub.community.book import Doer
from facegate_hub.community.devices import Devices
from facegate_hub.console.app import COOKIE
from tests.browser.chromium import DESKTOP, PHONE, axe_source, resize, served
from tests.browser.person import Person, look_at
from tests.community.test_console_doors import PASSWORD
from tests.community.test_console_ways import DeskGate

RULES = '[levels.resident]\nschedule = "always"\n'

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.mark.parametrize(("size", "language"), [(PHONE, "zh"), (DESKTOP, "en")], ids=["phone", "desktop"])
def test_the_desk_gives_a_pin_and_a_card_and_sends_rules(browser, tmp_path, size, language):
    resize(browser, size)
    (tmp_path / "tls").mkdir()
    faults: dict[str, list[str]] = {}
    with closing(DeskGate(tmp_path)) as gate, served(gate.app, tmp_path / "tls") as url:
        gate.principal("mei", role="manager")
        token = Devices(gate.compound.staff).begin(Doer("account", "mona"), "test")
        cookie = {"name": COOKIE, "value": token, "url": url, "path": "/", "secure": True, "httpOnly": True}
        browser.execute_cdp_cmd("Network.setCookie", cookie)
        clerk = Clerk(browser, url, language)
        clerk.go(f"/language/{language}?back=/doors")
        clerk.open("door.enter")
        clerk.fill(name="mei", password=PASSWORD)
        clerk.tap("door.enter")
        clerk.go("/access/3-1203")
        clerk.open("access.new_pin")
        look_at(clerk, f"{language}-ways-form", axe_source(), faults)
        clerk.tap("access.new_pin")
        clerk.wait_for(say("community.access.pin_once", language))
        assert re.search(r"31203 \* \d{6} #", clerk.text)
        look_at(clerk, f"{language}-ways-pin", axe_source(), faults)
        number = gate.issued.of("3-1203")[0].number
        gate.says("front", {number: None}, number)
        clerk.go("/access/3-1203")
        clerk.open("access.new_card")
        clerk.fill(card="w26:12:3456")
        clerk.tap("access.new_card")
        clerk.wait_for(say("community.access.way_at", language, taken=1, doors=2))
        look_at(clerk, f"{language}-ways-given", axe_source(), faults)
        for door, takes in (("front", True), ("back", False)):
            gate.desk.looking.rules.note(door, ReportedRules(0, RULES, takes).encode())
        clerk.go("/rules?door=front")
        look_at(clerk, f"{language}-rules-door", axe_source(), faults)
        clerk.go("/rules/schedule?door=front")
        clerk.fill(name="office", hours_mon="8-25", hours_tue="08:00-18:00")
        clerk.tap("rules.try")
        clerk.wait_for(say("community.to_form", language))
        look_at(clerk, f"{language}-rules-refused", axe_source(), faults)
        assert clerk.browser.find_element("name", "hours_tue").get_attribute("value") == "08:00-18:00"
        clerk.fill(hours_mon="08:00-18:00")
        clerk.tap("rules.try")
        clerk.wait_for(say("community.rules.send_to", language))
        look_at(clerk, f"{language}-rules-tried", axe_source(), faults)
        clerk.tap("rules.send")
        clerk.wait_for(say("community.rules.waiting", language))
        look_at(clerk, f"{language}-rules-sent", axe_source(), faults)
        browser.get("about:blank")
    assert faults == {}


class Clerk(Person):
    """Somebody at the desk, who reads one language."""

    def __init__(self, browser, url, language):
        super().__init__(browser, url)
        self.language = language

    def tap(self, text):
        """Press the button with these words; the one that is folded away is no button yet."""
        self.press(say(f"community.{text}", self.language))

    def open(self, text):
        words = say(f"community.{text}", self.language)
        for summary in self.browser.find_elements("css selector", "summary"):
            if words in summary.text:
                summary.click()
                return
