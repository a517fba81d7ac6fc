"""The whole story in a real Chromium: first start, enrol, refusals, withdraw; on a phone, by keyboard."""

from __future__ import annotations

import re
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from typing import Any

import cv2
import numpy as np
import pytest
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from edge.domain import EventDraft, Reason, Resident, Verdict
from edge.events import Kind
from edge.faces.liveness.prompts import Prompt
from edge.panel.app import PAGES
from edge.policy.rules_toml import parse_rules
from edge.recognition.evidence import weigh
from edge.web.between import COOKIE
from tests.browser.chromium import DESKTOP, PHONE, axe_source, resize, served
from tests.browser.person import Person, look_again, look_at
from tests.fakes.scene import Actor, axis, leaning
from tests.panel.film import Film
from tests.panel.office import ANNA, PASSWORD, Feed, open_panel
from tests.places import REPOSITORY
from tests.waiting import wait_until

RULES = (REPOSITORY / "systemd" / "rules.toml").read_text(encoding="utf-8")

pytestmark = [pytest.mark.browser, pytest.mark.slow]


class PanelPerson(Person):
    """Somebody at the panel, with the film that its camera sees."""

    def __init__(self, browser, url, panel, film):
        super().__init__(browser, url)
        self.panel, self.film = panel, film

    def enrol(self, resident_id, name="", start=True):
        self.go("/enrol")
        self.fill(resident_id=resident_id, name=name, agrees=True)
        if start:
            self.press("Start")

    def withdraw(self, resident_id):
        """Open what cannot be undone, type the id, and mean it."""
        danger = self.browser.find_element(By.CSS_SELECTOR, "form[action$='/withdraw']")
        danger.find_element(By.XPATH, "./ancestor::details/summary").click()
        danger.find_element(By.NAME, "typed").send_keys(resident_id)
        self.press("Withdraw consent")

    def claim(self):
        """Make the first account by the page, as the device's first visitor."""
        self.go("/")
        self.fill(code=self.panel.desk.accounts.first_code, name="ines", password=PASSWORD)
        self.press("Create account")
        self.wait_for("people with a face enrolled")

    def log_in(self):
        """Have the session of somebody who has logged in elsewhere: the form is not what is tried."""
        token = self.panel.logged_in().client.cookies[COOKIE]
        cookie = {"name": COOKIE, "value": token, "url": self.url, "path": "/"}
        self.browser.execute_cdp_cmd("Network.setCookie", cookie | {"secure": True, "httpOnly": True})


@pytest.fixture
def person(browser, tmp_path):
    with ExitStack() as stack:
        panel = open_panel(tmp_path, stack, rules=RULES)
        film = Film(panel, Actor(ANNA.colour, ANNA.embedding))
        panel.scene.actors[:] = [film.actor]
        panel.desk.studio.feed = film
        url = stack.enter_context(served(panel.app, tmp_path))
        resize(browser, DESKTOP)
        yield PanelPerson(browser, url, panel, film)
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


def shows(browser, state: str) -> bool:
    """Return whether the display is in this state."""
    return browser.execute_script("return document.body.dataset.state") == state


def test_first_start_enrol_grant_withdraw_refuse(person):
    person.go("/")
    assert "first-start code" in person.text
    person.fill(code="WRONG-CODES", name="ines", password=PASSWORD)
    person.press("Create account")
    person.wait_for("Wrong code")
    person.claim()
    assert walks_up(person.panel, axis(0)) is not Verdict.GRANT

    person.enrol("flat-1203", "安娜")
    person.wait_for("The pictures of the face are good")
    person.picture("enrolled")
    person.press("Save")
    person.wait_for("安娜 is enrolled")
    assert walks_up(person.panel, axis(0)) is Verdict.GRANT

    person.go("/residents")
    person.browser.find_element(By.LINK_TEXT, "安娜").click()
    person.withdraw("flat-1203")
    person.wait_for("CONFIRMATION OF DELETION")
    person.picture("receipt")
    assert walks_up(person.panel, axis(0)) is not Verdict.GRANT
    logged = [entry for entry in person.browser.get_log("browser") if entry["source"] != "network"]
    assert logged == []  # no script error, nothing the policy had to block


