"""A list that the doors know becomes flats, people and invitations by one step, looked at before."""

from __future__ import annotations

import re
from contextlib import closing

import pytest

from facegate_hub.community.book import SYSTEM, Doer
from facegate_hub.community.entry import Arrival, Invitations
from facegate_hub.community.moving_in import MOST_AT_ONCE, MovingIn
from facegate_hub.community.people import NewPerson, TieKind
from facegate_hub.community.verify import verify
from tests.community.compound import new_compound
from tests.community.test_console_doors import Gate

DORA = Doer("account", "dora")
LISTED = [("3-1203-1", "王伟"), ("3-1203-2", "李娜"), ("7栋二单元301-1", "张三"), ("7-2-301-2", "赵四")]


@pytest.fixture
def compound(tmp_path):
    return new_compound(tmp_path)


def test_numbers_of_the_roster_name_flats(compound):
    plan = MovingIn(compound.book).plan(
        [*LISTED, ("3-2-12", "A"), ("K12", "B"), ("admin", "C"), ("8-101", "D")]
    )
    flats = {one.resident: (one.flat, one.is_new_flat) for one in plan.newcomers}
    assert flats == {
        "3-1203-1": ("3-1203", False),
        "3-1203-2": ("3-1203", False),
        "7栋二单元301-1": ("7-2-301", True),
        "7-2-301-2": ("7-2-301", True),
        "3-2-12": ("3-2-12", True),
        "8-101": ("8-101", True),
    }
    assert sorted(one for one, _, _ in plan.flats.values()) == ["3-2-12", "7-2-301", "8-101"]
    assert plan.left_out == [("K12", "B", "no_flat"), ("admin", "C", "no_flat")]


def test_whoever_is_there_or_has_left_is_nobody_new(compound):
    register = compound.register
    register.add(SYSTEM, NewPerson("王伟", "3-1203", TieKind.OWNER, resident="3-1203-1"))
    register.add(SYSTEM, NewPerson("李娜", "3-1203", TieKind.OWNER))
    gone = register.add(SYSTEM, NewPerson("张三", "5-101", TieKind.OWNER, resident="5-101-1"))
    register.end_tie(SYSTEM, register.one(gone).ties[0].id)
    plan = MovingIn(compound.book).plan(
        [*LISTED[:2], ("5-101-1", "张三"), ("3-1204-1", "n" * 65), ("3\u20131204", "old spelling")]
    )
    assert plan.newcomers == []
    assert plan.flats == {}
    assert {(one, why) for one, _, why in plan.left_out} == {
        ("3-1203-2", "there"),
        ("5-101-1", "left"),
        ("3-1204-1", "name"),
        ("3\u20131204", "no_flat"),
    }
    # The next tenant has the number of the one who left, and another name.
    (next_one,) = MovingIn(compound.book).plan([("5-101-1", "赵六")]).newcomers
    assert next_one.flat == "5-101"


def test_one_person_with_two_numbers_of_the_roster_moves_in_once(compound):
    """In two spellings, or entered twice: each got a slip, and what one shared the other did not see."""
    moving = MovingIn(compound.book)
    listed = [("03-1203-1", "王伟"), ("3-1203-1", "王伟"), ("3栋1203-1", " 王伟")]
    plan = moving.plan(listed)
    assert [one.resident for one in plan.newcomers] == ["03-1203-1"]
    assert [(one, why) for one, _, why in plan.left_out] == [("3-1203-1", "there"), ("3栋1203-1", "there")]
    assert len(moving.carry_out(DORA, listed, TieKind.OWNER, "zh")) == 1


def test_one_commit_makes_flats_people_and_a_code_for_each_and_the_second_clerk_makes_nothing(compound):
    moving = MovingIn(compound.book)
    moved = moving.carry_out(DORA, LISTED, TieKind.TENANT, "zh")
    assert [(one.name, one.flat) for one in moved] == [
        ("王伟", "3-1203"),
        ("李娜", "3-1203"),
        ("张三", "7-2-301"),
        ("赵四", "7-2-301"),
    ]
    assert moving.carry_out(DORA, LISTED, TieKind.TENANT, "zh") == []
    person, _ = Invitations(compound.book).accept(moved[2].code, Arrival("another name", "en", "phone"))
    found = compound.register.one(person)
    assert (found.name, found.resident, found.flats) == ("张三", "7栋二单元301-1", ("7-2-301",))
    with compound.book.looking() as connection:
        assert verify(connection, compound.book.sealer).problems == []


def test_so_many_move_in_at_once_and_no_more(compound):
    many = [(f"9-{100 + n}-1", f"name {n}") for n in range(MOST_AT_ONCE + 5)]
    assert len(MovingIn(compound.book).carry_out(DORA, many, TieKind.OWNER, "zh")) == MOST_AT_ONCE
    assert len(MovingIn(compound.book).plan(many).newcomers) == 5


@pytest.mark.slow
def test_the_desk_looks_and_then_moves_a_building_in(tmp_path):
    with closing(Gate(tmp_path)) as gate:
        gate.desk.looking.import_people(
            [{"id": one, "name": name} for one, name in [*LISTED, ("x", "Nobody")]]
        )
        desk = gate.logged_in("dora")
        desk.get("/access")
        assert 'href="/people/roster"' in desk.page
        desk.get("/people/roster?q=7")
        assert "2 people move in, 1 flats are added" in desk.page
        assert "王伟" not in desk.page
        desk.get("/people/roster")
        assert "the number names no flat" in desk.page
        desk.get("/people/roster?q=7")
        chosen = re.search(r"<textarea name=.people. hidden>\n(.*?)</textarea>", desk.page, re.DOTALL)
        assert chosen is not None
        desk.send("/people/roster", people=chosen[1], kind="owner")
        assert desk.page.count('class="code"') == 2
        assert "7-2-301 · 张三" in desk.page
        desk.get("/people/roster?q=7")
        assert "Everybody is on the residents’ page already" in desk.page
        assert gate.logged_in("guard-1").get("/people/roster").status_code == 403
