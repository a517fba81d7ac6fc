"""In a real Chromium: two clicks send a form once, and a draft is kept until it was taken."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait

from facegate_hub.community.book import Doer
from facegate_hub.community.devices import Devices
from facegate_hub.community.schema import TICKETS
from facegate_hub.page.app import COOKIE, make_page
from tests.browser.chromium import PHONE, resize, served
from tests.community.compound import new_compound
from tests.waiting import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.slow]
TEXT = "The lift in house 3 stands still since seven."
KEPT = "return Object.keys(localStorage).map((key) => JSON.parse(localStorage[key]).text)[0] ?? null"


@pytest.fixture
def phone(browser, tmp_path):
    compound = new_compound(tmp_path)
    (tmp_path / "tls").mkdir()
    with served(make_page(compound.book, compound.terms), tmp_path / "tls") as url:
        resize(browser, PHONE)
        log_in(compound, browser, url, "wang")
        yield compound, browser, url
        browser.get("about:blank")


def log_in(compound, window, url, name):
    token = Devices(compound.book).begin(Doer("person", compound.people[name]), "test")
    cookie = {"name": COOKIE, "value": token, "url": url, "path": "/", "secure": True, "httpOnly": True}
    window.execute_cdp_cmd("Network.setCookie", cookie)


def written(window, url):
    window.get(f"{url}/new")
    Select(window.find_element(By.NAME, "category")).select_by_value("lift")
    window.find_element(By.NAME, "text").send_keys(TEXT)
    return window.find_element(By.CSS_SELECTOR, "form.card button.big")


def arrived(window, part):
    WebDriverWait(window, PATIENCE).until(lambda one: part in one.page_source)


def test_two_clicks_are_one_ticket_and_its_draft_goes_when_it_was_taken(phone):
    compound, window, url = phone
    ActionChains(window).double_click(written(window, url)).perform()
    arrived(window, "#1")
    with compound.book.looking() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(TICKETS)).scalar_one() == 1
    assert window.execute_script(KEPT) is None


def test_what_was_written_is_kept_where_the_phone_was_logged_out_meanwhile(phone):
    compound, window, url = phone
    button = written(window, url)
    Devices(compound.book).end_all(Doer("person", compound.people["wang"]))
    button.click()
    arrived(window, "data-unsent")
    assert TEXT in window.page_source
    assert window.execute_script(KEPT) == TEXT


def test_who_logs_in_next_on_the_same_phone_finds_no_draft(phone):
    compound, window, url = phone
    written(window, url)
    assert window.execute_script(KEPT) == TEXT
    log_in(compound, window, url, "li")
    window.get(f"{url}/new")
    assert window.find_element(By.NAME, "text").get_property("value") == ""
    assert window.execute_script(KEPT) is None