def test_from_the_first_boot_to_face_pin_card_and_pass_by_the_page_alone(person):
    """In Chinese on a phone; the way to a face in English on a desk is the test above."""
    panel, browser = person.panel, person.browser
    resize(browser, PHONE)
    person.go("/language/zh?back=/first")
    person.fill(code=panel.desk.accounts.first_code, name="ines", password=PASSWORD)
    person.press("创建账号")
    person.go("/people/new")
    person.fill(resident_id="3-1203-2", name="安娜")
    person.press("创建")
    person.wait_for("安娜 3-1203-2")
    person.press("录入人脸")
    person.fill(agrees=True)
    person.press("开始采集")
    person.wait_for("采集合格")
    person.press("保存")
    person.wait_for("已录入")
    assert walks_up(panel, axis(0)) is Verdict.GRANT

    assert browser.find_element(By.NAME, "number").get_attribute("value") == "1203"
    person.press("设置开门密码")
    person.wait_for("✱")
    number, pin = re.findall(r"\d+", browser.find_element(By.CSS_SELECTOR, "[data-pin]").text)
    assert panel.desk.ways.book().match(number, pin).resident_id == "3-1203-2"
    person.press("已抄下")
    person.wait_for("安娜 3-1203-2")
    shown = {"method": "card", "card": "w26:17:4711"}
    panel.desk.log.record(
        EventDraft(Kind.ACCESS_DENIED, panel.clock.now(), 1.0, None, "UNKNOWN_CREDENTIAL", shown)
    )
    person.wait_for("w26:17:4711")
    person.press("发放此卡")
    person.wait_for("门卡已发放")
    assert panel.desk.ways.cards() == {"w26:17:4711": "3-1203-2"}
    person.press("签发访客码")
    person.wait_for("仅显示这一次")
    person.picture("pass-zh")
    assert len(panel.desk.ways.passes_of("3-1203-2")) == 1


def phone_photos(folder):
    """Three photos as a phone takes them, together far more than a form may have."""
    noise = np.random.default_rng(1).integers(0, 255, (3000, 4000, 3), np.uint8)
    for number in range(3):
        path = folder / f"IMG_{number}.jpg"
        cv2.imwrite(str(path), noise, [cv2.IMWRITE_JPEG_QUALITY, 90])
        yield path


def test_large_photos_are_made_small_each_gets_its_verdict_and_nothing_is_lost(person, tmp_path):
    person.log_in()
    person.enrol("flat-5", "Anna", start=False)
    paths = [*phone_photos(tmp_path)]
    assert sum(path.stat().st_size for path in paths) > 12_000_000
    person.browser.find_element(By.NAME, "photos").send_keys("\n".join(map(str, paths)))
    wait_until(lambda: len(person.browser.find_elements(By.CSS_SELECTOR, "#shots canvas")) == 3)
    person.press("Enrol from photos")
    person.wait_for("no face found")
    verdicts = person.browser.find_elements(By.CSS_SELECTOR, "#shots .bad .verdict")
    assert [one.text.split(":")[0] for one in verdicts] == ["Photo 1", "Photo 2", "Photo 3"]
    for name, value in (("resident_id", "flat-5"), ("name", "Anna")):
        assert person.browser.find_element(By.NAME, name).get_attribute("value") == value
    assert person.browser.find_element(By.NAME, "agrees").is_selected()


def test_what_is_refused_comes_back_with_what_was_typed(person):
    person.log_in()
    person.panel.desk.residents.put_people([Resident("flat-1203", "Anna")])
    person.go("/residents/flat-1203")
    person.fill(number="12a", pin="482916")
    person.press("Give a PIN")
    person.wait_for("1 to 8 digits")
    box = person.browser.switch_to.active_element
    assert (box.get_attribute("name"), box.get_attribute("value")) == ("number", "12a")
    assert box.get_attribute("aria-invalid") == "true"
    faults: dict[str, Any] = {}
    look_at(person, "refused-pin", axe_source(), faults)
    assert faults == {}


def test_two_faces_and_a_look_alike_are_refused_in_words(person):
    person.log_in()
    other = Actor(1, axis(1))
    person.panel.scene.actors.append(other)
    person.film.others = ((other, 420, 150, 120),)
    person.enrol("flat-2")
    person.wait_for("Only one person")
    person.film.others = ()
    person.wait_for("The pictures of the face are good")
    person.press("Cancel")

    person.panel.gallery.rows["flat-1203"] = leaning(0, 0.8)
    person.enrol("flat-2")
    person.wait_for("Too similar to flat-1203")
    person.picture("look-alike")
    assert "face and PIN" in person.text
    assert not person.panel.desk.residents.list()


