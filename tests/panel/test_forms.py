"""Nothing typed is lost: each refusal shows the form again, with the message at its field."""

from __future__ import annotations

import re

import pytest

from edge.domain import Resident
from edge.web.accounts import Role
from tests.panel.office import PASSWORD, photo


def fault(page, name):
    found = re.search(rf'<p class="fault" id="fault-{name}">(.*?)</p>', page.text)
    return found[1] if found else ""


@pytest.mark.parametrize(
    ("fields", "field", "told"),
    [
        ({"resident_id": "../x", "agrees": "yes"}, "resident_id", "no part"),
        ({"resident_id": "flat-7"}, "agrees", "no consent"),
        ({"resident_id": "flat-7", "agrees": "yes", "minor": "yes"}, "minor", "children"),
        ({"resident_id": "flat-7", "agrees": "yes", "name": "a\x07"}, "name", ""),
    ],
)
@pytest.mark.parametrize("path", ["/enrol/start", "/enrol/photos"])
def test_an_enrolment_that_is_refused_keeps_everything(panel, path, fields, field, told):
    browser = panel.logged_in("sam", Role.STAFF)
    browser.get("/enrol")
    page = browser.post(path, **({"guardian": "Li Mei", "name": "安娜"} | fields))

    assert page.status_code == 422
    assert fault(page, field), page.text
    assert told in fault(page, field)
    assert 'value="Li Mei"' in page.text
    assert ('name="agrees" value="yes" checked' in page.text) is ("agrees" in fields)
    assert panel.desk.studio.now is None


def test_each_photo_has_its_verdict_by_its_file_name(panel):
    browser = panel.logged_in("sam", Role.STAFF)
    browser.get("/enrol")
    near, far = photo(panel.scene), photo(panel.scene, width=40)
    files = [("photos", (name, data, "image/png")) for name, data in (("far.png", far), ("too.png", far))]
    page = browser.post("/enrol/photos", files=files, resident_id="flat-7", name="安娜", agrees="yes")
    for name in ("far.png", "too.png"):
        assert re.search(rf'<li>{name} <span class="tag bad">', page.text), name
    assert 'value="安娜"' in page.text

    answer = browser.client.post(
        "/enrol/photos",
        data={"csrf": browser.csrf, "resident_id": "flat-7", "agrees": "yes"},
        files=[("photos", ("a.png", near, "image/png")), ("photos", ("b.gif", b"GIF89a", "image/gif"))],
        headers={"accept": "application/json"},
    )
    assert answer.status_code == 422
    assert [one["isGood"] for one in answer.json()["photos"]] == [True, False]
    assert answer.json()["field"] == "photos"


def test_an_account_is_refused_at_its_field_and_a_change_can_be_undone(panel):
    ines = panel.logged_in("ines")
    panel.desk.accounts.put("sam", Role.STAFF, PASSWORD)
    ines.get("/accounts")
    page = ines.post("/accounts", name="otto", role="auditor", password="short")
    assert fault(page, "password")
    assert 'value="otto"' in page.text
    assert '<option value="auditor" selected>' in page.text
    assert "short" not in page.text

    ines.post("/accounts", do="remove", name="sam")
    assert "sam" not in panel.desk.accounts.all()
    assert "sam was changed" in ines.get("/accounts").text
    ines.post("/accounts", do="undo")
    assert panel.desk.accounts.check("sam", PASSWORD) is Role.STAFF
    ines.post("/accounts", name="sam", role="installer", password="something else 1")
    panel.clock.advance(601)
    ines = panel.logged_in("ines")
    assert ines.post("/accounts", do="undo").status_code == 422
    assert panel.desk.accounts.all()["sam"] is Role.INSTALLER


def test_only_who_changed_an_account_can_undo_it(panel):
    ines, other = panel.logged_in("ines"), panel.logged_in("olga")
    panel.desk.accounts.put("sam", Role.STAFF, PASSWORD)
    ines.get("/accounts")
    ines.post("/accounts", do="remove", name="sam")
    other.get("/accounts")
    assert other.post("/accounts", do="undo").status_code == 422
    assert "sam" not in panel.desk.accounts.all()


