"""What a console page asks by itself keeps nobody logged in; only the guard's list stays on, to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.community.compound import new_compound
from tests.community.web import resident, staff

if TYPE_CHECKING:
    from tests.community.compound import Compound
    from tests.community.web import Browser

UNASKED = {"X-Facegate-Unasked": "1"}


@pytest.fixture
def compound(tmp_path):
    return new_compound(tmp_path)


def polled(compound: Compound, desk: Browser, path: str, minutes: int) -> int:
    """Let a page ask for news by itself now and then; return the status of its last answer."""
    for step in (*[5] * (minutes // 5), minutes % 5):
        compound.clock.advance(60 * step)
        desk.get(path, headers=UNASKED, follow_redirects=False)
    return desk.status


def test_a_page_that_asks_by_itself_is_logged_out_when_nobody_touches_it(compound):
    """After half an hour, and the login page says why."""
    desk = staff(compound, "dora")
    assert polled(compound, desk, "/tickets", 29) == 200
    assert polled(compound, desk, "/tickets", 2) == 303
    assert "nobody had touched this page for 30 minutes" in desk.get("/login").text
    assert "nobody had touched" not in staff(compound).get("/login").text


def test_who_touches_a_page_stays_for_the_shift_and_no_longer(compound):
    """A page says of its own question when somebody touched it meanwhile: it is a plain one then."""
    desk = staff(compound, "dora")
    for _ in range(29):
        assert polled(compound, desk, "/tickets", 20) == 200
        assert desk.get("/tickets", follow_redirects=False).status_code == 200
    assert polled(compound, desk, "/tickets", 19) == 200
    compound.clock.advance(60)
    assert desk.get("/tickets", follow_redirects=False).status_code == 303


def test_the_list_of_who_rings_stays_on_and_only_to_look_at(compound):
    """All through a shift; whoever finds it opens no other page and sends no form."""
    guard = staff(compound, "guard-1")
    guard.get("/visitors")
    assert "log in again" not in guard.page
    csrf = guard.page.split('name="csrf" value="')[1].split('"')[0]
    assert polled(compound, guard, "/visitors", 9 * 60) == 200
    assert "The list stays on; to do something, log in again." in guard.page
    for path, headers in (("/visitors", {}), ("/tickets", UNASKED), ("/tickets", {}), ("/", UNASKED)):
        assert guard.get(path, headers=headers, follow_redirects=False).headers["location"] == "/login"
    for path in ("/visitors/p1/end", "/new", "/logout"):
        answer = guard.client.post(path, data={"csrf": csrf}, headers=UNASKED, follow_redirects=False)
        assert answer.headers["location"] == "/login"
    assert polled(compound, guard, "/visitors", 62) == 303


def test_a_residents_page_that_asks_by_itself_stays_for_its_half_year(compound):
    """Its time does not roll on by that either."""
    phone = resident(compound, "wang")
    compound.clock.advance(179 * 86_400)
    assert phone.get("/", headers=UNASKED, follow_redirects=False).status_code == 200
    compound.clock.advance(2 * 86_400)
    assert phone.get("/", headers=UNASKED).url.path != "/"