PATHS = (
    "/",
    "/enrol",
    "/residents",
    "/residents/flat-1203",
    "/people/new",
    "/people/import",
    "/rules",
    "/rules/schedule?name=cleaning",
    "/rules/level?name=cleaner",
    "/rules/days",
    "/failed",
    "/commissioning",
    "/commissioning/sheet",
    "/events",
    "/live",
    "/test",
    "/health",
    "/display",
    "/models",
    "/network",
    "/backup",
    "/accounts",
    "/about",
    "/nowhere",
)


def test_every_page_is_in_the_list_that_is_looked_at():
    shown = {path for path, methods, *_ in PAGES if "GET" in methods}
    no_pages = {"/enrol/now", "/language/{code}", "/first", "/login", "/screen"}  # looked at by themselves
    news = {path for path in shown if path.endswith(("/state", "/news", ".jpg", ".csv", ".crt"))}

    assert {path.replace("{resident_id:path}", "flat-1203") for path in shown - no_pages - news} <= {
        path.partition("?")[0] for path in PATHS
    }


def view(browser, size, scheme):
    """Show the page that is there in this size, to somebody who wishes it light or dark."""
    wish = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": wish})
    resize(browser, size)
    browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")


@pytest.mark.parametrize(
    ("language", "first", "then"),
    [
        ("zh", (PHONE, "light"), (DESKTOP, "dark")),
        ("en", (DESKTOP, "light"), (PHONE, "dark")),
    ],
    ids=["zh", "en"],
)
def test_every_page_fits_and_axe_finds_nothing(person, language, first, then):
    """Each page is opened once in a language, looked at whole, and in the other size and colours again."""
    source = axe_source()
    faults: dict[str, Any] = {}
    view(person.browser, *first)
    person.go(f"/language/{language}?back=/first")
    look_at(person, "first", source, faults)
    person.panel.desk.accounts.claim(person.panel.desk.accounts.first_code, "ines", PASSWORD)
    person.go("/login")
    look_at(person, "login", source, faults)
    person.fill(name="ines", password=PASSWORD)
    person.press("登录" if language == "zh" else "Log in")
    person.panel.desk.residents.put(Resident("flat-1203", "安娜 <b>Anna</b>"), [])
    person.panel.desk.ways.give_card("w26:17:4711", "flat-1203")
    draft = EventDraft(
        Kind.ACCESS_DENIED, person.panel.clock.now(), 1.0, None, "UNKNOWN_CREDENTIAL", {"method": "card"}
    )
    person.panel.desk.log.record(draft)
    for path in PATHS:
        person.go(path)
        assert person.browser.current_url == person.url + path  # not sent to the login
        name = f"{language}-{path.partition('?')[0].strip('/').replace('/', '-') or 'home'}"
        look_at(person, f"{first[0][0]}-{name}", source, faults)
        view(person.browser, *then)
        look_again(person, f"{then[0][0]}-{name}", faults)
        first, then = then, first  # the next page is opened as this one is left
    assert faults == {}


def test_axe_finds_nothing_while_enrolling_and_withdrawing(person):
    source = axe_source()
    faults: dict[str, Any] = {}
    person.log_in()
    resize(person.browser, PHONE)
    person.enrol("flat-9", "Anna")
    look_at(person, "enrolling", source, faults)
    person.wait_for("The pictures of the face are good")
    look_at(person, "result", source, faults)
    person.press("Save")
    person.wait_for("is enrolled")
    person.go("/residents/flat-9")
    look_at(person, "resident", source, faults)
    person.withdraw("flat-9")
    person.wait_for("CONFIRMATION OF DELETION")
    look_at(person, "receipt", source, faults)
    assert faults == {}


def test_the_overview_shows_the_camera_to_those_who_may(person):
    person.log_in()
    person.go("/")
    wait_until(
        lambda: person.browser.execute_script(
            "const i = document.querySelector('.thumb img'); return i.naturalWidth"
        ),
        "a picture",
    )
    person.picture("home-camera")
    person.panel.desk.studio.feed = Feed()
    person.go("/")
    assert not person.browser.find_element(By.CSS_SELECTOR, ".thumb").is_displayed(), "no picture, no frame"


