"""The whole way of a repair in a real Chromium: from the invitation to the answer, by phone and by desk."""

from __future__ import annotations

import base64
from contextlib import ExitStack

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from edge.words import say
from facegate_hub.community.accounts import StaffAccounts
from facegate_hub.community.book import Doer
from facegate_hub.community.devices import Devices
from facegate_hub.community.machine import TicketState
from facegate_hub.community.totp import code_at
from facegate_hub.console.app import COOKIE as CONSOLE_COOKIE
from facegate_hub.console.app import make_console
from facegate_hub.page.app import COOKIE as PAGE_COOKIE
from facegate_hub.page.app import make_page
from tests.browser.chromium import DESKTOP, PHONE, axe_source, resize, served
from tests.browser.person import Person, look_again, look_at, look_how_wide
from tests.community.compound import new_compound
from tests.community.test_tickets import picture

pytestmark = [pytest.mark.browser, pytest.mark.slow]

STEPS = [
    *("new", "assign", "start", "resolve", "reopen"),
    *("start", "resolve", "confirm", "answered"),
]
PASSWORD = "a good long password"
NARROW = (360, 740)
"""A small phone; with type twice as large it is what somebody with weak eyes has in hand."""


class Neighbour(Person):
    """Somebody at the page or the console, who reads one language and looks at every page they get."""

    def __init__(self, browser, url, cookie, language):
        super().__init__(browser, url)
        self.cookie, self.language = cookie, language
        self.token = ""
        self.shot, self.faults = 1, {}
        self.window = PHONE

    def say(self, text, /, **values):
        return say(f"community.{text}", self.language, **values)

    def go(self, path):
        """Open a page as themselves: one browser is everybody's, with a cookie for each."""
        if self.token:
            cookie = {"name": self.cookie, "value": self.token, "url": self.url, "path": "/"}
            self.browser.execute_cdp_cmd("Network.setCookie", cookie | {"secure": True, "httpOnly": True})
        super().go(path)

    def tap(self, text, /, **values):
        self.press(self.say(text, **values))

    def open(self, name):
        """Open what is folded away under these words, where it is folded."""
        words = self.say(name)
        for summary in self.browser.find_elements(By.CSS_SELECTOR, "summary"):
            if words in summary.text:
                summary.click()
                return
        raise AssertionError(f"nothing is folded away under {words!r}: {self.text}")

    def write(self, text):
        """Write into the box that was just unfolded."""
        self.browser.find_element(By.CSS_SELECTOR, "details[open] textarea").send_keys(text)

    def choose(self, name, value):
        options = Select(self.browser.find_element(By.NAME, name)).options
        next(one for one in options if one.get_attribute("value") == value).click()

    def sees(self, text, /, **values):
        self.wait_for(self.say(text, **values))


class Staged:
    """A compound with its page and console open, before one browser."""

    has_script = True
    window = PHONE
    """The size in which each page is opened and looked at first."""

    def __init__(self, compound, browser, urls):
        self.compound, self.browser, self.urls = compound, browser, urls

    def resident(self, language, name=None):
        found = Neighbour(self.browser, self.urls[0], PAGE_COOKIE, language)
        return self._known(found, name and Doer("person", self.compound.people[name]))

    def staff(self, language, name=None):
        found = Neighbour(self.browser, self.urls[1], CONSOLE_COOKIE, language)
        return self._known(found, name and Doer("account", name))

    def _known(self, found, doer):
        found.has_script, found.window = self.has_script, self.window
        if doer is not None:
            store = self.compound.book if doer.kind == "person" else self.compound.staff
            found.token = Devices(store).begin(doer, "test")
        found.go(f"/language/{found.language}?back=/")
        return found


@pytest.fixture
def staged(browser, tmp_path):
    compound = new_compound(tmp_path)
    with ExitStack() as stack:
        folders = [tmp_path / name for name in ("page", "console")]
        for folder in folders:
            folder.mkdir()
        page = stack.enter_context(served(make_page(compound.book, compound.terms), folders[0]))
        console = stack.enter_context(served(make_console(compound.staff, compound.terms, page), folders[1]))
        yield Staged(compound, browser, (page, console))
        browser.get("about:blank")


def logs_in_for_the_first_time(staged, desk, name):
    """The clerk's first day: a one-time code, a password, the app's digits."""
    store = staged.compound.staff
    code = StaffAccounts(store).begin_again(Doer("command", "root"), name)
    desk.go("/first")
    desk.fill(name=name, code=code, password=PASSWORD)
    desk.picture(f"{desk.language}-console-first")
    desk.tap("go_on")
    secret = desk.browser.find_element(By.CSS_SELECTOR, "code").text
    desk.picture(f"{desk.language}-console-app")
    desk.fill(digits=digits_of(secret, store.now()))
    desk.tap("login")
    desk.sees("menu.people")


def digits_of(secret, now):
    return code_at(base64.b32decode(secret.replace(" ", "")), now)


def invites(desk, compound):
    """The clerk finds somebody, invites them, and hands the code over."""
    desk.go("/people")
    desk.fill(q="wang")
    desk.tap("search")
    look(desk, "people")
    desk.browser.find_element(By.LINK_TEXT, "wang").click()
    look(desk, "person")
    desk.tap("make_invitation")
    look(desk, "invitation")
    return desk.browser.find_element(By.CSS_SELECTOR, ".code").text


def gets_in(phone, code):
    phone.go("/enter")
    look(phone, "enter")
    phone.fill(code=code)
    phone.tap("go_on")
    phone.sees("enter_as", flat="3-1203")
    look(phone, "accept")
    phone.tap("enter")
    phone.sees("hello", name="wang")
    phone.token = phone.browser.get_cookie(PAGE_COOKIE)["value"]
    look(phone, "home-empty")


