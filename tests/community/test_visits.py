"""Visitors: wishes within limits, granted by whoever has the key, ended; and a page that lies."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from edge.errors import CommunityRefused
from edge.policy.passes import pass_public_key, read_pass
from facegate_hub.community.book import SYSTEM, Change, Doer
from facegate_hub.community.parts import Asker
from facegate_hub.community.person import erase_person
from facegate_hub.community.schema import CONTENTS, PASSES
from facegate_hub.community.verify import verify
from facegate_hub.community.visits import PassState, VisitKind, VisitorPasses, VisitWish
from facegate_hub.tables import open_tables
from facegate_hub.visitors import MOST_A_MINUTE, PassGranter
from tests.community.compound import new_compound
from tests.community.web import resident
from tests.present import present

HOUR = 3600
KEY = bytes(range(32))
DOORS = ("gate", "lobby-3", "lobby-5")


@pytest.fixture
def compound(tmp_path):
    found = new_compound(tmp_path)
    for name in ("wang", "li"):
        found.register.change(SYSTEM, found.people[name], resident=f"{name}-in-the-roster")
    return found


@pytest.fixture
def granter(compound, tmp_path):
    (tmp_path / "pass.key").write_bytes(KEY)
    return granter_in(tmp_path, compound)


def granter_in(folder, compound):
    engine = open_tables(f"sqlite:///{folder.parent / 'hub.db'}")
    return PassGranter(engine, (compound.book, compound.terms), folder, lambda: DOORS)


def wish(compound, hours=4.0, begins=0.0, **more):
    begin = compound.book.now() + int(begins * HOUR)
    values = {"flat": "3-1203", "kind": VisitKind.VISITOR, **more}
    return VisitWish(begins=begin, ends=begin + int(hours * HOUR), **values)


def visits(compound):
    return VisitorPasses(compound.book, compound.terms)


def of(compound, name="wang"):
    return visits(compound).of_person(compound.people[name])


def test_a_wish_becomes_a_pass_that_any_door_can_check_by_itself(compound, granter):
    visits(compound).wish(compound.asker("wang"), wish(compound, uses=2))
    assert granter.look() == 1
    (made,) = of(compound)
    granted = read_pass(made.text, [pass_public_key(KEY)])
    assert granted is not None
    assert (granted.host_id, granted.max_uses) == ("wang-in-the-roster", 2)
    assert granted.valid_until == datetime.fromtimestamp(made.ends, UTC)
    assert granter.look() == 0
    assert of(compound, "wang-wife") == [], "members of a flat have secrets from each other"


def test_a_pass_opens_on_the_way_to_its_flat_and_nowhere_else(compound, granter):
    granter._terms = replace(compound.terms, doors={"3": ("lobby-3",), "5": ("lobby-5",)})
    visits(compound).wish(compound.asker("wang"), wish(compound))
    granter.look()
    (made,) = of(compound)
    granted = read_pass(made.text, [pass_public_key(KEY)])
    assert made.doors == ("lobby-3", "gate")
    assert [door for door in (*DOORS, "garage") if present(granted).opens(door)] == ["gate", "lobby-3"]
    granter._doors = tuple
    visits(compound).wish(compound.asker("li"), wish(compound, flat="3-1204"))
    granter.look()
    assert of(compound, "li")[0].doors == ("lobby-3",)


def test_an_ended_pass_has_no_code_any_more(compound, granter):
    identity = visits(compound).wish(compound.asker("wang"), wish(compound))
    granter.look()
    with pytest.raises(CommunityRefused):
        visits(compound).end(compound.asker("li"), identity)
    visits(compound).end(compound.asker("wang"), identity)
    (ended,) = of(compound)
    assert (ended.state, ended.text) == (PassState.ENDED, None)
    with compound.book.looking() as connection:
        query = sa.select(sa.func.count()).select_from(PASSES).where(PASSES.c.text.is_not(None))
        assert connection.execute(query).scalar() == 0
        assert verify(connection, compound.book.sealer).problems == []


def test_codes_go_when_their_time_is_over(compound, granter):
    visits(compound).wish(compound.asker("wang"), wish(compound))
    granter.look()
    compound.clock.advance(5 * HOUR)
    granter.look()
    assert of(compound)[0].text is None


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"hours": 73}, "72 hours"),
        ({"hours": -1}, "72 hours"),
        ({"hours": 1, "begins": -2}, "72 hours"),
        ({"begins": 31 * 24}, "30 days"),
        ({"uses": 0}, "1 to 20"),
        ({"uses": 21}, "1 to 20"),
        ({"kind": VisitKind.COURIER, "hours": 3}, "two hours"),
        ({"kind": VisitKind.COURIER, "hours": 1, "uses": 2}, "1 to 20"),
        ({"flat": "3-1204"}, "own flat"),
    ],
    ids=str,
)
def test_what_nobody_may_wish_for(compound, more, why):
    with pytest.raises(CommunityRefused, match=why):
        visits(compound).wish(compound.asker("wang"), wish(compound, **more))


def test_six_a_day_and_twenty_alive(compound):
    for _ in range(6):
        visits(compound).wish(compound.asker("wang"), wish(compound, 1))
    with pytest.raises(CommunityRefused, match="6 passes within a day"):
        visits(compound).wish(compound.asker("wang"), wish(compound, 1))


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        ({"flat": "5-101"}, "flat"),
        ({"maker": "nobody"}, "flat"),
        ({"ends": 2**33}, "time"),
        ({"uses": 255}, "uses"),
        ({"begins": 2**32, "ends": 2**32 + 60}, "ahead"),
    ],
    ids=str,
)
def test_a_page_that_lies_gets_nothing_beyond_the_limits(compound, granter, lie, why):
    """The page's code is replaced: it writes whatever it likes into the table of wishes."""
    now = compound.book.now()
    row = {"maker": compound.people["wang"], "flat": "3-1203", "kind": "visitor", "state": "wished"}
    row |= {"begins": now, "ends": now + HOUR, "uses": 1, "wished_at": now}
    with compound.book.writing() as writing:
        writing.enter(SYSTEM, "pass.wished", "pass:x", Change(PASSES, "x", {**row, **lie}))
    granter.look()
    with compound.book.looking() as connection:
        found = connection.execute(sa.select(PASSES)).one()
        assert (found.state, found.why, found.text) == ("refused", why, None)