def test_new_hours_are_tried_and_come_into_force_by_the_form(person):
    source = axe_source()
    faults: dict[str, Any] = {}
    person.log_in()
    for size in (DESKTOP, PHONE):
        resize(person.browser, size)
        person.go("/rules/schedule?name=cleaning")
        person.fill(hours_mon="7 to 9")
        person.press("Try it")
        person.wait_for("is no span of a day")
        look_at(person, f"hours-wrong-{size[0]}", source, faults)
        person.fill(hours_mon="07:00-09:00, 20:00-21:00" if size == DESKTOP else "")
        person.press("Try it")
        person.wait_for("What changes in the file")
        look_at(person, f"hours-tried-{size[0]}", source, faults)
        person.press("Bring these rules into force")
        person.wait_for("The new rules are in force")
        look_at(person, f"rules-put-{size[0]}", source, faults)
    assert faults == {}
    text = person.panel.desk.rule_file.text()
    hours = {
        day: str(spans[0]) for day, spans in parse_rules(text).schedules["cleaning"].days.items() if spans
    }
    assert hours == dict.fromkeys(("tue", "wed", "thu", "fri"), "06:00-10:00") | {"sat": "22:00-02:00"}
    assert text.count("#") == RULES.count("#") - 1, "a comment behind a line goes with its line alone"


@pytest.mark.parametrize(("language", "told"), [("en", "3 minutes ago"), ("zh", "3分钟前")])
def test_times_are_as_people_say_them_and_exact_when_pressed(person, language, told):
    """By the door's clock, which is not the browser's here; what is older than a day stands as it was."""
    person.log_in()
    now = person.panel.clock.now()
    for minutes in (3, 3000):
        draft = EventDraft(Kind.DOOR_FORCED, now - timedelta(minutes=minutes), 1.0)
        person.panel.desk.log.record(draft)
    for path in (f"/language/{language}?back=/events", "/"):
        person.go(path)
        person.wait_for(told)
        exact = f"{now - timedelta(minutes=3):%Y-%m-%d %H:%M:%S}"
        assert f"{now - timedelta(minutes=3000):%Y-%m-%d %H:%M:%S}" in person.text
        assert exact not in person.text
        person.press(told)
        person.wait_for(exact)


AT_THE_KEYS = """
const here = document.activeElement, [name] = arguments;
return [here, here.name === name || (here.localName === "button" && here.innerText.includes(name))];
"""


def test_the_keyboard_is_enough_to_log_in_and_enrol(person):
    person.panel.desk.accounts.claim(person.panel.desk.accounts.first_code, "ines", PASSWORD)
    person.go("/login")
    keys = person.browser.switch_to.active_element

    def tab_to(name):
        for _ in range(40):
            here, is_reached = person.browser.execute_script(AT_THE_KEYS, name)
            if is_reached:
                return here
            here.send_keys(Keys.TAB)
        raise AssertionError(f"the Tab key never reaches {name}")

    keys.send_keys(Keys.TAB)
    tab_to("name").send_keys("ines")
    tab_to("password").send_keys(PASSWORD, Keys.ENTER)
    person.wait_for("people with a face enrolled")
    person.go("/enrol")
    tab_to("resident_id").send_keys("flat-3")
    tab_to("agrees").send_keys(Keys.SPACE)
    tab_to("Start").send_keys(Keys.ENTER)
    person.wait_for("The pictures of the face are good")
    tab_to("Save").send_keys(Keys.ENTER)
    person.wait_for("is enrolled")


def test_a_hostile_name_runs_nothing(person):
    person.log_in()
    person.enrol(
        "flat-4", "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>"
    )
    person.wait_for("The pictures of the face are good")
    person.press("Save")
    person.wait_for("is enrolled")
    for path in ("/residents", "/residents/flat-4", "/events"):
        person.go(path)
        assert "owned" not in person.browser.title
    person.go("/residents/flat-4")
    assert "<img src=x" in person.text  # shown as what it is


KIOSK, PORTRAIT = (800, 480), (600, 1024)


