"""A list that the doors know becomes flats, people and invitations by one step, looked at before."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from edge.errors import CommunityRefused
from facegate_hub.community.book import SYSTEM, Doer
from facegate_hub.community.entry import Arrival, Invitations
from facegate_hub.community.moving_in import MOST_AT_ONCE, MovingIn
from facegate_hub.community.people import NewPerson, TieKind
from facegate_hub.community.slips import Slips
from facegate_hub.community.verify import verify
from tests.community.compound import new_compound
from tests.community.test_console_doors import Gate
from tests.present import present

DAY = 86_400
CODE = re.compile(r'class="code">([^<]+)<')
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


def test_numbers_of_staff_make_no_flats(compound):
    """They were flats like any other: among a notice's buildings, and with a slip that made an owner."""
    moving = MovingIn(compound.book)
    staff = [("guard-12", "A"), ("STAFF-001", "B"), ("保安-12", "C"), ("emp-2024-3", "D"), ("A-101-1", "E")]
    moved = moving.carry_out(DORA, [*staff, ("rose-301", "F")], TieKind.OWNER, "zh")
    assert [(one.name, one.flat) for one in moved] == [("E", "A-101")]
    assert set(compound.register.flats().values()) == {"3", "5", "A"}
    compound.register.put_flats(DORA, [("ROSE-101", "ROSE", "101")])
    plan = moving.plan([*staff, ("rose-301", "F")])
    assert [(one.name, one.flat) for one in plan.newcomers] == [("F", "ROSE-301")]
    assert [why for *_, why in plan.left_out] == ["no_flat"] * 4


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


def test_a_lost_page_of_codes_is_made_anew_in_one_act(compound):
    """Up to 200 codes were gone with a browser that crashed, and each had to be made anew by hand."""
    slips, enter = Slips(compound.book), Invitations(compound.book)
    lost = MovingIn(compound.book).carry_out(DORA, LISTED, TieKind.TENANT, "zh")
    first = [one.code for one in lost]
    zhao, _ = enter.accept(first[3], Arrival("", "zh", "phone"))
    compound.clock.advance(60)
    zhang = present(enter.look(first[2])).person
    by_hand = enter.invite(DORA, "7-2-301", TieKind.TENANT, zhang)
    (one,) = slips.prints()
    assert (one.by, one.unused, one.made_at) == ("dora", 2, compound.book.now() - 60)
    made = slips.renew(DORA, one.until)
    assert {(new.flat, new.name) for new in made} == {("3-1203", "王伟"), ("3-1203", "李娜")}
    assert [enter.look(code) for code in first[:2]] == [None, None]
    assert enter.look(by_hand) is not None
    person, _ = enter.accept(made[0].code, Arrival("another name", "en", "phone"))
    assert (compound.register.one(person).name, compound.register.one(zhao).name) == (made[0].name, "赵四")
    with pytest.raises(CommunityRefused, match="new ones were given"):
        slips.renew(DORA, one.until)
    with compound.book.looking() as connection:
        assert verify(connection, compound.book.sealer).problems == []


def test_codes_that_nobody_used_within_a_week_are_made_anew_and_old_prints_are_forgotten(compound):
    slips = Slips(compound.book)
    MovingIn(compound.book).carry_out(DORA, LISTED, TieKind.TENANT, "zh")
    compound.clock.advance(8 * DAY)
    (one,) = slips.prints()
    assert one.unused == 4
    gone = Invitations(compound.book).look(slips.renew(DORA, one.until)[0].code)
    compound.register.end_tie(DORA, compound.register.one(present(present(gone).person)).ties[0].id)
    (one,) = slips.prints()
    assert one.unused == 3, "whoever moved out waits for none"
    compound.clock.advance(31 * DAY)
    assert slips.prints() == []


def test_slips_that_name_nobody_are_made_anew_and_a_flat_has_no_more_than_before(compound):
    slips, enter = Slips(compound.book), Invitations(compound.book)
    made = enter.invite_flats(DORA, ["3-1203", "3-1204", "5-101"], TieKind.OWNER)
    (one,) = slips.prints()
    new = slips.renew(DORA, one.until)
    assert [(slip.flat, slip.name) for slip in new] == [("3-1203", None), ("3-1204", None), ("5-101", None)]
    assert [enter.look(code) for _, code in made] == [None] * 3
    assert all(enter.look(slip.code) for slip in new)
    compound.clock.advance(8 * DAY)
    assert slips.prints() == []


def test_of_two_clerks_who_lost_the_same_page_one_has_codes_that_are_good(compound):
    slips = Slips(compound.book)
    MovingIn(compound.book).carry_out(DORA, LISTED, TieKind.TENANT, "zh")
    until = slips.prints()[0].until
    compound.clock.advance(5)
    with ThreadPoolExecutor(2) as pool:
        acts = [pool.submit(slips.renew, DORA, until) for _ in range(2)]
    made = [act.result() for act in acts if act.exception() is None]
    assert len(made) == 1
    assert all(Invitations(compound.book).look(one.code) for one in made[0])


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
        assert "the number names no flat that is here" in desk.page
        desk.get("/people/roster?q=7")
        chosen = re.search(r"<textarea name=.people. hidden>\n(.*?)</textarea>", desk.page, re.DOTALL)
        assert chosen is not None
        desk.send("/people/roster", people=chosen[1], kind="owner")
        assert desk.page.count('class="code"') == 2
        assert "7-2-301 · 张三" in desk.page
        desk.get("/people/roster?q=7")
        assert "Everybody is on the residents’ page already" in desk.page
        assert gate.logged_in("guard-1").get("/people/roster").status_code == 403
        assert gate.logged_in("guard-1").get("/people/slips").status_code == 403
        desk.get("/people/slips")
        assert "2 not used" in desk.page
        before = set(CODE.findall(desk.page))
        desk.send("/people/slips", print=present(re.search(r'name="print" value="(\d+)"', desk.page))[1])
        after = set(CODE.findall(desk.page))
        assert len(after) == 2
        assert not before & after
        assert "7-2-301 · 张三" in desk.page
        desk.get("/people/slips")
        desk.send("/people/slips", print="1")
        assert desk.status == 422
