"""The whole story in a real Chromium: first start, enrol, refusals, withdraw; on a phone, by keyboard."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from edge.domain import EventDraft, Verdict
from edge.policy.evidence import weigh
from tests.fakes.scene import Actor, axis, leaning
from tests.panel.chromium import DESKTOP, PHONE, Film, accessibility_faults, axe_source, chromium, served
from tests.panel.office import ANNA, PASSWORD, open_panel

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("chromium")) as window:
        yield window


class Person:
    """Somebody at the browser: sees words, presses what is written on buttons."""

    def __init__(self, browser, url, panel, film):
        self.browser, self.url, self.panel, self.film = browser, url, panel, film

    def go(self, path):
        self.browser.get(self.url + path)

    def fill(self, **fields):
        for name, value in fields.items():
            box = self.browser.find_element(By.NAME, name)
            if box.get_attribute("type") == "checkbox":
                box.click()
            else:
                box.clear()
                box.send_keys(value)

    def press(self, words):
        for button in self.browser.find_elements(By.CSS_SELECTOR, "button, a.button"):
            if words in button.text:
                self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
                button.click()
                return
        raise AssertionError(f"no button {words!r} on {self.browser.current_url}: {self.text}")

    @property
    def text(self):
        return self.browser.execute_script("return document.body ? document.body.innerText : ''")

    def wait_for(self, words, seconds=40):
        waiting = WebDriverWait(self.browser, seconds, poll_frequency=0.1)
        try:
            waiting.until(lambda _: words in self.text)
        except TimeoutException:
            pytest.fail(f"{words!r} never came; {self.browser.current_url} shows: {self.text}")

    def picture(self, name):
        """Keep a screenshot where FACEGATE_SCREENSHOTS says, for people to look at."""
        if folder := os.environ.get("FACEGATE_SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.browser.save_screenshot(str(Path(folder) / f"{name}.png"))

    def enrol(self, resident_id, name="", start=True):
        self.go("/enrol")
        self.fill(resident_id=resident_id, name=name, agrees=True)
        if start:
            self.press("Start the camera")

    def claim(self):
        self.go("/")
        self.fill(code=self.panel.desk.accounts.first_code, name="ines", password=PASSWORD)
        self.press("Create account")
        self.wait_for("enrolled residents")


@pytest.fixture
def person(browser, tmp_path):
    with ExitStack() as stack:
        panel = open_panel(tmp_path, stack)
        film = Film(panel, Actor(ANNA.colour, ANNA.embedding))
        panel.scene.actors[:] = [film.actor]
        panel.desk.studio.feed = film
        url = stack.enter_context(served(panel.app, tmp_path))
        browser.get(f"{url}/static/panel.css")  # cookies are deleted where one is
        browser.delete_all_cookies()
        browser.get_log("browser")
        browser.set_window_size(*DESKTOP)
        yield Person(browser, url, panel, film)
        browser.get("about:blank")


def walks_up(panel, embedding):
    """What the door decides on one look at a face with this embedding, over the templates it may match."""
    in_force = panel.desk.consents.in_force()
    panel.gallery.rows = {
        template.resident_id: template.embedding
        for template in panel.desk.residents.templates("scene")
        if template.consent_id in in_force
    }
    match = panel.gallery.identify(embedding)
    return weigh(match, match, panel.gallery.operating_point())[0]


def test_first_start_enrol_grant_withdraw_refuse(person):
    person.go("/")
    assert "one-time code" in person.text
    person.fill(code="WRONG-CODES", name="ines", password=PASSWORD)
    person.press("Create account")
    assert "not the code" in person.text
    person.claim()
    assert walks_up(person.panel, axis(0)) is not Verdict.GRANT

    person.enrol("flat-1203", "安娜")
    person.wait_for("The templates are good")
    person.picture("enrolled")
    person.press("Save")
    person.wait_for("安娜 is enrolled")
    assert walks_up(person.panel, axis(0)) is Verdict.GRANT

    person.go("/residents")
    person.browser.find_element(By.LINK_TEXT, "flat-1203").click()
    person.press("Withdraw consent")
    person.wait_for("RECEIPT OF ERASURE")
    person.picture("receipt")
    assert walks_up(person.panel, axis(0)) is not Verdict.GRANT
    logged = [entry for entry in person.browser.get_log("browser") if entry["source"] != "network"]
    assert logged == []  # no script error, nothing the policy had to block


def test_two_faces_and_a_look_alike_are_refused_in_words(person):
    person.claim()
    other = Actor(1, axis(1))
    person.panel.scene.actors.append(other)
    person.film.others = ((other, 420, 150, 120),)
    person.enrol("flat-2")
    person.wait_for("One person only")
    person.film.others = ()
    person.wait_for("The templates are good")
    person.press("Cancel")

    person.panel.gallery.rows["flat-1203"] = leaning(0, 0.8)
    person.enrol("flat-2")
    person.wait_for("Too close to flat-1203")
    person.picture("look-alike")
    assert "face and PIN" in person.text
    assert not person.panel.desk.residents.list()


def test_a_phone_shows_every_page_without_sideways_scrolling_in_both_languages(person):
    person.claim()
    person.browser.set_window_size(*PHONE)
    for language in ("en", "zh"):
        person.go(f"/language/{language}")
        for path in PATHS:
            person.go(path)
            person.picture(f"phone-{language}-{path.strip('/') or 'home'}")
            wide = person.browser.execute_script(
                "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert wide <= 0, f"{path} in {language}: {wide} px too wide"
    assert "登记" in person.text


PATHS = (
    "/",
    "/enrol",
    "/residents",
    "/events",
    "/live",
    "/test",
    "/health",
    "/models",
    "/accounts",
    "/about",
)


def test_axe_finds_nothing_on_any_page(person):
    source = axe_source()
    faults = {}

    def check(name):
        if found := accessibility_faults(person.browser, source):
            faults[name] = found

    person.go("/")
    check("first")
    person.claim()
    for path in (*PATHS, "/screen", "/nowhere"):
        person.go(path)
        person.picture(f"desktop-{path.strip('/') or 'home'}")
        check(path)
    person.enrol("flat-9", "Anna")
    person.picture("enrol-live")
    check("enrolling")
    person.wait_for("The templates are good")
    check("result")
    person.press("Save")
    person.wait_for("is enrolled")
    person.go("/residents/flat-9")
    check("resident")
    person.press("Withdraw consent")
    person.wait_for("RECEIPT OF ERASURE")
    check("receipt")
    assert faults == {}


def test_the_keyboard_is_enough_to_log_in_and_enrol(person):
    person.panel.desk.accounts.claim(person.panel.desk.accounts.first_code, "ines", PASSWORD)
    person.go("/login")
    keys = person.browser.switch_to.active_element

    def tab_to(name):
        for _ in range(40):
            here = person.browser.switch_to.active_element
            if here.get_attribute("name") == name or (here.tag_name == "button" and name in here.text):
                return here
            here.send_keys(Keys.TAB)
        raise AssertionError(f"the Tab key never reaches {name}")

    keys.send_keys(Keys.TAB)
    tab_to("name").send_keys("ines")
    tab_to("password").send_keys(PASSWORD, Keys.ENTER)
    person.wait_for("enrolled residents")
    person.go("/enrol")
    tab_to("resident_id").send_keys("flat-3")
    tab_to("agrees").send_keys(Keys.SPACE)
    tab_to("Start the camera").send_keys(Keys.ENTER)
    person.wait_for("The templates are good")
    tab_to("Save").send_keys(Keys.ENTER)
    person.wait_for("is enrolled")


def test_a_hostile_name_runs_nothing(person):
    person.claim()
    person.enrol(
        "flat-4", "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>"
    )
    person.wait_for("The templates are good")
    person.press("Save")
    person.wait_for("is enrolled")
    for path in ("/residents", "/residents/flat-4", "/events"):
        person.go(path)
        assert "owned" not in person.browser.title
    person.go("/residents/flat-4")
    assert "<img src=x" in person.text  # shown as what it is


def test_the_screen_at_the_gate_changes_by_itself(person):
    person.go("/screen")
    person.picture("screen-idle")
    person.panel.desk.record(EventDraft("access.granted", person.panel.clock.now(), 1.0, "flat-7", "granted"))
    person.wait_for("Welcome", 5)
    person.picture("screen-granted")
    person.panel.desk.record(
        EventDraft("access.denied", person.panel.clock.now(), 2.0, None, "unknown_credential")
    )
    person.wait_for("Not recognised", 5)
    person.picture("screen-denied")