def test_the_display_changes_by_itself_and_axe_finds_nothing_on_it(person):
    source = axe_source()
    faults: dict[str, Any] = {}
    gate = person.panel.desk.screen
    person.panel.desk.keys.ring = lambda flat: gate.rung()
    person.panel.desk.words.put_notice("en", "Lift out of order until Friday")
    for size in (KIOSK, PORTRAIT):
        resize(person.browser, size)
        person.go("/screen?language=both&voice=on")
        person.wait_for("Lift out of order")
        look_at(person, f"display-{size[0]}-idle", source, faults)
        gate.prompt(Prompt(1, "turn_left", 1, 2, 4.0))
        person.wait_for("请向左转头")
        assert person.browser.find_element(By.CSS_SELECTOR, ".sign .left").is_displayed()
        look_at(person, f"display-{size[0]}-left", source, faults)
        gate.decided(True, Reason.GRANTED)
        person.wait_for("Please come in")
        look_at(person, f"display-{size[0]}-granted", source, faults)
        gate.decided(False, Reason.UNKNOWN_CREDENTIAL)
        person.wait_for("Not recognised")
        look_at(person, f"display-{size[0]}-refused", source, faults)
        person.press("Bell")
        person.wait_for("The bell rang")
        person.press("PIN")
        look_at(person, f"display-{size[0]}-pad", source, faults)
        person.panel.clock.advance(60)
    logged = [entry for entry in person.browser.get_log("browser") if entry["source"] != "network"]
    assert faults == {}
    assert logged == []


def typed_text(person):
    """Everything on the page and in its fields, as a camera over the shoulder or an extension sees it."""
    fields = person.browser.execute_script(
        "return [...document.querySelectorAll('input')].map(i => i.value).join()"
    )
    return person.browser.execute_script("return document.getElementById('typed').textContent") + fields


def test_the_pin_pad_takes_fingers_and_keys_and_shows_no_digit(person):
    typed = []
    person.panel.desk.keys.type_pin = lambda *pair: typed.append(pair)
    resize(person.browser, KIOSK)
    person.go("/screen")
    person.press("PIN")
    for digit in "1203":
        person.press(digit)
    assert not re.search(r"[1-35-9]", typed_text(person))  # "4 digits typed" is said to who cannot see
    person.press("OK")
    for digit in "999":
        person.press(digit)
    for _ in range(3):
        person.press("Delete")
    for digit in "480516":
        person.press(digit)
    assert "••••••" in typed_text(person)
    assert "480516" not in person.browser.page_source
    person.press("OK")
    wait_until(lambda: typed == [("1203", "480516")])

    keys = person.browser.switch_to.active_element
    keys.send_keys("12")
    person.browser.switch_to.active_element.send_keys("0", "4", Keys.BACKSPACE, "3", Keys.ENTER)
    person.browser.switch_to.active_element.send_keys("480517", Keys.ENTER)
    wait_until(lambda: typed[1:] == [("1203", "480517")])
    person.browser.switch_to.active_element.send_keys("55")
    person.browser.switch_to.active_element.send_keys(Keys.ESCAPE)
    wait_until(lambda: not person.browser.find_element(By.ID, "pad").is_displayed())
    assert len(typed) == 2


def finger(browser):
    """Return a finger on the display, whose moves are carried out by `perform`."""
    touch = ActionBuilder(browser, mouse=PointerInput("touch", "finger"))
    return touch, touch.pointer_action


def test_the_pin_pad_is_used_without_looking(person):
    typed = []
    person.panel.desk.keys.type_pin = lambda *pair: typed.append(pair)
    source, browser = axe_source(), person.browser
    faults: dict[str, Any] = {}
    resize(browser, PORTRAIT)
    person.go("/screen?keys=spoken&sound=on")
    browser.execute_script("window.heard = []; speechSynthesis.speak = (words) => heard.push(words.text)")
    person.wait_for("Look at the camera")
    touch, hand = finger(browser)
    hand.move_to_location(300, 300).pointer_down().pause(2.5).move_to_location(310, 700).pointer_up()
    touch.perform()
    wait_until(lambda: browser.find_element(By.ID, "pad").is_displayed())
    assert "Slide a finger over the keys" in browser.execute_script("return heard[0]")
    assert typed_text(person).strip() in {"", ","}, "the finger that opened the pad typed nothing"
    look_at(person, "display-600-spoken", source, faults)

    def slide_to(*labels):
        for label in labels:
            touch, hand = finger(browser)
            keys = browser.find_elements(By.CSS_SELECTOR, "#pad button")
            start, end = keys[4], next(key for key in keys if key.text == label)
            hand.move_to(start).pointer_down().move_to(end).pointer_up()
            touch.perform()

    slide_to("1", "2", "OK")
    assert browser.execute_script("return heard.slice(1)") == ["5", "1", "5", "2", "5", "OK", "PIN, then OK"]
    slide_to("4", "8", "0", "Delete", "0", "OK")
    wait_until(lambda: typed == [("12", "480")])
    person.press("PIN")
    person.press("7")
    assert browser.execute_script("return heard.length") == 20, "keys are not spoken to whoever comes next"
    assert faults == {}


