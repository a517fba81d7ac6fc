"""Forged, foreign and senseless requests to the desk's pages of doors and people: nothing comes of them."""

from __future__ import annotations

import random
import re
from contextlib import closing

import pytest

from facegate_hub.community.book import Doer
from facegate_hub.console.app import door_pages
from facegate_hub.database import put
from facegate_hub.tables import DOORS
from facegate_hub.web.office import WebOffice
from tests.community.test_console_doors import Gate, entered
from tests.community.test_nonsense import FIELDS, VALUES, filled
from tests.community.web import browser
from tests.present import present

SCRIPT = "<script>alert(1)</script>"
MORE = ("rules", "levels", "days", "id", "again", "valid_from", "valid_until", "person", "q", "door", "place")


@pytest.fixture
def gate(tmp_path):
    with closing(Gate(tmp_path)) as gate:
        gate.principal("mei", role="manager")
        gate.desk.looking.import_people([{"id": "p-1", "name": "Anna"}])
        yield gate


def posts(gate):
    """Return the path of every form of these pages."""
    paths = [path for path, methods, _, _ in door_pages(gate.desk) if "POST" in methods]
    return [re.sub(r"\{[^}]+\}", "p-1", path) for path in paths]


def state_of(gate):
    """Return what such a form could change."""
    return gate.desk.looking.roster(), gate.asked(), gate.desk.looking.people.one("p-1")


def test_no_form_is_taken_that_another_page_has_made(gate):
    """Without its token, with another browser's, or from another site."""
    desk, other = entered(gate, "mona", "mei"), gate.logged_in("dora")
    other.get("/doors")
    mine, theirs = (present(re.search(r'name="csrf" value="(\w+)"', one.page))[1] for one in (desk, other))
    before = state_of(gate)
    fields = {"act": "lockdown", "door": "front", "place": "*", "sure": "1", "again": "p-1", "person": "p-1"}
    assert len(posts(gate)) >= 10
    for path in posts(gate):
        for token, headers in (
            ("", {}),
            (theirs, {}),
            ("0" * 64, {}),
            (mine, {"origin": "https://evil.example"}),
        ):
            answer = desk.client.post(path, data={**fields, "csrf": token}, headers=headers)
            assert answer.status_code == 403, (path, token, headers)
    assert state_of(gate) == before


def test_who_is_not_logged_in_reaches_none_of_it(gate):
    """Every page leads to the login."""
    stranger = browser(gate.app, "en")
    for path, methods, _, _ in door_pages(gate.desk):
        where = re.sub(r"\{[^}]+\}", "p-1", path)
        for method in methods:
            answer = stranger.client.request(method, where, follow_redirects=False)
            assert answer.status_code == 303, (method, where)
            assert answer.headers["location"] == "/login"


def test_nonsense_breaks_none_of_these_pages(gate):
    """As somebody who may do everything there."""
    desk, rng = entered(gate, "mona", "mei"), random.Random(7)
    for _ in range(3):
        for path, methods, _, _ in door_pages(gate.desk):
            where = filled(path.replace(":path", ""), rng)
            for method in methods:
                form = {name: rng.choice(VALUES) for name in rng.sample((*FIELDS, *MORE), 16)}
                form["csrf"] = present(re.search(r'name="csrf" value="(\w+)"', desk.page))[1]
                sent = {"data": form} if method == "POST" else {"params": form}
                answer = desk.client.request(method, where, follow_redirects=False, **sent)
                assert answer.status_code < 500, (where, form, answer.text[:300])
                assert SCRIPT not in answer.text


def test_names_are_text_on_every_page(gate):
    """Of people, doors, browsers; also where they are typed into a form again."""
    gate.desk.looking.import_people([{"id": f"x{SCRIPT}"[:128], "name": SCRIPT}])
    with gate.engine.begin() as connection:
        put(connection, DOORS, {"id": "front", "name": SCRIPT, "place": SCRIPT})
    desk = entered(gate, "mona", "mei")
    for path in ("/doors", "/access", f"/access/x{SCRIPT}", "/audit", f"/rules?person=x{SCRIPT}", "/entries"):
        assert SCRIPT not in desk.get(path).text, path
    desk.get("/rules")
    desk.send(
        "/rules", rules=f"# {SCRIPT}\n[levels]\n{SCRIPT} = 1", person=SCRIPT, levels=SCRIPT, days=SCRIPT
    )
    assert SCRIPT not in desk.page


def test_a_resident_s_key_opens_no_console_and_staff_s_no_page(gate, tmp_path):
    """Each is asked of where its holders are kept."""
    book, terms = gate.compound.book, gate.compound.terms
    wang = Doer("person", gate.compound.people["wang"])
    page = WebOffice.of(book, terms, tmp_path, "a", "")
    console = page.for_staff(gate.compound.staff, ())
    assert page.lets_in(wang)
    assert not console.lets_in(wang)
    assert console.lets_in(Doer("account", "dora"))
    assert not page.lets_in(Doer("account", "dora"))
    assert not console.lets_in(Doer("account", "nobody"))