@pytest.mark.parametrize("do", ["", "remove"])
def test_a_newer_change_of_an_account_is_not_undone_with_an_older_one(panel, do):
    """A password that somebody knew would open the page again, without a word to who has changed it."""
    ines, olga = panel.logged_in("ines"), panel.logged_in("olga")
    panel.desk.accounts.put("sam", Role.STAFF, PASSWORD)
    ines.get("/accounts")
    ines.post("/accounts", do=do, name="sam", role="installer", password="something else 1")
    olga.get("/accounts")
    olga.post("/accounts", name="sam", role="auditor", password="quite another 2")
    refused = ines.post("/accounts", do="undo")
    assert refused.status_code == 422
    assert "sam was changed again" in refused.text
    assert panel.desk.accounts.check("sam", PASSWORD) is None
    assert panel.desk.accounts.check("sam", "quite another 2") is Role.AUDITOR
    ines.post("/accounts", name="sam", role="staff", password="something else 1")
    olga.get("/accounts")
    olga.post("/accounts", do="remove", name="sam")
    assert ines.post("/accounts", do="undo").status_code == 422
    assert "sam" not in panel.desk.accounts.all()


def test_news_are_told_once(panel):
    sam = panel.logged_in("sam", Role.STAFF)
    sam.get("/people/new")
    assert "Anna was added" in sam.post("/people/new", resident_id="a", name="Anna").text
    assert "Anna was added" not in sam.get("/residents/a").text


def test_a_new_account_is_told_of_and_its_role_is_chosen_not_preset(panel):
    """The form's first role was the installer's: whoever did not look gave away the door."""
    ines = panel.logged_in()
    page = ines.get("/accounts").text
    assert page.index('<option value="">Choose a role') < page.index('<option value="installer"')
    refused = ines.post("/accounts", name="olga", role="", password="long enough 1")
    assert refused.status_code == 422
    assert 'value="olga"' in refused.text
    page = ines.post("/accounts", name="olga", role="staff", password="long enough 1").text
    assert "The account olga is saved." in page


def test_a_notice_that_does_not_fit_comes_back_with_all_languages(panel):
    browser = panel.logged_in()
    browser.get("/display")
    answer = browser.post("/display", notice_en="Lift out of order", notice_zh="停" * 121)
    assert answer.status_code == 422
    assert 'value="Lift out of order"' in answer.text
    assert "停" * 121 in answer.text
    assert 'aria-describedby="fault-notice_zh"' in answer.text


@pytest.mark.parametrize(
    ("typed", "at"),
    [
        ({"passphrase": "correct horse 9", "again": "correct horse 8"}, "again"),
        ({"passphrase": "zebra 7", "again": "zebra 7"}, "passphrase"),
    ],
)
def test_a_refused_backup_says_why_at_the_field(panel, typed, at):
    """What was typed is secret and does not come back."""
    browser = panel.logged_in()
    browser.get("/backup")
    answer = browser.post("/backup/make", **typed)
    assert answer.status_code == 422
    assert f'aria-describedby="fault-{at}"' in answer.text
    assert typed["passphrase"] not in answer.text


def test_what_cannot_be_brought_back_asks_first(panel):
    """PIN, card and pass: one wrong touch on a phone had ended them."""
    panel.desk.residents.put_people([Resident("flat-1", "Anna")])
    panel.desk.ways.give_card("w26:17:4711", "flat-1")
    browser = panel.logged_in()
    browser.get("/residents/flat-1")
    browser.post("/residents/flat-1/pin", number="12", pin="482916")
    browser.post("/residents/flat-1/pass", kind="courier", hours="8", uses="1")
    page = browser.get("/residents/flat-1").text
    for form in ("pin/clear", "card/remove", "pass/end"):
        before = page[: page.index(f'action="/residents/flat-1/{form}"')]
        assert before.rindex("<details") > before.rindex("</details>")