def test_a_page_that_lies_floods_nobody(compound, granter):
    now, wang = compound.book.now(), compound.people["wang"]
    row = {"maker": wang, "flat": "3-1203", "kind": "visitor", "state": "wished"}
    row |= {"begins": now, "ends": now + HOUR, "uses": 1, "wished_at": now}
    with compound.book.writing() as writing:
        changes = [Change(PASSES, f"x{n}", dict(row)) for n in range(40)]
        writing.enter(SYSTEM, "pass.wished", "pass:x", *changes)
    granter.look()
    with compound.book.looking() as connection:
        granted = sa.select(sa.func.count()).where(PASSES.c.state == "granted")
        assert connection.execute(granted).scalar() <= min(MOST_A_MINUTE, compound.terms.passes_a_day)


def test_without_a_key_or_a_hub_its_maker_is_told(compound, tmp_path):
    visits(compound).wish(compound.asker("wang"), wish(compound))
    granter_in(tmp_path / "nowhere", compound).look()
    assert of(compound)[0].why == "no_key"
    visits(compound).wish(compound.asker("wang"), wish(compound))
    compound.clock.advance(700)
    visits(compound).forget_over()
    assert {one.why for one in of(compound)} == {"no_key", "no_hub"}


def test_whom_no_door_knows_gets_no_pass_and_is_told(compound, granter):
    visits(compound).wish(compound.asker("zhao"), wish(compound, flat="5-101"))
    compound.register.change(SYSTEM, compound.people["li"], resident="字" * 40)
    visits(compound).wish(compound.asker("li"), wish(compound, flat="3-1204"))
    granter.look()
    assert of(compound, "zhao")[0].why == "no_resident"
    assert of(compound, "li")[0].why == "host"


def test_who_moved_out_gets_no_pass(compound, granter):
    visits(compound).wish(compound.asker("wang"), wish(compound))
    compound.register.end_tie(SYSTEM, compound.register.one(compound.people["wang"]).ties[0].id)
    granter.look()
    assert of(compound)[0].why == "flat"
    with pytest.raises(CommunityRefused):
        visits(compound).wish(Asker(Doer("person", compound.people["wang"])), wish(compound))


def test_from_the_phone_to_the_code_and_back(compound, granter):
    phone = resident(compound, "wang")
    phone.get("/visitors")
    phone.send("/visitors", kind="visitor", hours="4")
    assert "takes a few seconds" in phone.page
    granter.look()
    identity = of(compound)[0].id
    phone.get(f"/visitors/{identity}")
    assert "data:image/svg+xml" in phone.page
    assert resident(compound, "li").get(f"/visitors/{identity}").status_code == 422
    phone.send(f"/visitors/{identity}")
    assert "data:image/svg+xml" not in phone.get(f"/visitors/{identity}").text


def test_erasing_a_person_takes_their_codes_along(compound, granter):
    visits(compound).wish(compound.asker("wang"), wish(compound))
    granter.look()
    erase_person(compound.book, SYSTEM, compound.people["wang"])
    with compound.book.looking() as connection:
        assert connection.execute(sa.select(PASSES.c.state)).scalars().all() == ["ended"]
        left = sa.select(CONTENTS.c.mark).where(CONTENTS.c.owner == f"person:{compound.people['wang']}")
        assert connection.execute(left).all() == []
        assert verify(connection, compound.book.sealer).problems == []
    granter.look()


def test_the_page_of_a_pass_says_the_weekday_looks_again_by_itself_and_asks_before_it_ends(compound, granter):
    """Invited for Sunday from an old telephone: which day it is, and what to do where no picture arrives."""
    phone = resident(compound, "li")
    phone.get("/visitors")
    phone.send("/visitors", kind="visitor", hours="4", begins="2026-03-08T09:00")
    waiting = phone.page
    assert '<div id="pass" data-fresh' in waiting
    granter.look()
    identity = of(compound, "li")[0].id
    page = phone.get(f"/visitors/{identity}").text
    assert "Sunday, 03-08 09:00" in page
    assert "Ring a flat" in page
    assert "31204" in page
    assert '<div id="pass">' in page
    asked = page[page.index("<details") : page.index("</details>")]
    assert f'action="/visitors/{identity}"' in asked
    phone.get("/language/zh", params={"back": f"/visitors/{identity}"})
    assert "03-08（周日）09:00" in phone.page