def reports(phone, photo):
    phone.go("/")
    phone.tap("report_something")
    phone.choose("category", "water")
    phone.fill(text="厨房水龙头一直滴水", place="厨房")
    phone.browser.find_element(By.NAME, "photo").send_keys(str(photo))
    look(phone, "new")
    phone.tap("send")
    phone.sees("state.new")
    look(phone, "ticket-new")
    assert phone.browser.find_elements(By.CSS_SELECTOR, ".photos img")


def assigns(desk):
    desk.go("/tickets")
    look(desk, "tickets")
    desk.browser.find_element(By.PARTIAL_LINK_TEXT, "#1").click()
    look(desk, "ticket-new")
    desk.choose("assignee", "technician-1")
    desk.tap("do.assign")
    desk.sees("state.assigned")
    look(desk, "ticket-assigned")


def works(technician, text, *, again=False):
    technician.go("/tickets")
    technician.browser.find_element(By.PARTIAL_LINK_TEXT, "#1").click()
    if not again:
        look(technician, "ticket")
    technician.tap("do.start")
    technician.fill(text=text)
    if not again:
        look(technician, "resolving")
    technician.tap("do.resolve")
    technician.sees("state.resolved")
    if not again:
        look(technician, "resolved")


def says_not_fixed(phone):
    phone.go("/")
    phone.sees("waits_for_you")
    look(phone, "home-waits")
    phone.browser.find_element(By.PARTIAL_LINK_TEXT, "#1").click()
    phone.sees("is_it_fixed")
    look(phone, "ticket-resolved")
    phone.open("not_fixed")
    phone.write("晚上又开始滴水了")
    look(phone, "ticket-not-fixed")
    phone.tap("do.reopen")
    phone.sees("state.reopened")
    look(phone, "ticket-reopened")


def confirms_and_answers(phone):
    phone.go("/tickets/1")
    phone.tap("do.confirm")
    phone.sees("survey")
    look(phone, "survey")
    phone.browser.find_element(By.CSS_SELECTOR, "input[name=score][value='4']").click()
    phone.tap("send")
    phone.sees("survey_thanks", score=phone.say("score.4"))
    look(phone, "ticket-confirmed")


def look(somebody, name):
    """Keep pictures, note what axe finds and what does not fit, and what does not with twice the type.

    Axe asks less of large type than of small. What fits then fits at half of it, which has the same layout;
    whoever has a phone goes on with the large type. Without scripts there is no axe: it is one.
    """
    side = "page" if somebody.cookie == PAGE_COOKIE else "console"
    shot = f"{somebody.language}-{somebody.shot:02}-{name}"
    enlarge(somebody.browser, somebody.window, "")
    if somebody.has_script:
        look_at(somebody, f"{side}-{somebody.window[0]}-{shot}", axe_source(), somebody.faults)
        other = DESKTOP if somebody.window == PHONE else PHONE
        enlarge(somebody.browser, other, "")
        look_again(somebody, f"{side}-{other[0]}-{shot}", somebody.faults)
    else:
        look_how_wide(somebody, f"{side}-{somebody.window[0]}-{shot}", somebody.faults)
    enlarge(somebody.browser, NARROW, "200%")
    look_how_wide(somebody, f"{side}-{NARROW[0]}-{shot}", somebody.faults)
    if somebody.window == DESKTOP:
        enlarge(somebody.browser, DESKTOP, "")
    somebody.shot += 1


def enlarge(browser, size, type_size):
    """Show the page in this size, its type at so much of the usual."""
    resize(browser, size)
    browser.execute_script("document.documentElement.style.fontSize = arguments[0]", type_size)


def take_the_whole_way(staged, photo, language):
    desk, phone = staged.staff(language), staged.resident(language)
    logs_in_for_the_first_time(staged, desk, "dora")
    desk.token = staged.browser.get_cookie(CONSOLE_COOKIE)["value"]
    gets_in(phone, invites(desk, staged.compound))
    reports(phone, photo)
    assigns(desk)
    technician = staged.staff(language, "technician-1")
    works(technician, "更换了阀芯")
    says_not_fixed(phone)
    works(technician, "更换了整只水龙头", again=True)
    confirms_and_answers(phone)
    return desk, phone, technician


def test_the_whole_way_of_a_repair(staged, tmp_path):
    """On a phone, in Chinese."""
    resize(staged.browser, PHONE)
    (tmp_path / "photo.jpg").write_bytes(picture())
    everybody = take_the_whole_way(staged, tmp_path / "photo.jpg", "zh")
    seen = staged.compound.tickets.sheet(staged.compound.asker("wang"), 1)
    assert seen.ticket.state is TicketState.CONFIRMED
    assert [step.act for step in seen.steps] == STEPS
    assert [one.faults for one in everybody] == [{}, {}, {}]
    logged = [entry for entry in staged.browser.get_log("browser") if entry["source"] != "network"]
    assert logged == []  # no script error, nothing the policy had to block


def test_the_whole_way_without_a_script(staged, tmp_path):
    """At a desk, in English."""
    resize(staged.browser, DESKTOP)
    staged.window = DESKTOP
    (tmp_path / "photo.jpg").write_bytes(picture())
    staged.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        staged.has_script = False
        everybody = take_the_whole_way(staged, tmp_path / "photo.jpg", "en")
    finally:
        staged.browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
    seen = staged.compound.tickets.sheet(staged.compound.asker("wang"), 1)
    assert [step.act for step in seen.steps] == STEPS
    assert [one.faults for one in everybody] == [{}, {}, {}]
