"""The page where faces are shared: the notice says where they go, the person ticks doors, and sees them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from edge.consent.notice import SHARED, notice_text
from edge.panel.app import make_app
from tests.panel.test_replacing import enrol, in_force

DOORS = ("back", "garage")


@dataclass
class Elsewhere:
    """Other doors, remembering what was offered and ended."""

    offered: list[tuple[Any, ...]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    states: dict[str, str] = field(default_factory=dict)

    def doors(self):
        return DOORS

    def offer(self, consent, templates, notice):
        self.offered.append((consent, templates, notice))

    def reach(self, resident_id):
        return self.states

    def end(self, resident_id, at):
        self.ended.append(resident_id)
        return DOORS


@pytest.fixture
def elsewhere():
    return Elsewhere()


@pytest.fixture
def sharing(panel, elsewhere):
    return replace(panel, app=make_app(replace(panel.desk, sharing=elsewhere)))


def test_nothing_is_said_of_other_doors_where_faces_stay(panel):
    page = panel.logged_in().get("/enrol").text
    assert 'name="door:' not in page
    assert "not sent over the internet" in page


@pytest.mark.parametrize(
    ("language", "words"), [("en", "tick further doors below"), ("zh", "另行勾选其他门")]
)
def test_the_notice_says_where_the_face_goes(language, words):
    text = notice_text(SHARED, language, others=DOORS)
    assert words in text
    assert "back, garage" in text


def test_no_door_is_ticked_and_without_a_tick_the_face_stays_here(sharing, elsewhere):
    browser = sharing.logged_in()
    page = browser.get("/enrol").text
    assert 'name="door:back"' in page
    assert "back, garage" in page
    assert page.count("checked") == 0
    enrol(sharing, browser)
    assert browser.post("/enrol/save").status_code == 200
    (consent,) = in_force(sharing)
    assert (consent.notice, consent.doors) == (SHARED, ())
    assert elsewhere.offered[0][0].doors == ()


def test_the_face_is_offered_to_the_doors_that_were_ticked(sharing, elsewhere):
    browser = sharing.logged_in()
    enrol(sharing, browser, **{"door:garage": "yes", "door:elsewhere": "yes"})
    browser.post("/enrol/save")
    [(consent, templates, notice)] = elsewhere.offered
    assert consent.doors == ("garage",)
    assert {one.consent_id for one in templates} == {consent.id}
    assert len(hashlib.sha256(notice.encode()).hexdigest()) == 64
    assert "back, garage" in notice


def test_the_page_of_a_person_shows_where_they_are_known(sharing, elsewhere):
    browser = sharing.logged_in()
    enrol(sharing, browser, **{"door:garage": "yes"})
    browser.post("/enrol/save")
    elsewhere.states = {"back": "known", "garage": "pending"}
    page = browser.get("/residents/flat-7").text
    assert "At other doors" in page
    assert "on its way" in page


def test_a_withdrawal_names_the_doors_that_were_asked(sharing, elsewhere):
    browser = sharing.logged_in()
    enrol(sharing, browser)
    browser.post("/enrol/save")
    browser.get("/residents/flat-7")
    page = browser.post("/residents/flat-7/withdraw", typed="flat-7").text
    assert elsewhere.ended == ["flat-7"]
    assert "back, garage" in page
