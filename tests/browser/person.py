"""Somebody at a browser: sees words, presses what is written on buttons, waits for the answer."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from selenium.common.exceptions import (
    ElementClickInterceptedException,
    JavascriptException,
    StaleElementReferenceException,
    WebDriverException,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import staleness_of

from tests.browser.chromium import accessibility_faults, faults_to_the_eye
from tests.waiting import wait_until

# The button that says so and is to be seen, in the middle of the window. `submitted` is true from the submit
# until its answer replaces the page; false where the page's own script takes the form.
FIND_BUTTON = """
const [words] = arguments;
const button = [...document.querySelectorAll("button, a.button")].find(
  (one) => one.checkVisibility({visibilityProperty: true}) && one.innerText.includes(words));
if (!button) { return null; }
button.scrollIntoView({block: "center"});
addEventListener("submit", (event) => { window.submitted = !event.defaultPrevented; });
return [button, document.documentElement];
"""


class Person:
    """Somebody at the browser: sees words, presses what is written on buttons."""

    has_script = True
    """Whether pages may run theirs; without it every button leads to a new page."""

    def __init__(self, browser, url):
        self.browser, self.url = browser, url
        self._shown = None

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
        wait_until(
            lambda: self._pressed(words),
            lambda: f"button {words!r} pressed; {self.browser.current_url} shows: {self.text}",
        )
        self.wait_for_answer()

    def _pressed(self, words):
        """Return whether the button was pressed; not while it is missing, or something lies before it."""
        going = (ElementClickInterceptedException, JavascriptException, StaleElementReferenceException)
        with suppress(*going):
            found = self.browser.execute_script(FIND_BUTTON, words)
            if found:
                button, self._shown = found
                button.click()
                return True
        return False

    def wait_for_answer(self):
        """Wait until a submitted form was answered by a new page; leaving before cancels the request."""

        def is_answered():
            if not self.has_script:
                assert self._shown is not None
                # Asked in the moment in which the page goes, the driver has other words than "stale".
                with suppress(WebDriverException):
                    return staleness_of(self._shown)(self.browser)
                return False
            with suppress(JavascriptException):  # the old page is going
                return not self.browser.execute_script("return window.submitted")
            return False

        wait_until(is_answered, "an answer to the form")

    @property
    def text(self):
        return self.browser.execute_script("return document.body ? document.body.innerText : ''")

    def wait_for(self, words):
        def is_shown():
            with suppress(JavascriptException):  # between two pages
                return words in self.text
            return False

        wait_until(is_shown, lambda: f"{words!r}; {self.browser.current_url} shows: {self.text}")

    def picture(self, name):
        """Keep a screenshot where FACEGATE_SCREENSHOTS says, for people to look at."""
        if folder := os.environ.get("FACEGATE_SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.browser.save_screenshot(str(Path(folder) / f"{name}.png"))


def look_at(person, name, source, faults):
    """Note what axe finds on the page shown now, and how much too wide it is; keep a screenshot."""
    person.picture(name)
    _note(person, name, accessibility_faults(person.browser, source), faults)


def look_again(person, name, faults):
    """Look at the same page in another size or other colours, for what these decide."""
    person.picture(name)
    _note(person, name, faults_to_the_eye(person.browser), faults)


def look_how_wide(person, name, faults):
    """Look whether the same page fits, larger."""
    person.picture(name)
    _note(person, name, [], faults)


def _note(person, name, found, faults):
    wide = person.browser.execute_script(
        "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    if found or wide > 0:
        faults[name] = [*found, f"{wide} px too wide"]
