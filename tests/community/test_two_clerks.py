"""Two clerks at the same person or list: what the one has taken away does not come back with the other."""

from __future__ import annotations

from contextlib import closing
from html import unescape

import pytest

from edge.errors import SyncError
from facegate_hub.roster import RosterLog
from tests.community.test_console_doors import Gate, entered

pytestmark = pytest.mark.slow


@pytest.fixture
def gate(tmp_path):
    with closing(Gate(tmp_path)) as gate:
        gate.principal("mei", role="manager")
        yield gate


@pytest.fixture
def desks(gate):
    return entered(gate, "mona", "mei"), entered(gate, "mona", "mei")


def record(gate, identity):
    found = gate.desk.looking.people.one(identity)
    return None if found is None else found.record


LIST = "编号,姓名,失效日期\n3-1203,李伟,\n3-1204,王芳,\n"


def looked_at(desk):
    """Let somebody look at a list, and return what their page sends when they mean it."""
    desk.get("/access")
    desk.send("/access/load", _files={"file": ("a.csv", LIST.encode())})
    return unescape(desk.page.split("hidden>")[1].split("</textarea>")[0])


def test_a_list_that_was_looked_at_gives_nobody_back_what_was_taken_since(gate, desks):
    """Between the look and the word, perhaps over night: who had moved out came in again."""
    mine, other = desks
    people = [{"id": "3-1203", "name": "李伟"}, {"id": "3-1204", "name": "王芳"}]
    gate.desk.looking.import_people(people)
    text = looked_at(mine)
    other.get("/access/3-1203")
    other.send("/access", name="李伟", levels="resident", valid_until="2026-01-31")
    other.get("/access/3-1204")
    other.send("/access/3-1204/remove", again="3-1204")
    assert record(gate, "3-1204") is None
    mine.send("/access/load", text=text)
    assert mine.status == 409
    assert "has changed the list of people since you looked" in mine.page
    assert "1 new, 1 changed" in mine.page, "it is shown as it is now"
    assert record(gate, "3-1203")["valid_until"].startswith("2026-01-31")
    assert record(gate, "3-1204") is None
    mine.send("/access/load", text=text)
    assert record(gate, "3-1204")["name"] == "王芳", "who has seen it may mean it"


def test_a_change_from_another_record_than_there_is_is_none(gate):
    """Also at the same moment: looked at again within the commit."""
    log = RosterLog(gate.engine, None)
    old = {"id": "a", "name": "A", "access_levels": ["resident"]}
    log.change([old])
    log.change([old | {"valid_until": "2026-01-01T00:00:00+00:00"}], seen={"a": old})
    for seen in ({"a": old}, {"a": None}, {"b": old}):
        with pytest.raises(SyncError):
            log.change([old], seen=seen)
    assert record(gate, "a")["valid_until"].startswith("2026-01-01")
    log.change([old], seen={"a": record(gate, "a")})
    assert "valid_until" not in record(gate, "a")


def test_a_form_of_a_person_undoes_nothing_that_somebody_else_has_changed(gate, desks):
    mine, other = desks
    mine.get("/people/new")
    mine.send("/people/new", name="张伟", flat="5-101", kind="owner", contact="13800000000")
    place = str(mine.client.get("/people?q=张伟").text.split('href="/people/')[-1].split('"')[0])
    person = f"/people/{place}"
    mine.get(person)
    other.get(person)
    other.send(f"{person}/change", contact="13900000000")
    mine.send(f"{person}/change", name="张卫")
    assert mine.status == 422
    assert "Somebody else has changed this person meanwhile" in mine.page
    mine.get(person)
    assert "13900000000" in mine.page
    mine.send(f"{person}/change", name="张卫")
    assert "张卫" in mine.page
    assert "13900000000" in mine.page
