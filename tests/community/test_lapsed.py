"""Somebody was logged out in the middle of a form: what they wrote is shown, and nothing is saved."""

from __future__ import annotations

import pytest

from facegate_hub.community.book import Doer
from facegate_hub.community.devices import Devices
from tests.community.compound import new_compound
from tests.community.web import resident, staff

TEXT = "The lift in house 3 stands still since <b>seven</b>.\nNobody answers the telephone."


@pytest.fixture
def compound(tmp_path):
    return new_compound(tmp_path)


@pytest.mark.parametrize(
    ("path", "field"), [("/notices", "text"), ("/new", "text"), ("/people/new", "contact")]
)
def test_a_clerk_who_was_idled_out_keeps_what_they_wrote(compound, path, field):
    desk = staff(compound, "dora")
    desk.get(path)
    compound.clock.advance(31 * 60)
    desk.send(path, **{field: TEXT, "password": "correct horse battery"})
    assert desk.status == 403
    assert "You were logged out" in desk.page
    assert "since &lt;b&gt;seven&lt;/b&gt;.\nNobody answers" in desk.page
    assert "correct horse" not in desk.page
    assert 'href="/login"' in desk.page
    assert compound.register.search("seven") == []


def test_a_resident_whose_phone_was_logged_out_keeps_what_they_wrote(compound):
    phone = resident(compound, "wang")
    phone.get("/new")
    Devices(compound.book).end_all(Doer("person", compound.people["wang"]))
    phone.send("/new", text=TEXT)
    assert "You were logged out" in phone.page
    assert 'href="/enter"' in phone.page


def test_a_form_without_a_text_or_of_another_site_is_led_to_the_login(compound):
    desk = staff(compound, "dora")
    desk.get("/new")
    compound.clock.advance(31 * 60)
    answer = desk.client.post("/new", data={"csrf": "x", "text": TEXT}, follow_redirects=False)
    assert answer.headers["location"] == "/login"
    csrf = desk.page.split('name="csrf" value="')[1].split('"')[0]
    strange = {"origin": "https://elsewhere.example"}
    answer = desk.client.post(
        "/new", data={"csrf": csrf, "text": TEXT}, headers=strange, follow_redirects=False
    )
    assert answer.headers["location"] == "/login"
    answer = desk.client.post("/new", data={"csrf": csrf, "text": "short"}, follow_redirects=False)
    assert answer.headers["location"] == "/login"
