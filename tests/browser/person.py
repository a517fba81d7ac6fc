"""Somebody at a browser: sees words, presses what is written on buttons, waits for the answer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from selenium.common.exceptions import JavascriptException, TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser.chromium import accessibility_faults

# True from the submit until its answer replaces the page; false where the page's own script takes the form.
NOTE_SUBMIT = "addEventListener('submit', event => { window.submitted = !event.defaultPrevented })"


class Person:
    """Somebody at the browser: sees words, presses what is written on buttons."""

    def __init__(self, browser, url):
        self.browser, self.url = browser, url

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
                self.browser.execute_script(NOTE_SUBMIT)
                button.click()
                self.wait_for_answer()
                return
        raise AssertionError(f"no button {words!r} on {self.browser.current_url}: {self.text}")

    def wait_for_answer(self):
        """Wait until a submitted form was answered by a new page; leaving before cancels the request."""
        waiting = WebDriverWait(
            self.browser, 40, poll_frequency=0.02, ignored_exceptions=[JavascriptException]
        )
        waiting.until(lambda browser: not browser.execute_script("return window.submitted"))

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


def waiting(person, until):
    """Wait until it is so; a request takes its time."""
    WebDriverWait(person.browser, 10, poll_frequency=0.05).until(lambda _: until())


def look_at(person, name, source, faults):
    """Note what axe finds on the page shown now, and how much too wide it is; keep a screenshot."""
    person.picture(name)
    found = accessibility_faults(person.browser, source)
    wide = person.browser.execute_script(
        "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    if found or wide > 0:
        faults[name] = [*found, f"{wide} px too wide"]
