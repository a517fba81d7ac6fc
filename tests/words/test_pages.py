"""A Chinese page speaks Chinese: on every page of the panel, nothing else but ids and names."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from edge.domain import EventDraft, Reason, Resident
from edge.errors import CameraLost, StoreError
from edge.events import EventGroup, Kind
from edge.panel.app import PAGES
from edge.words import message
from tests.panel.office import open_panel
from tests.words.test_catalogue import LATIN, NAMES

VOID = {"meta", "link", "input", "img", "br", "line", "circle", "path", "hr"}
KNOWN = {*NAMES, "gate", "ines", "Anna", "English", "test", "Apache", "first"}
"""Ids and names that the page is given, beside those that stand in texts."""


class Told(HTMLParser):
    """Collects what a page tells, but for code, scripts and what is marked as another language."""

    def __init__(self):
        super().__init__()
        self.texts: list[str] = []
        self._skipped: list[bool] = []

    def handle_starttag(self, tag, attrs):
        its = dict(attrs)
        foreign = its.get("lang", "zh-CN") != "zh-CN" or tag in ("script", "style", "code", "title")
        if tag not in VOID:
            self._skipped.append(foreign or (bool(self._skipped) and self._skipped[-1]))
        if not foreign:
            self.texts += [its[name] or "" for name in ("alt", "aria-label", "title") if name in its]

    def handle_endtag(self, tag):
        if tag not in VOID and self._skipped:
            self._skipped.pop()

    def handle_data(self, data):
        if not (self._skipped and self._skipped[-1]):
            self.texts.append(data)


def foreign_words(page: str) -> set[str]:
    """Return the Latin words that a Chinese page tells and that are neither ids nor names."""
    told = Told()
    told.feed(page)
    text = re.sub(r"(https?|rtsp)://\S+|\w+\.lan\b|flat-\d", "", "\n".join(told.texts))
    return {word for word in LATIN.findall(text) if word not in KNOWN}


NO_PAGES = (".jpg", "/screen", "/state")
"""Ends of paths that give no page of text."""


@pytest.fixture
def office(tmp_path):
    with ExitStack() as stack:
        panel = open_panel(tmp_path, stack, zone=ZoneInfo("Asia/Shanghai"))
        panel.desk.residents.put(Resident("flat-7", "Anna"), [])
        yield panel


def chinese(panel):
    browser = panel.logged_in()
    browser.client.headers["accept-language"] = "zh-CN,zh;q=0.9"
    return browser


@pytest.mark.parametrize(
    "path",
    sorted(
        path.replace("{resident_id}", "flat-7").replace("{resident_id:path}", "flat-7")
        for path, methods, _, _ in PAGES
        if "GET" in methods and "{code}" not in path and not path.endswith(NO_PAGES)
    ),
)
def test_every_page_speaks_chinese(office, path):
    answer = chinese(office).get(path)
    assert answer.status_code in (200, 404, 422)
    assert not foreign_words(answer.text), path


@pytest.mark.parametrize("group", ["", *EventGroup])
def test_every_event_is_told_in_chinese(office, group):
    for kind in Kind:
        reason = str(Reason.GRANTED) if kind in (Kind.ACCESS_GRANTED, Kind.ACCESS_DENIED) else None
        office.journal.append(EventDraft(kind, office.clock.now(), 1.0, "flat-7", reason))
    page = chinese(office).get(f"/events?group={group}").text
    assert page.count("flat-7") > 3
    assert not foreign_words(page)


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ({"resident_id": ""}, "人员编号"),
        ({"resident_id": "flat-8"}, "未勾选同意"),
        ({"resident_id": "flat-8", "agrees": "yes", "minor": "yes"}, "不满十四周岁"),
    ],
)
def test_what_was_refused_is_told_in_chinese(office, form, told):
    browser = chinese(office)
    browser.get("/enrol")
    answer = browser.post("/enrol/start", **form)
    assert answer.status_code == 422
    assert told in answer.text
    assert not foreign_words(answer.text)


def test_too_many_photos_are_refused_in_chinese_and_journaled(office):
    browser = chinese(office)
    browser.get("/enrol")
    files = [("photos", (f"{n}.jpg", b"x", "image/jpeg")) for n in range(9)]
    answer = browser.post("/enrol/photos", files=files, resident_id="flat-8", agrees="yes")
    assert answer.status_code == 400
    assert "最多选择 8 张照片" in answer.text
    assert not foreign_words(answer.text)
    assert "panel.refused" in office.kinds()


def test_an_error_of_the_machine_is_told_by_its_kind_and_its_english_folded_away(office):
    def broken(*_):
        raise StoreError("residents.db: cannot open the resident store: disk I/O error")

    browser = chinese(office)
    object.__setattr__(office.desk, "door", broken)
    answer = browser.get("/")
    assert answer.status_code == 422
    assert "数据无法读取或保存。" in answer.text
    assert '<p lang="en">residents.db: cannot open' in answer.text
    assert not foreign_words(answer.text)


def test_a_lost_camera_is_told_in_chinese(office):
    office.feed.problem = CameraLost(message("camera.no_frame", name="cam", seconds="5.0")).message
    told = chinese(office).get("/live/state").json()["text"]
    assert told == "无画面：cam：5.0 秒无画面，或视频流已结束"


def test_a_notice_that_does_not_fit_is_not_written_down(office):
    browser = chinese(office)
    browser.get("/display")
    answer = browser.post("/display", notice_zh="长" * 121)
    assert "公告共 121 个字，最多 120 字" in answer.text
    assert "panel.notice_changed" not in office.kinds()


def test_a_page_asked_for_in_the_wrong_way_answers_in_chinese(office):
    answer = chinese(office).client.put("/events")
    assert answer.status_code == 405
    assert "此页面不支持这种操作" in answer.text


def test_the_display_at_the_gate_speaks_chinese(office):
    browser = office.browser("127.0.0.1")
    page = browser.get("/screen?language=zh").text
    assert "刷脸自愿，也可刷卡、输密码或按门铃。" in page
    assert json.dumps("已输入 {count} 位") in page, "the page's script fills it"
    assert not foreign_words(page)
    shown = browser.get("/screen/state?language=both").json()["lines"]
    assert [line["tag"] for line in shown] == ["en", "zh-CN"]
    assert shown[1]["spoken"] == "请看摄像头。刷脸自愿，也可刷卡、输密码或按门铃。"


def test_alarms_have_a_list_of_their_own(office):
    for kind in (Kind.DOOR_OPENED, Kind.DOOR_FORCED, Kind.DOOR_TAMPER):
        office.journal.append(EventDraft(kind, office.clock.now(), 1.0))
    page = chinese(office).get("/events?group=alarm").text
    assert "报警记录" in page
    assert "非法开门" in page
    assert "防拆报警" in page
    assert "door.opened" not in page
