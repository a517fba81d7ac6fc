"""Enrolment mode: nobody is enrolled while it is closed, and it closes by itself."""

from __future__ import annotations

import pytest

from edge.consent.notice import Operator
from edge.service.property.enrol_window import EnrolWindow
from edge.web.accounts import Role
from tests.panel.office import open_panel

FORM = {"resident_id": "flat-7", "agrees": "yes"}


@pytest.fixture
def window(panel):
    """A panel whose door asks for the mode."""
    opened = EnrolWindow(panel.clock, panel.desk.log)
    panel.desk.studio.window = opened
    return opened


def test_while_it_is_closed_nobody_enrols_and_the_attempt_is_logged(panel, window):
    browser = panel.logged_in()
    page = browser.get("/enrol").text
    assert "Enrolling is closed" in page
    assert "Start" not in page

    answer = browser.post("/enrol/start", **FORM)
    assert answer.status_code == 422
    assert "Enrolling is closed" in answer.text
    assert panel.desk.studio.now is None
    assert [event.data["why"] for event in panel.events("enrol.refused")] == ["window_closed"]


def test_an_installer_opens_it_staff_enrol_and_it_ends_by_the_clock(panel, window):
    assert "Enrolling is open for 15 more minutes." in panel.logged_in().post("/enrol/mode").text
    staff = panel.logged_in("sam", Role.STAFF)
    page = staff.get("/enrol").text
    assert "Close enrolling now" not in page
    assert staff.post("/enrol/start", **FORM).status_code == 200
    assert panel.desk.studio.now is not None
    panel.desk.studio.end()
    panel.clock.advance(900)
    window.tick()

    assert staff.post("/enrol/start", **FORM).status_code == 422
    assert [event.data["by"] for event in panel.events("enrol.window_opened")] == ["ines"]
    assert [event.data["by"] for event in panel.events("enrol.window_closed")] == ["time"]


def test_staff_cannot_open_it(panel, window):
    assert panel.logged_in("sam", Role.STAFF).post("/enrol/mode").status_code == 403
    assert window.seconds_left == 0


def test_an_installer_closes_it_early(panel, window):
    browser = panel.logged_in()
    browser.post("/enrol/mode")
    assert "Enrolling is closed" in browser.post("/enrol/mode", close="yes").text
    assert window.seconds_left == 0


@pytest.mark.parametrize(
    "named", [Operator(), Operator("Hill House Services"), Operator(contact="0571-1234")]
)
def test_nobody_is_enrolled_under_a_notice_that_does_not_say_who_is_responsible(tmp_path, stack, named):
    panel = open_panel(tmp_path, stack, operator=named)
    staff = panel.logged_in("sam", Role.STAFF)
    assert "set site.operator and site.contact" in staff.get("/enrol").text
    for where in ("/enrol/start", "/enrol/photos"):
        answer = staff.post(where, **FORM)
        assert answer.status_code == 422
        assert "An installer sets site.operator and site.contact" in answer.text
        assert 'value="flat-7"' in answer.text, "nothing typed is lost"
    assert panel.desk.studio.now is None
