"""How a session ends: a page that is left open keeps nobody logged in, and whoever comes back is told why."""

from __future__ import annotations

import pytest

from edge.panel.app import PAGES
from edge.web.accounts import Role
from edge.web.sessions import IDLE_SECONDS, LONGEST_SECONDS
from tests.panel.office import PASSWORD

UNASKED = {"X-Facegate-Unasked": "1"}


@pytest.mark.parametrize(
    "path", ["/", "/session/state", "/live.jpg", "/live/state", "/test/state", "/health/state"]
)
def test_what_a_page_asks_by_itself_keeps_nobody_logged_in(panel, path):
    browser = panel.logged_in()
    for _ in range(int(IDLE_SECONDS // 60)):
        panel.clock.advance(60)
        assert browser.get(path, headers=UNASKED).status_code in (200, 204)
    panel.clock.advance(1)
    assert browser.get(path, headers=UNASKED).status_code == 401


def test_use_of_a_page_puts_the_end_off(panel):
    browser = panel.logged_in()
    for _ in range(int(2 * IDLE_SECONDS // 60)):
        panel.clock.advance(60)
        browser.get("/session/state")
    panel.clock.advance(IDLE_SECONDS - 40)
    told = browser.get("/session/state", headers=UNASKED).json()
    assert told["left"] == 40
    assert "nobody uses this page" in told["text"]


def test_after_eight_hours_use_puts_nothing_off_and_the_page_says_so(panel):
    browser = panel.logged_in()
    for _ in range(int(LONGEST_SECONDS // 600) - 1):
        panel.clock.advance(600)
        browser.get("/session/state")
    panel.clock.advance(560)
    told = browser.get("/session/state").json()
    assert told["left"] == 40
    assert "8 hours" in told["text"]


def test_the_login_tells_that_the_session_has_ended_and_leads_back(panel):
    browser = panel.logged_in()
    panel.clock.advance(IDLE_SECONDS + 1)
    browser.get("/", headers=UNASKED)  # the page noticed by itself: this must not eat what is to be told
    page = browser.get("/residents")
    assert page.url.path == "/login"
    assert "15 minutes without use" in page.text
    back = browser.post("/login", name="ines", password=PASSWORD, back="/residents")
    assert back.url.path == "/residents"
    assert "without use" not in back.text


@pytest.mark.parametrize("back", ["//evil.example", "https://evil.example/", "/login/../..", "javascript:1"])
def test_the_login_leads_to_no_other_site(panel, back):
    browser = panel.logged_in()
    browser.post("/logout")
    page = browser.post("/login", name="ines", password=PASSWORD, back=back)
    assert (page.url.host, page.url.path) == (browser.get("/").url.host, "/")


def test_who_was_never_logged_in_is_told_nothing_about_an_end(panel):
    panel.desk.accounts.put("ines", Role.INSTALLER, PASSWORD)
    assert "any more" not in panel.browser().get("/residents").text


def test_a_display_goes_on_without_a_login():
    """Nobody logs in there: it is not asked who uses it."""
    assert all(roles is None for path, _, roles, _ in PAGES if path.startswith("/screen"))


@pytest.mark.parametrize("page", ["/first", "/login"])
def test_a_refused_login_keeps_the_name_and_tells_it_at_its_field(panel, page):
    browser = panel.browser()
    if page == "/login":
        panel.desk.accounts.put("ines", Role.INSTALLER, PASSWORD)
    browser.get(page)
    answer = browser.post(page, name="ines zhang", password="not this one", code="AAAAA-BBBBB")
    assert answer.status_code == 403
    assert 'name="name" type="text" value="ines zhang"' in answer.text
    assert "not this one" not in answer.text
    if page == "/first":
        assert 'aria-describedby="fault-code"' in answer.text


def test_a_password_that_cannot_be_is_told_at_its_field_on_the_first_start(panel):
    browser = panel.browser()
    browser.get("/first")
    code = panel.desk.accounts.first_code
    answer = browser.post("/first", name="ines", password="short", code=code)
    assert answer.status_code == 422
    assert f'value="{code}"' in answer.text
    assert 'aria-describedby="fault-password"' in answer.text
