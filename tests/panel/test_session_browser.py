"""A page that is left open in a real Chromium: it warns, can be kept, and says that it ended."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from selenium.webdriver.common.by import By

from edge.web.sessions import IDLE_SECONDS
from tests.browser.chromium import DESKTOP, PHONE, axe_source, resize, served
from tests.browser.person import Person, look_at
from tests.panel.office import PASSWORD, open_panel
from tests.waiting import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LOOK = "document.dispatchEvent(new Event('visibilitychange'))"
"""A page looks when it comes to the front again; else it waits for minutes of the door's clock."""
WORDS = {
    "en": ("Create account", "Stay logged in", "will be logged out", "not logged in any more", "Log in"),
    "zh": ("创建账号", "保持登录", "将退出登录", "登录已失效", "登录"),
}


@pytest.mark.parametrize(
    ("size", "language", "path"), [(PHONE, "zh", "/"), (DESKTOP, "en", "/residents")], ids=["zh", "en"]
)
def test_a_page_left_open_warns_can_be_kept_and_says_that_it_ended(browser, tmp_path, size, language, path):
    create, stay, warned, ended, enter = WORDS[language]
    with ExitStack() as stack:
        panel = open_panel(tmp_path, stack)
        person = Person(browser, stack.enter_context(served(panel.app, tmp_path)))
        resize(browser, size)
        person.go(f"/language/{language}?back=/first")
        person.fill(code=panel.desk.accounts.first_code, name="ines", password=PASSWORD)
        person.press(create)
        person.go(path)

        panel.clock.advance(IDLE_SECONDS - 30)
        browser.execute_script(LOOK)
        person.wait_for(warned)
        faults: dict[str, object] = {}
        look_at(person, f"session-ending-{language}-{path.strip('/') or 'home'}", axe_source(), faults)
        assert faults == {}
        person.press(stay)
        wait_until(lambda: not browser.find_element(By.ID, "ending").is_displayed())

        panel.clock.advance(IDLE_SECONDS + 1)
        browser.execute_script(LOOK)
        person.wait_for(ended)
        person.picture(f"session-over-{language}")
        person.fill(name="ines", password=PASSWORD)
        person.press(enter)
        wait_until(lambda: browser.current_url == person.url + path)
        browser.get("about:blank")
