"""Enrolment mode: nobody is enrolled while it is closed, and it closes by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge.consent.notice import Operator
from edge.consent.rules import Statement
from edge.domain import Frame
from edge.enrol.session import EnrolmentOutcome
from edge.errors import PanelRefused
from edge.panel.studio import EnrolmentRunner
from edge.runtime.clock import ManualClock
from edge.service.property.enrol_window import EnrolWindow
from edge.web.accounts import Role
from tests.panel.office import Feed, open_panel
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

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


class Interrupted(ManualClock):
    """A clock that lets somebody else act when it is asked the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.meanwhile: Callable[[], object] | None = None

    def monotonic(self) -> float:
        act, self.meanwhile = self.meanwhile, None
        if act is not None:
            act()
        return super().monotonic()


def test_of_two_people_who_begin_at_once_one_is_told_of_the_other():
    """Both began: the first one's page went on with the second one's newcomer."""
    clock = Interrupted()
    studio = EnrolmentRunner(Feed(), lambda _: pytest.fail("no session"), clock)

    def begin(who: str) -> object:
        outcome = EnrolmentOutcome((), None, None)
        return studio.begin_judged(Statement(who, agrees=True), "", f"staff of {who}", outcome)

    clock.meanwhile = lambda: begin("flat-8")
    with pytest.raises(PanelRefused, match="flat-8"):
        begin("flat-7")
    assert studio.now is not None
    assert studio.now.by == "staff of flat-8"


class OneFrame(Feed):
    """A feed that has a picture."""

    def newest(self):
        return Frame(np.zeros((4, 4, 3), np.uint8), 1, 1.0, datetime(2026, 1, 5, tzinfo=UTC))


class Breaking:
    """A guided session in which something fails that nobody foresaw."""

    outcome = None

    def observe(self, frame):
        raise ZeroDivisionError("a network's own")


def test_an_enrolment_that_breaks_makes_room_for_the_next_one():
    """The page waited for three minutes, and nobody else could enrol meanwhile."""
    studio = EnrolmentRunner(OneFrame(), lambda _: Breaking(), ManualClock())  # type: ignore[arg-type, return-value]
    studio.begin(Statement("flat-7", agrees=True), "", "mei")
    wait_until(lambda: studio.now is None)
    studio.begin(Statement("flat-8", agrees=True), "", "mei")
