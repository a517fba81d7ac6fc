"""A form that is sent again, by a second tap on a slow line or a page loaded anew, opens nothing twice."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from edge.errors import CommunityRefused
from edge.runtime.clock import ManualClock
from facegate_hub.community.machine import OPEN
from facegate_hub.community.schema import PASSES
from facegate_hub.web.once import KEPT_SECONDS, MOST_KEPT, SentOnce
from tests.community.compound import new_compound
from tests.community.web import resident, staff
from tests.waiting import PATIENCE


@pytest.fixture
def compound(tmp_path):
    return new_compound(tmp_path)


def tickets(compound):
    return len(compound.tickets.lines(compound.asker("dora"), OPEN))


REPORT = {"kind": "repair", "category": "lift", "text": "The lift in house 3 stands still since seven."}


def showing(found, place):
    """Return what the form of a page sends when nobody touches it."""
    page = found.get(place).text
    return {
        name: page.split(f'name="{name}" value="')[1].split('"')[0]
        for name in ("csrf", "once")
        if f'name="{name}" value="' in page
    }


def test_a_resident_who_taps_again_has_one_ticket(compound):
    phone = resident(compound, "wang")
    form = showing(phone, "/new") | REPORT
    first, second = (phone.client.post("/new", data=form, follow_redirects=False) for _ in range(2))
    assert first.headers["location"] == second.headers["location"]
    assert tickets(compound) == 1
    phone.client.post("/new", data=showing(phone, "/new") | REPORT)
    assert tickets(compound) == 2, "who opens the form again means another one"
    phone.client.post("/new", data=form | {"category": "water", "text": "A pipe drips."})
    assert tickets(compound) == 3, "and so does who goes back and writes something else"


def test_a_slip_that_is_loaded_anew_has_the_same_number_and_code(compound):
    desk = staff(compound, "dora")
    form = showing(desk, "/new") | REPORT
    first, second = (desk.client.post("/new", data=form).text for _ in range(2))
    code = first.split('class="code">')[1].split("<")[0]
    assert f'class="code">{code}<' in second
    assert tickets(compound) == 1


def test_a_visitor_has_one_pass(compound):
    phone = resident(compound, "wang")
    form = showing(phone, "/visitors") | {"kind": "visitor", "hours": "4", "uses": "1"}
    first, second = (phone.client.post("/visitors", data=form, follow_redirects=False) for _ in range(2))
    assert first.status_code == 303
    assert first.headers["location"] == second.headers["location"]
    with compound.book.looking() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(PASSES)).scalar_one() == 1


def test_who_sends_it_while_it_is_under_way_waits_for_the_first():
    once, begun, go = SentOnce(ManualClock()), threading.Event(), threading.Event()
    made: list[int] = []

    def make():
        begun.set()
        assert go.wait(PATIENCE)
        made.append(len(made) + 1)
        return made[-1]

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(once.answer, "a", make)
        assert begun.wait(PATIENCE)
        second = pool.submit(once.answer, "a", make)
        go.set()
        assert (first.result(PATIENCE), second.result(PATIENCE)) == (1, 1)


def test_what_was_refused_is_asked_again_and_nothing_is_kept_for_ever():
    clock = ManualClock()
    once = SentOnce(clock)

    def refused():
        raise CommunityRefused("no")

    with pytest.raises(CommunityRefused):
        once.answer("a", refused)
    assert once.answer("a", lambda: 1) == 1
    assert once.answer("a", lambda: 2) == 1
    clock.advance(KEPT_SECONDS + 1)
    assert once.answer("b", lambda: 3) == 3
    assert once.answer("a", lambda: 4) == 4
    for number in range(MOST_KEPT):
        once.answer(str(number), lambda: 0)
    assert once.answer("a", lambda: 5) == 5
