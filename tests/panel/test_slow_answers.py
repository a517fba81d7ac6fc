"""A board that takes its time: what a page asks meanwhile does not stop the answer that is on its way."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.browser.chromium import PHONE, resize, served
from tests.browser.person import Person
from tests.fakes.scene import Actor
from tests.panel.film import Film
from tests.panel.office import ANNA, PASSWORD, open_panel
from tests.waiting import wait_until

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

pytestmark = [pytest.mark.browser, pytest.mark.slow]


class SlowPage:
    """An application whose one page is answered late, but for the first time; `asked` counts how often."""

    def __init__(self, app: ASGIApp, path: str, seconds: float) -> None:
        self._app, self._path, self._seconds = app, path, seconds
        self.asked = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == self._path:
            self.asked += 1
            await asyncio.sleep(self._seconds if self.asked > 1 else 0.0)
        await self._app(scope, receive, send)


def test_the_result_of_an_enrolment_is_shown_however_long_it_takes(browser, tmp_path):
    """The page of the guidance asked for it again four times a second, and never got it."""
    with ExitStack() as stack:
        panel = open_panel(tmp_path, stack)
        film = Film(panel, Actor(ANNA.colour, ANNA.embedding))
        panel.scene.actors[:] = [film.actor]
        panel.desk.studio.feed = film
        app = SlowPage(panel.app, "/enrol/now", 1.5)
        person = Person(browser, stack.enter_context(served(app, tmp_path)))
        resize(browser, PHONE)
        person.go("/")
        person.fill(code=panel.desk.accounts.first_code, name="ines", password=PASSWORD)
        person.press("Create account")
        person.go("/enrol")
        person.fill(resident_id="flat-1203", agrees=True)
        person.press("Start")
        wait_until(lambda: panel.desk.studio.now and panel.desk.studio.now.outcome)
        person.wait_for("The pictures of the face are good")
        assert app.asked <= 3
        browser.get("about:blank")