def test_a_display_in_both_languages_has_a_pad_in_both(person):
    source, browser = axe_source(), person.browser
    faults: dict[str, Any] = {}
    resize(browser, PORTRAIT)
    person.go("/screen?language=both&keys=spoken")
    look_at(person, "display-600-both", source, faults)
    browser.execute_script("window.heard = []; speechSynthesis.speak = (words) => heard.push(words.text)")
    touch, hand = finger(browser)
    hand.move_to_location(300, 300).pointer_down().pause(2.5).move_to_location(310, 700).pointer_up()
    touch.perform()
    wait_until(lambda: browser.find_element(By.ID, "pad").is_displayed())
    look_at(person, "display-600-both-pad", source, faults)
    keys = browser.find_elements(By.CSS_SELECTOR, "#pad button")
    touch, hand = finger(browser)
    hand.move_to(keys[4]).pointer_down().pointer_up()
    touch.perform()
    touch, hand = finger(browser)
    hand.move_to(keys[4]).pointer_down().move_to(keys[11]).pointer_up()
    touch.perform()
    assert browser.execute_script("return heard.slice(2)") == [
        *("5", "5", "5", "5", "OK", "确认"),
        *("PIN, then OK", "请输入开门密码，按“确认”"),
    ]
    assert browser.find_element(By.ID, "pad-title").text.split("\n") == [
        "PIN, then OK",
        "请输入开门密码，按“确认”",
    ]
    assert faults == {}


def test_the_display_tells_by_colour_ring_sign_and_sound(person):
    gate, browser = person.panel.desk.screen, person.browser
    resize(browser, KIOSK)
    person.go("/screen?sound=on&voice=on")
    person.wait_for("Look at the camera")
    browser.execute_script(
        "window.tones = []; const make = AudioContext.prototype.createOscillator;"
        "AudioContext.prototype.createOscillator = function () { tones.push(document.body.dataset.state);"
        " return make.call(this); }"
    )
    seen = {}
    for name, tell in {
        "granted": lambda: gate.decided(True, Reason.GRANTED),
        "refused": lambda: gate.decided(False, Reason.UNKNOWN_CREDENTIAL),
        "pin_wanted": lambda: gate.decided(False, Reason.SECOND_FACTOR_REQUIRED),
    }.items():
        tell()
        wait_until(partial(shows, browser, name))
        person.picture(f"display-800-{name}-signs")
        seen[name] = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        shown = browser.execute_script(
            "return getComputedStyle(document.querySelector('.other-ways')).display"
        )
        assert shown == ("flex" if name == "refused" else "none")
    assert len(set(seen.values())) == 3
    wait_until(lambda: len(browser.execute_script("return tones")) == 7)
    person.press("Cancel")
    browser.find_element(By.LINK_TEXT, "中文").click()
    assert "voice=on&sound=on" in browser.current_url


def test_a_display_that_lost_the_door_says_so(person):
    person.go("/screen")
    person.wait_for("Look at the camera")
    person.browser.execute_cdp_cmd("Network.enable", {})
    cut = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    person.browser.execute_cdp_cmd("Network.emulateNetworkConditions", cut)
    try:
        person.wait_for("The display has lost its connection")
    finally:
        whole = cut | {"offline": False, "downloadThroughput": -1, "uploadThroughput": -1}
        person.browser.execute_cdp_cmd("Network.emulateNetworkConditions", whole)
    person.wait_for("Look at the camera")
