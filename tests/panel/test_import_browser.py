"""A list of people in a real Chromium, 5,000 in a workbook and 300 as CSV: looked at, mended, stored."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
from selenium.webdriver.common.by import By

from edge.web.accounts import Role
from tests.browser.chromium import DESKTOP, PHONE, axe_source, resize, served
from tests.browser.person import Person, look_at
from tests.panel.office import PASSWORD, open_panel
from tests.workbook.books import book_of

pytestmark = [pytest.mark.browser, pytest.mark.slow]

HEADER = ["房号", "姓名", "权限组", "失效日期"]
BAD = (
    ["", "无编号", "resident", ""],
    ["25-2500", "甲", "penthouse", ""],
    ["1-100", "重复", "resident", ""],
)
WORDS = {
    "zh": ("登录", "预览", "保存 {} 人（跳过 3 行）", "已保存：新增 {} 人"),
    "en": ("Log in", "Look at it", "Store {} people (leave out 3)", "Stored: {} new"),
}


class Importer(Person):
    """Somebody at the panel, and what lies behind it."""

    def __init__(self, browser, url, panel):
        super().__init__(browser, url)
        self.panel = panel


@pytest.fixture
def person(browser, tmp_path):
    with ExitStack() as stack:
        panel = open_panel(tmp_path, stack)
        assert panel.desk.accounts.first_code is not None
        panel.desk.accounts.claim(panel.desk.accounts.first_code, "ines", PASSWORD)
        panel.desk.accounts.put("sam", Role.STAFF, PASSWORD)
        url = stack.enter_context(served(panel.app, tmp_path))
        yield Importer(browser, url, panel)
        browser.get("about:blank")


def bad_rows(people):
    """Return in which rows of a list of so many nobody can be stored, and what stands there."""
    return dict(zip((10, people // 2, people - 1), BAD, strict=True))


def a_list(people, path):
    bad = bad_rows(people)
    rows = [bad.get(n, [f"{n // 100}-{n}", f"住户 {n}", "resident", "2027-12-31"]) for n in range(people)]
    if path.suffix == ".xlsx":
        path.write_bytes(book_of(["3 号楼住户"], HEADER, *rows))
        return path, 3
    path.write_text("\n".join(",".join(row) for row in [HEADER, *rows]), encoding="utf-8-sig")
    return path, 2


@pytest.mark.parametrize(
    ("kind", "people", "size", "language"), [("xlsx", 5000, PHONE, "zh"), ("csv", 300, DESKTOP, "en")]
)
def test_a_list_of_people_with_three_bad_rows(person, tmp_path, kind, people, size, language):
    log_in, look, store, stored = (words.format(people - len(BAD)) for words in WORDS[language])
    path, first = a_list(people, tmp_path / f"people.{kind}")
    source = axe_source()
    faults: dict[str, Any] = {}
    resize(person.browser, size)
    person.go(f"/language/{language}?back=/login")
    person.fill(name="sam", password=PASSWORD)
    person.press(log_in)
    person.go("/people/import")
    person.browser.find_element(By.NAME, "list").send_keys(str(path))
    person.press(look)
    person.wait_for(store)
    bad = person.browser.find_elements(By.CSS_SELECTOR, "tr[data-bad] td:first-child")
    assert [int(cell.text) for cell in bad] == [n + first for n in bad_rows(people)]
    look_at(person, f"import-{size[0]}-{language}", source, faults)
    assert not person.panel.desk.residents.list()
    person.press(store)
    person.wait_for(stored)
    look_at(person, f"imported-{size[0]}-{language}", source, faults)
    assert len(person.panel.desk.residents.list()) == people - len(BAD)
    assert faults == {}


def test_a_file_that_is_too_large_is_refused_at_its_field_before_it_is_sent(person, tmp_path):
    """A photo that was taken for the list led to a bare page, and the form was gone."""
    (tmp_path / "people.csv").write_bytes(b"x" * (9 << 20))
    person.go("/login")
    person.fill(name="sam", password=PASSWORD)
    person.press("Log in")
    person.go("/people/import")
    box = person.browser.find_element(By.NAME, "list")
    box.send_keys(str(tmp_path / "people.csv"))
    said = person.browser.execute_script("return document.querySelector('[name=list]').validationMessage")
    assert "at most 8 MB" in said
    person.browser.find_element(By.CSS_SELECTOR, "main form button").click()
    assert person.browser.current_url.endswith("/people/import")
