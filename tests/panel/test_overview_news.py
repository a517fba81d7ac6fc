"""Whoever has the overview open is told what is new, for as long as they are logged in."""

from __future__ import annotations

import json
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx2 as httpx
import pytest

from edge.domain import EventDraft, Reason
from edge.events import Kind
from edge.panel.last_entry import LastEntry
from edge.panel.views_overview import LOOK_SECONDS
from edge.web.accounts import Role
from edge.web.between import COOKIE
from edge.web.server import PanelThread, Served
from edge.web.sessions import IDLE_SECONDS
from edge.web.tls import own_certificate
from tests.loopback import free_port
from tests.waiting import PATIENCE, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.panel.office import PanelUnderTest

FOLLOWS = {"Accept": "text/event-stream"}


def came_in(panel: PanelUnderTest, who: str | None = "flat-1203", method: str = "face") -> None:
    data: dict[str, Any] = {"method": method, "unlock_seconds": 5}
    panel.desk.log.record(
        EventDraft.now(panel.clock, Kind.ACCESS_GRANTED, data, resident_id=who, reason=Reason.GRANTED)
    )


class Watcher:
    """A browser that follows the overview: `told` are the pages, `is_over` whether the session ended."""

    def __init__(self, url: str, cookie: str) -> None:
        self.told: list[str] = []
        self.is_over = self.has_ended = False
        self.client = httpx.Client(base_url=url, verify=False, timeout=PATIENCE, cookies={COOKIE: cookie})
        self._thread = threading.Thread(target=self._read)

    def start(self) -> None:
        self._thread.start()
        wait_until(lambda: bool(self.told), "the overview is told")

    def _read(self) -> None:
        with self.client.stream("GET", "/news", headers=FOLLOWS) as answer:
            for line in answer.iter_lines():
                self.is_over = self.is_over or line == "event: over"
                if line.startswith('data: "'):
                    self.told.append(json.loads(line.removeprefix("data: ")))
        self.has_ended = True

    def was_told(self, words: str) -> bool:
        """Return whether these words stand on the newest page."""
        return bool(self.told) and words in self.told[-1]

    def join(self) -> None:
        self._thread.join(PATIENCE)
        self.client.close()


@pytest.fixture
def watcher(panel, tmp_path: Path) -> Iterator[Watcher]:
    certificate, key, _ = own_certificate(tmp_path, ["127.0.0.1"])
    port, ready = free_port(), threading.Event()
    thread = PanelThread(
        ("127.0.0.1", port), lambda _: Served(panel.app, certificate, key, ready.set), lambda _: None
    )
    thread.start()
    assert ready.wait(PATIENCE)
    browser = panel.logged_in("wang", Role.STAFF)
    made = Watcher(f"https://127.0.0.1:{port}", browser.client.cookies[COOKIE])

    def answers() -> bool:
        try:
            return made.client.get("/").status_code == 200
        except httpx.TransportError:
            return False

    wait_until(answers, "the page answers")
    made.start()
    yield made
    thread.stop()
    made.join()
    assert made.has_ended


def test_an_entry_is_told_without_asking(panel, watcher):
    came_in(panel)
    wait_until(lambda: len(watcher.told) > 1, "the entry is told")
    assert "flat-1203" in watcher.told[-1]


def test_what_has_not_changed_is_not_told_again(panel, watcher):
    before = list(watcher.told)
    panel.clock.advance(LOOK_SECONDS)
    panel.unmatched["flat-7"] = "unreadable"
    wait_until(lambda: len(watcher.told) > len(before), "the fault is told")
    assert len(watcher.told) == len(set(watcher.told))


def test_it_ends_with_the_session(panel, watcher):
    page = watcher.client.get("/").text
    watcher.client.post("/logout", data={"csrf": page.split('name="csrf" value="')[1].split('"')[0]})
    wait_until(lambda: watcher.is_over, "the session's end is told")


def test_it_ends_when_the_account_is_another(panel, watcher):
    panel.desk.accounts.put("wang", Role.AUDITOR, "another good one")
    panel.clock.advance(LOOK_SECONDS)
    wait_until(lambda: watcher.is_over, "the account's change ends it")


def test_who_asks_for_no_stream_gets_an_answer_with_an_end(panel):
    answer = panel.logged_in("wang", Role.STAFF).client.get("/news", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_nobody_is_told_who_is_not_logged_in(panel):
    panel.logged_in()
    answer = panel.browser().get("/news", headers=FOLLOWS)
    assert (answer.status_code, answer.text) == (401, "")


def test_a_watched_overview_keeps_nobody_logged_in(watcher, panel):
    """The stream asks every second whether the session lives: that is nobody's use of the page."""
    for round_ in range(2, 5):
        panel.clock.advance(IDLE_SECONDS / 3 - 1)
        came_in(panel, f"flat-{round_}")
        wait_until(partial(watcher.was_told, f"flat-{round_}"), "the stream goes on")
    assert not watcher.is_over
    panel.clock.advance(4)
    wait_until(lambda: watcher.is_over, "the session's end is told")


def test_who_came_in_last_is_told_with_way_and_exact_time(panel):
    browser = panel.logged_in("wang", Role.STAFF)
    assert "Nobody among the newest events came in" in browser.get("/").text
    came_in(panel, "flat-1203", "card")
    came_in(panel, None, "pass")
    page = browser.get("/").text
    assert "visitor pass" in page
    assert "Somebody without a name here" in page
    assert f'<time datetime="{panel.clock.now().isoformat()}" data-when' in page


def test_no_picture_of_whom_came_in(panel):
    came_in(panel)
    page = panel.logged_in("a", Role.AUDITOR).get("/").text
    assert "<img" not in page


def test_the_last_entry_is_found_once_and_then_followed(panel):
    """However many events have come since; what is read again is what is new."""
    read: list[int] = []

    def events(before: int | None, count: int) -> Any:
        found = panel.desk.events(before, count)
        read.append(len(found))
        return found

    last = LastEntry(events)
    assert last.find() is None
    came_in(panel)
    first = last.find()
    assert first is not None
    for _ in range(450):
        panel.desk.tell(Kind.DOOR_OPENED)
    assert last.find() == first
    read.clear()
    assert last.find() == first
    assert sum(read) <= 201
    came_in(panel, "flat-2")
    found = last.find()
    assert found is not None
    assert found.resident_id == "flat-2"


def test_an_entry_whose_time_is_over_is_not_shown(panel):
    """The journal forgets entries after some months; the page does not remember them for it."""
    kept = list(range(3))
    came_in(panel)
    panel.desk.tell(Kind.DOOR_OPENED)
    last = LastEntry(lambda before, count: panel.desk.events(before, count) if kept else [])
    assert last.find() is not None
    kept.clear()
    assert last.find() is None
