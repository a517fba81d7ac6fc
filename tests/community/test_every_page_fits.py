"""Every page of console and residents on a phone, and a small one with type twice as large: all of it fits.

Which pages there are is read from the applications' routes.
"""

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
from facegate_hub.community.machine import TicketKind
from facegate_hub.community.moving_in import MovingIn
from facegate_hub.community.people import TieKind
from facegate_hub.community.tickets import Report
from facegate_hub.community.visits import VisitKind, VisitorPasses, VisitWish
from facegate_hub.configuration import Configurations
from facegate_hub.console.app import COOKIE
from facegate_hub.events import EventSink
from facegate_hub.page.app import COOKIE as PAGE_COOKIE
from facegate_hub.page.app import make_page
from tests.browser.chromium import PHONE, accessibility_faults, axe_source, served
from tests.browser.person import Person
from tests.community.compound import new_compound
from tests.community.every_page import every_page
from tests.community.test_console_doors import PASSWORD
from tests.community.test_console_rule_forms import DAYS, LEVEL, RULES, SCHEDULE
from tests.community.test_console_ways import DeskGate
from tests.community.test_console_ways_browser import Clerk
from tests.community.test_notices import shown
from tests.community.test_tickets import picture
from tests.community.test_whole_way import NARROW, enlarge
from tests.hub.entries import chain, pack

pytestmark = [pytest.mark.browser, pytest.mark.slow]

EXAMPLES = {
    "/tickets/{number}": ("/tickets/1",),
    "/people/{person}": ("/people/{wang}",),
    "/doors/{door}/settings": ("/doors/front/settings",),
    "/access/{person:path}": ("/access/3-1203",),
    "/access": ("/access", "/access?q=3-1203"),
    "/rules": ("/rules", "/rules?door=front"),
    "/rules/schedule": (SCHEDULE,),
    "/rules/level": (LEVEL, f"{LEVEL}&name=resident"),
    "/rules/days": (DAYS,),
}
OTHERS = ("/entries.csv", "/tickets/{number}/photo/{mark}", "/doors/told/{answer}")
"""A table that is downloaded, a picture, and what came of a command: `test_moving_in_browser` looks at it."""
OF_ADMINISTRATOR = ("/", "/accounts", "/book", "/people")
"""Their first page, what only they see, and "not yours"; the rest is the manager's, with less on it."""
HEAD, TWO_ROWS = "return document.querySelector('header').offsetHeight", 110
UNFOLD = "for (const one of document.querySelectorAll('details')) one.open = true"
STATUS = "return performance.getEntriesByType('navigation')[0].responseStatus"
REFUSED = {("root", "/people"), ("mona", "/accounts")}
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
        dora = gate.compound.asker("dora")
        gate.compound.tickets.report(dora, Report(TicketKind.REPAIR, "water", "word " * 300, place="x" * 200))
        MovingIn(gate.compound.book).carry_out(
            dora.doer, [("5-101-7", "n" * 64), ("5-101-8", "长" * 64)], TieKind.OWNER, "zh"
        )
        gate.desk.looking.import_people(
            [{"id": "9-101-1", "name": "长" * 64}, {"id": "K" * 128, "name": "x"}]
        )
        yield gate


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_page_of_the_console_is_wider_than_the_screen(browser, gate, tmp_path, language):
    """With everything unfolded, as whoever may see all of it; the accounts as their administrator.

    axe finds nothing on them.
    """
    (tmp_path / "tls").mkdir()
    wide: dict[object, object] = {}
    source = axe_source()
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
                wide |= looked(clerk, path, source, (account, path))
        browser.get("about:blank")
    assert wide == {}


def paths(gate):
    wang = gate.compound.people["wang"]
    return [path.replace("{wang}", wang) for path in every_page(gate.app, EXAMPLES, OTHERS)]


OF_RESIDENTS = {
    "/tickets/{number}": ("/tickets/1",),
    "/tickets/{number}/dossier": ("/tickets/1/dossier",),
    "/notices/{number}": ("/notices/2",),
    "/visitors/{pass_id}": ("/visitors/{pass_id}",),
    "/slip/{number}": ("/slip/2",),
}
NO_PAGES_OF_RESIDENTS = ("/tickets/{number}/photo/{mark}", "/tickets/{number}/dossier.json")
FOR_NOBODY = ("/enter", "/passkey", "/slip", "/wall", "/check")
"""What somebody sees who is not logged in."""


@pytest.fixture
def page(tmp_path):
    """The residents' page with something on each of its pages: (application, cookie, its paths)."""
    compound = new_compound(tmp_path)
    wang, dora = compound.asker("wang"), compound.asker("dora")
    told = Report(TicketKind.REPAIR, "water", "long" * 60, requester=wang.doer.id, photos=[picture()])
    compound.tickets.report(wang, told)
    compound.tickets.report(dora, Report(TicketKind.REPAIR, "water", "for somebody who came by"))
    old = shown(compound, text="a first version")
    shown(compound, text="word " * 300, title_en="unbroken" * 15, replaces=str(old))
    now = compound.book.now()
    passes = VisitorPasses(compound.book, compound.terms)
    wished = passes.wish(wang, VisitWish("3-1203", VisitKind.VISITOR, now, now + 3600))
    app = make_page(compound.book, compound.terms, "https://home.example")
    found = every_page(app, OF_RESIDENTS, NO_PAGES_OF_RESIDENTS)
    token = Devices(compound.book).begin(wang.doer, "test")
    return app, token, [path.replace("{pass_id}", wished) for path in found]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_page_of_the_residents_is_wider_than_the_screen(browser, page, tmp_path, language):
    """As somebody who is logged in, and as nobody; axe finds nothing on them."""
    (tmp_path / "tls").mkdir()
    app, token, found = page
    faults: dict[object, object] = {}
    source = axe_source()
    with served(app, tmp_path / "tls") as url:
        reader = Person(browser, url)
        reader.go(f"/language/{language}?back=/enter")
        for path in FOR_NOBODY:
            faults |= looked(reader, path, source, ("nobody", path))
        cookie = {"name": PAGE_COOKIE, "value": token, "url": url, "path": "/"}
        browser.execute_cdp_cmd("Network.setCookie", cookie | {"secure": True, "httpOnly": True})
        for path in found:
            faults |= looked(reader, path, source, ("wang", path))
        browser.get("about:blank")
    assert faults == {}


def looked(person, path, source, name):
    """Return what is wrong with a page by whose and which it is: with everything unfolded, in both sizes."""
    person.go(path)
    person.browser.execute_script(UNFOLD)
    wide = {}
    status = person.browser.execute_script(STATUS)
    if status != 200 and name not in REFUSED:
        wide[*name, "status"] = status
    for size, type_size in ((PHONE, ""), (NARROW, "200%")):
        enlarge(person.browser, size, type_size)
        if (more := person.browser.execute_script(TOO_WIDE)) > 0:
            wide[*name, size] = more
        if size == PHONE and (found := accessibility_faults(person.browser, source)):
            wide[*name, "axe"] = found
        if size == PHONE and person.browser.execute_script(HEAD) > TWO_ROWS:
            wide[*name, "head"] = "more than two rows"
    return wide
