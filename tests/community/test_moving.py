"""Somebody moves in and out by one form: their flat, what the page shows them, and what opens doors."""

from __future__ import annotations

from contextlib import closing

import pytest
import sqlalchemy as sa

from facegate_hub.community.book import SYSTEM, Change, Doer
from facegate_hub.community.machine import TicketKind
from facegate_hub.community.people import NewPerson, TieKind
from facegate_hub.community.schema import PASSES, PEOPLE
from facegate_hub.community.tickets import Report
from facegate_hub.community.verify import verify
from facegate_hub.community.visits import VisitorPasses
from tests.community.compound import new_compound
from tests.community.test_console_doors import PASSWORD, Gate
from tests.community.web import staff

pytestmark = pytest.mark.slow
NEW = {"name": "张伟", "flat": "5-101", "kind": "tenant", "contact": "138 0013 8000"}


@pytest.fixture
def gate(tmp_path):
    with closing(Gate(tmp_path)) as gate:
        gate.principal("mei", "manager")
        gate.principal("gao", "guard")
        yield gate


def acting(gate, name="mei", language="en"):
    desk = gate.logged_in("mona", language)
    desk.get("/doors")
    desk.send("/doors/enter", name=name, password=PASSWORD)
    return desk


def move_in(desk, **fields):
    desk.get("/people/new")
    return desk.send("/people/new", **{**NEW, **fields}).url.path


def people(gate):
    with gate.compound.book.looking() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(PEOPLE)).scalar()


def test_one_form_has_somebody_on_the_page_and_at_the_doors(gate):
    desk = acting(gate)
    move_in(desk, levels="resident", valid_until="2027-03-31")
    assert desk.status == 200
    assert 'href="/access/5-101-1"' in desk.page
    record = gate.desk.looking.people.one("5-101-1").record
    assert (record["name"], record["access_levels"]) == ("张伟", ["resident"])
    assert record["valid_until"].startswith("2027-03-31T")
    move_in(desk, name="李娜", kind="family")
    assert gate.desk.looking.people.one("5-101-2").record["name"] == "李娜"
    assert 'href="/access/5-101-2"' in desk.page


def test_a_new_name_is_to_be_changed_at_the_doors_too(gate):
    desk = acting(gate)
    person = move_in(desk)
    assert "The doors call them" not in desk.page
    desk.get(person)
    desk.send(f"{person}/change", name="张王伟")
    assert "The doors call them 张伟." in desk.page


def test_what_the_signer_refuses_leaves_nobody_and_everything_typed(gate):
    desk = acting(gate, "gao")
    desk.get("/people/new")
    assert 'name="at_doors"' not in desk.page, "a guard may not change the roster"
    desk.client.headers["Referer"] = "https://testserver/people/new"
    before = people(gate)
    desk.send("/people/new", **NEW, at_doors="1", levels="resident")
    assert desk.status == 409
    assert "gao does not have the right “roster”" in desk.page
    assert "138 0013 8000" in desk.page
    assert (people(gate), gate.desk.looking.people.page()) == (before, [])


def test_a_flat_that_is_not_there_lets_nobody_in_at_the_doors(gate):
    desk = acting(gate)
    move_in(desk, flat="9-999")
    assert desk.status == 422
    assert gate.desk.looking.people.page() == []


def test_somebody_of_this_number_who_is_there_is_taken_and_another_is_not(gate):
    """As after a power cut between the two; a former tenant's number is nobody's again."""
    desk = acting(gate)
    with gate.desk.acting(desk.client.cookies["__Host-facegate-staff"]) as staff:
        staff.import_people([{"id": "5-101-7", "name": "张伟"}])
    move_in(desk, resident="5-101-7", name="王五")
    assert desk.status == 422
    move_in(desk, resident="5-101-7")
    assert desk.status == 200
    assert 'href="/access/5-101-7"' in desk.page


def test_moving_out_of_the_last_flat_ends_what_opens_doors(gate):
    desk = acting(gate)
    person = move_in(desk)
    desk.get(person)
    assert "takes PINs and cards back" in desk.page
    desk.send(f"{person}/end")
    assert gate.desk.looking.people.one("5-101-1") is None
    assert "<b>5-101</b>" in desk.page
    assert ", until " in desk.page


def test_who_may_not_change_the_doors_is_told_where_that_ends(gate):
    desk = acting(gate)
    person = move_in(desk)
    desk.get("/doors")
    desk.send("/doors/enter", leave="1")
    desk.get(person)
    assert "ends under Who may enter" in desk.page
    desk.send(f"{person}/end")
    assert gate.desk.looking.people.one("5-101-1") is not None


