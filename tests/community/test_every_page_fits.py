"""Every page of the console on a phone, and a small one with type twice as large: all of it fits."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime

import pytest

from edge.domain import EventDraft
from edge.events import Kind
from edge.store.chain import Link, Stamp, forge
from edge.store.ids import uuid7
from edge.wire.configuration import Reported
from edge.wire.rules import ReportedRules
from facegate_hub.community.book import Doer
from facegate_hub.community.devices import Devices
from facegate_hub.configuration import Configurations
from facegate_hub.console.app import COOKIE, PAGES, door_pages
from facegate_hub.events import EventSink
from tests.browser.chromium import PHONE, served
from tests.community.test_console_doors import PASSWORD
from tests.community.test_console_rule_forms import DAYS, LEVEL, RULES, SCHEDULE
from tests.community.test_console_ways import DeskGate
from tests.community.test_console_ways_browser import Clerk
from tests.community.test_whole_way import NARROW, enlarge
from tests.hub.entries import chain, pack

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MORE = (
    "/people/new",
    "/doors/front/settings",
    "/access/3-1203",
    "/rules?door=front",
    SCHEDULE,
    LEVEL,
    f"{LEVEL}&name=resident",
    DAYS,
)
NOT_SHOWN = {"/entries.csv", "/rules/schedule", "/rules/level", "/rules/days"}
"""A table that is downloaded, and forms that belong to a door: they are among `MORE`."""
OF_ADMINISTRATOR = ("/", "/accounts", "/book", "/people")
"""Their first page, what only they see, and "not yours"; the rest is the manager's, with less on it."""
HEAD, TWO_ROWS = "return document.querySelector('header').offsetHeight", 110
TOO_WIDE = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def gate(tmp_path):
    with closing(DeskGate(tmp_path)) as gate:
        gate.principal("mei", role="manager")
        gate.desk.looking.rules.note("front", ReportedRules(0, RULES, takes=True).encode())
        counts = {"lock.unlock_seconds": 5, "held.quiet_from": None, "recognition.fpir": 0.001}
        Configurations(gate.engine).note("front", Reported(0, counts).encode())
        now = datetime.now(UTC)
        draft = EventDraft(Kind.ALARM_DURESS, now, 1.0, None, None, {"resident_id": "3-1203"})
        row = forge(draft, uuid7(now), Stamp(uuid7(now), "boot", "synced", "front"), Link())
        EventSink(gate.engine).store("front", pack([row.envelope]))
        EventSink(gate.engine).store("back", pack(chain("back", 3)))
        yield gate


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_page_of_the_console_is_wider_than_the_screen(browser, gate, tmp_path, language):
    """With everything unfolded, as whoever may see all of it; the accounts as their administrator."""
    (tmp_path / "tls").mkdir()
    wide = {}
    with served(gate.app, tmp_path / "tls") as url:
        for account in ("mona", "root"):
            token = Devices(gate.compound.staff).begin(Doer("account", account), "test")
            cookie = {
                "name": COOKIE,
                "value": token,
                "url": url,
                "path": "/",
                "secure": True,
                "httpOnly": True,
            }
            browser.execute_cdp_cmd("Network.setCookie", cookie)
            clerk = Clerk(browser, url, language)
            clerk.go(f"/language/{language}?back=/doors")
            if account == "mona":
                clerk.open("door.enter")
                clerk.fill(name="mei", password=PASSWORD)
                clerk.tap("door.enter")
            for path in paths(gate) if account == "mona" else OF_ADMINISTRATOR:
                clerk.go(path)
                browser.execute_script(
                    "for (const one of document.querySelectorAll('details')) one.open = true"
                )
                for size, type_size in ((PHONE, ""), (NARROW, "200%")):
                    enlarge(browser, size, type_size)
                    if (more := browser.execute_script(TOO_WIDE)) > 0:
                        wide[account, path, size] = more
                    if size == PHONE:
                        assert browser.execute_script(HEAD) <= TWO_ROWS, path
        browser.get("about:blank")
    assert wide == {}


def paths(gate):
    shown = [path for path, ways, *_ in (*PAGES, *door_pages(gate.desk)) if "GET" in ways and "{" not in path]
    return [*(path for path in shown if path not in NOT_SHOWN), "/visitors", *MORE]
