"""Doors have the names that the property gave them wherever a resident or the guard reads one."""

from __future__ import annotations

from contextlib import closing

import pytest
import sqlalchemy as sa

from facegate_hub.community.book import SYSTEM, Change
from facegate_hub.community.doors import meet_doors
from facegate_hub.community.faults import Faults
from facegate_hub.community.schema import PASSES, RINGS
from facegate_hub.community.visits import DoorWord, note_doors
from facegate_hub.console.doors_desk import DoorsDesk
from facegate_hub.database import put
from facegate_hub.door_names import door_names, told_apart
from facegate_hub.fault_watch import FaultWatch
from facegate_hub.tables import DEVICES, DOORS, RINGS_HEARD, open_tables
from tests.community.compound import new_compound
from tests.community.web import resident, staff
from tests.hub.test_fault_watch import Site

GATE, LOBBY = "gate-1", "lobby-3"
NAMES = {GATE: "南门", LOBBY: "三号楼大堂"}
ID = "0102030405060708"


def named(engine, names, place=""):
    with engine.begin() as connection:
        for door, name in names.items():
            put(connection, DOORS, {"id": door, "name": name, "place": place})
            put(connection, DEVICES, {"id": door, "avail": "online"})


@pytest.fixture
def compound(tmp_path):
    """A pass that was ended, and a ring, at doors that have names."""
    compound = new_compound(tmp_path)
    meet_doors(compound.book, NAMES)
    now = compound.book.now()
    row: dict[str, str | int | None] = {
        "maker": compound.people["wang"],
        "flat": "3-1203",
        "kind": "visitor",
        "state": "ended",
        "pass_id": ID,
        "doors": f"{GATE},{LOBBY}",
        "begins": now,
        "ends": now + 7200,
        "uses": 1,
        "wished_at": now,
    }
    with compound.book.writing() as writing:
        writing.enter(SYSTEM, "pass.ended", "pass:one", Change(PASSES, "one", row))
    note_doors(compound.book, {(ID, GATE): DoorWord.CONFIRMED, (ID, LOBBY): DoorWord.OFFLINE})
    ring = {"id": "now", "door": LOBBY, "flat": "3-1203", "rang_at": now - 2, "state": "ringing"}
    with compound.book.engine.begin() as connection:
        connection.execute(sa.insert(RINGS).values(**ring))
    return compound


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("path", ["/", "/rings", "/visitors/one"])
def test_a_resident_reads_names(compound, path, language):
    page = resident(compound, "wang", language).get(path).text
    assert NAMES[LOBBY] in page
    assert LOBBY not in page
    assert GATE not in page


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_guard_reads_the_names_of_the_hub_and_never_those_of_the_page(compound, tmp_path, language):
    """The residents' page, taken over, may write the book's doors: the guard goes where the hub says."""
    (tmp_path / "site.json").touch()
    engine = open_tables(f"sqlite:///{tmp_path / 'hub.db'}")
    named(engine, {LOBBY: "三号楼大堂"})
    ring = {"id": "now", "door": LOBBY, "flat": "3-1203", "rang_at": compound.book.now() - 2}
    with engine.begin() as connection:
        put(connection, RINGS_HEARD, ring)
    meet_doors(compound.book, {LOBBY: "somewhere else"})
    with closing(DoorsDesk(tmp_path, str(engine.url))) as doors:
        page = staff(compound, "guard-1", language, doors).get("/visitors").text
    engine.dispose()
    assert "<b>三号楼大堂</b>" in page
    assert "somewhere else" not in page


def test_the_hub_tells_the_community_what_doors_are_called_and_when_that_changes(tmp_path):
    site = Site(tmp_path)
    named(site.engine, {GATE: "门", LOBBY: ""})
    site.hear("lost", door=GATE)
    site.look()
    phone = resident(site.compound, "wang")
    assert "<b>门</b>" in phone.get("/doors").text
    assert f"<b>{LOBBY}</b>" in phone.page
    named(site.engine, {GATE: "南门", LOBBY: "南门"}, place="")
    FaultWatch(site.engine, site.faults, lambda: site.compound.clock.now().timestamp()).look()
    assert door_names(site.engine) == {GATE: f"南门 · {GATE}", LOBBY: f"南门 · {LOBBY}"}
    assert f"南门 · {GATE}" in resident(site.compound, "wang").get("/doors").text


def test_doors_of_the_same_name_are_told_apart_by_their_place_else_by_their_id():
    doors = [("a", "Lobby", "House 3"), ("b", "Lobby", "House 5"), ("c", "Lobby", ""), ("d", "Gate", "x")]
    assert told_apart(doors) == {
        "a": "Lobby · House 3",
        "b": "Lobby · House 5",
        "c": "Lobby · c",
        "d": "Gate",
    }
    same = [("a", "Lobby", "House 3"), ("b", "Lobby", "House 3")]
    assert told_apart(same) == {"a": "Lobby · a", "b": "Lobby · b"}


@pytest.mark.parametrize("name", ["3栋1203 欠费", "栋12 欠费 3", "Flat 3-1203 owes 500"])
def test_a_door_s_name_that_nobody_may_publish_is_read_by_nobody_and_holds_no_fault_up(tmp_path, name):
    """Every other door's faults were lost with it: each look ended at the ticket that was refused."""
    compound = new_compound(tmp_path)
    meet_doors(compound.book, {GATE: name, LOBBY: "三号楼大堂"})
    faults = Faults(compound.book, compound.terms)
    assert faults.update({(GATE, "door.away"): True, (LOBBY, "door.away"): True}) == 2
    if "3-1203" in name or "1203 " in name:
        assert name not in resident(compound, "li", "en").get("/doors").text
        assert GATE in resident(compound, "li", "en").get("/doors").text