def test_whoever_moves_out_leaves_no_pass_behind_that_opens(tmp_path):
    """The page is closed to them: they could not end it any more, and the desk would not know of it."""
    compound = new_compound(tmp_path)
    now = compound.book.now()
    wang = compound.people["wang"]
    shared: dict[str, str | int | None] = {
        "maker": wang,
        "kind": "visitor",
        "uses": 1,
        "wished_at": now,
        "begins": now,
    }
    compound.register.put_flats(SYSTEM, [("9-1", "9", "1")])
    compound.register.tie(SYSTEM, compound.people["wang"], "9-1", TieKind.OWNER)
    with compound.book.writing() as writing:
        made = (("a", "3-1203", "granted"), ("b", "3-1203", "wished"), ("c", "9-1", "granted"))
        for name, flat, state in made:
            row: dict[str, str | int | None] = {
                **shared,
                "flat": flat,
                "state": state,
                "pass_id": name * 16,
                "ends": now + 7200,
            }
            row["text"] = writing.keep(f"FG1:{name}", f"person:{compound.people['wang']}")
            writing.enter(SYSTEM, "pass.granted", f"pass:{name}", Change(PASSES, name, row))
    (tie,) = [one for one in compound.register.one(compound.people["wang"]).ties if one.flat == "3-1203"]
    compound.register.end_tie(Doer("account", "dora"), tie.id)
    found = {one.id: one for one in VisitorPasses(compound.book, compound.terms).of_person(wang)}
    states = {name: one.state.value for name, one in found.items()}
    assert states == {"a": "ended", "b": "wished", "c": "granted"}
    assert {name for name, one in found.items() if one.text} == {"b", "c"}
    with compound.book.looking() as connection:
        assert verify(connection, compound.book.sealer).problems == []


def test_who_was_moved_out_by_a_slip_comes_back_as_the_same_person(tmp_path):
    compound = new_compound(tmp_path)
    desk, person = staff(compound, "dora"), compound.people["wang"]
    (tie,) = compound.register.one(person).ties
    desk.get(f"/people/{person}")
    desk.send(f"/people/{person}/end", tie=tie.id)
    assert compound.register.one(person).state == "left"
    assert "Moved out by mistake" in desk.page
    assert 'value="3-1203"' in desk.page
    desk.send(f"/people/{person}/tie", flat="3栋1203", kind="owner")
    back = compound.register.one(person)
    assert (back.state, back.flats) == ("active", ("3-1203",))
    desk.get(f"/people/{person}")
    desk.send(f"/people/{person}/tie", flat="3-1203", kind="owner")
    assert desk.status == 422
    assert compound.register.one(person).flats == ("3-1203",)


def test_the_same_person_is_not_entered_twice_and_a_namesake_is(tmp_path):
    """A second click, two clerks, the browser's way back: each asked the same once more."""
    compound = new_compound(tmp_path)
    desk = staff(compound, "dora")
    desk.get("/people/new")
    form = {"csrf": desk.page.split('name="csrf" value="')[1].split('"')[0], "flat": "3-1203"}
    assert desk.client.post("/people/new", data={**form, "name": " 张伟 "}).status_code == 200
    refused = desk.client.post("/people/new", data={**form, "name": "张伟"})
    assert refused.status_code == 422
    assert "张伟 is in 3-1203 already" in refused.text
    desk.send("/people/new", name="张伟", flat="3-1203", namesake="1")
    assert [one.name for one in compound.register.of_flat("3-1203")].count("张伟") == 2
    desk.get("/people/new")
    desk.send("/people/new", name="张伟", flat="3-1204")
    assert desk.status == 200


def test_who_may_not_change_the_roster_is_told_so_and_not_to_say_who_they_are_again(gate):
    for name, language, words in (
        ("gao", "en", "gao may not change who may enter"),
        ("gao", "zh", "gao 没有"),
    ):
        desk = acting(gate, name, language)
        assert words in desk.get("/people/new").text
        assert 'href="/doors?act=1"' not in desk.page


def test_a_name_that_a_chat_program_hands_over_is_taken(tmp_path):
    """With a direction mark before it and a blank without a width inside."""
    compound = new_compound(tmp_path)
    desk = staff(compound, "dora")
    desk.get("/people/new")
    desk.send(
        "/people/new", name="\u202a محمد\u200b 张伟\ufeff", flat="3-1203", contact="\u202a138 0013 8000"
    )
    assert desk.status == 200
    (found,) = compound.register.search("138 0013")
    assert (found.name, found.contact) == ("محمد 张伟", "138 0013 8000")


def test_a_ticket_of_who_moved_out_says_so_to_staff(tmp_path):
    compound = new_compound(tmp_path)
    person = compound.people["wang"]
    report = Report(TicketKind.REPAIR, "water", "The tap drips", flat="3-1203", requester=person)
    number, _ = compound.tickets.report(compound.asker("wang"), report)
    desk = staff(compound, "dora")
    assert ">has left<" not in desk.get(f"/tickets/{number}").text
    (tie,) = compound.register.one(person).ties
    compound.register.end_tie(SYSTEM, tie.id)
    assert ">has left<" in desk.get(f"/tickets/{number}").text


def test_a_list_that_shows_some_alone_says_so(tmp_path):
    compound = new_compound(tmp_path)
    desk = staff(compound, "dora")
    words = "Only the first 50 are shown"
    assert words not in desk.get("/people").text
    for number in range(50):
        compound.register.add(SYSTEM, NewPerson(f"Somebody {number}", "5-101", TieKind.FAMILY))
    assert words in desk.get("/people").text
    assert words not in desk.get("/people?q=3-1203").text
