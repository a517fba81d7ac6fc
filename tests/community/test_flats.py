"""Flats: made from a list before anybody can move in, and found however somebody writes them."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from edge.cli import app
from edge.errors import CommunityRefused, SyncError
from edge.spellings import flat_key
from facegate_hub.community.book import SYSTEM
from facegate_hub.community.database import open_book
from facegate_hub.community.duties import Right, may
from facegate_hub.community.entry import Invitations
from facegate_hub.community.flats import MOST_FLATS, flat_parts, new_flats
from facegate_hub.community.notice_desk import NoticeDesk
from facegate_hub.community.people import NewPerson, PeopleRegister, TieKind
from facegate_hub.community.verify import verify
from tests.community.compound import STAFF, new_compound
from tests.community.web import staff
from tests.present import present
from tests.workbook.books import book_of

ALIKE = (
    *("3-1203", "3栋1203", "３栋１２０３", "3幢1203室", "3号楼1203", " 3 - 1203 ", "3#1203", "三栋1203"),
    *("3—1203", "第3栋1203號", "3/1203", "3-1203\u200b", "3樓1203"),
    *("三棟一二零三室", "三栋一二〇三"),
)


@pytest.fixture
def compound(tmp_path):
    return new_compound(tmp_path)


@pytest.mark.parametrize("typed", ALIKE)
def test_a_flat_is_found_however_it_is_written(compound, typed):
    """By whoever moves in, is invited, reports something or is looked for."""
    desk = staff(compound, "dora")
    desk.get("/people/new")
    desk.send("/people/new", name="Chen", flat=typed)
    assert desk.status == 200, desk.page
    (found,) = [one for one in compound.register.of_flat("3-1203") if one.name == "Chen"]
    assert found.flats == ("3-1203",)
    desk.get("/people")
    desk.send("/invite", flat=typed, kind="owner")
    assert "3-1203" in desk.page
    desk.get("/new")
    desk.send("/new", flat=typed, text="The tap drips")
    assert compound.tickets.sheet(compound.asker("mona"), 1).ticket.flat == "3-1203"
    assert "Chen" in desk.get("/people", params={"q": typed}).text


def test_letters_and_staircases_are_of_one_kind():
    assert flat_key("a座1203") == flat_key("A-1203") == "A-1203"
    assert flat_parts("3栋二单元1203室") == ("3-2-1203", "3", "2-1203")
    assert flat_parts("十二栋101") == ("12-101", "12", "101")
    assert flat_parts("二十三栋101") == ("23-101", "23", "101")
    assert flat_parts("1203") is None
    assert flat_parts("3-" + "9" * 40) is None


def test_a_flat_that_two_are_written_like_is_none_of_both(compound):
    compound.register.put_flats(SYSTEM, [("7栋1", "7", "1"), ("7-1", "7", "1")])
    compound.register.sound_one(NewPerson("A", "7栋1", TieKind.OWNER))
    with pytest.raises(CommunityRefused):
        compound.register.sound_one(NewPerson("A", "7幢1", TieKind.OWNER))


def test_several_flats_are_parted_by_lines_commas_and_blanks(compound):
    text = "3栋 1203，3-1204\n5栋101 3-1203; 9-9"
    assert compound.register.flats_in(text) == ["3-1203", "3-1204", "5-101", "9-9"]


def test_the_desk_makes_flats_of_a_list_and_looks_first(compound):
    desk = staff(compound, "dora")
    desk.get("/people")
    assert 'href="/flats"' in desk.page
    desk.get("/flats")
    desk.send("/flats", flats="6栋101\n6栋102\n3-1203\n６－１０１")
    assert "2 new flats" in desk.page
    assert "6-101" not in compound.register.flats()
    desk.send("/flats", flats="6栋101\n6栋102\n3-1203", sure="1")
    assert compound.register.flats()["6-102"] == "6"
    assert len(compound.register.flats()) == 5
    desk.send("/flats", flats="6幢101室")
    assert "are there already" in desk.page
    with compound.book.looking() as connection:
        assert verify(connection, compound.book.sealer).problems == []


def test_a_list_with_a_line_that_is_no_flat_makes_nothing_and_keeps_the_list(compound):
    desk = staff(compound, "dora")
    desk.get("/flats")
    desk.send("/flats", flats="6-101\n<b>合计</b>\n1203", sure="1")
    assert desk.status == 422
    assert "2 lines name no building and number" in desk.page
    assert "&lt;b&gt;合计&lt;/b&gt;" in desk.page
    assert "<b>合计" not in desk.page
    assert "6-101\n" in desk.page
    assert "6-101" not in compound.register.flats()


@pytest.mark.parametrize("name", [name for name, duty in STAFF.items() if not may(duty, Right.PEOPLE)])
def test_who_keeps_no_people_makes_no_flats_and_withdraws_nothing(compound, name):
    Invitations(compound.book).invite(SYSTEM, "3-1203", TieKind.OWNER)
    other = staff(compound, name)
    assert other.get("/flats").status_code == 403
    csrf = other.get("/passkeys").text.split('name="csrf" value="')[1].split('"')[0]
    for path in ("/flats", "/invite", "/invite/withdraw"):
        told = {"csrf": csrf, "flats": "9-9", "sure": "1", "flat": "3-1203"}
        assert other.client.post(path, data=told).status_code == 403
    assert "9-9" not in compound.register.flats()
    assert Invitations(compound.book).withdraw(SYSTEM, ["3-1203"]) == 1


def test_flats_are_made_by_a_command_too(tmp_path):
    listed, site = tmp_path / "flats.txt", tmp_path / "site"
    site.mkdir()
    words = ["hub", "--site", str(site), "community", "flats", str(listed)]
    listed.write_text("3栋1203\n3栋1204\n", "utf-8-sig")
    assert "2 flats made, 2 there now" in CliRunner().invoke(app, words).output
    assert "0 flats made, 2 there now" in CliRunner().invoke(app, words).output
    listed.write_text("3栋1205\n合计\n", "utf-8")
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert "合计" in result.output
    book = open_book(site, None, new_compound(tmp_path).clock)
    assert PeopleRegister(book).flats() == {"3-1203": "3", "3-1204": "3"}
    book.engine.dispose()


def test_a_list_names_each_flat_once():
    fresh, bad = new_flats(["3-1"], "3栋1\n3-2,3幢2室\n\n，x")
    assert (fresh, bad) == ([("3-2", "3", "2")], ["x"])


def test_slips_are_made_for_all_flats_or_for_none_and_those_that_are_lost_are_withdrawn(compound):
    """A flat that is not there, or has three slips, used up the codes of the flats before it, unseen."""
    desk = staff(compound, "dora")
    for _ in range(3):
        desk.get("/people")
        desk.send("/invite", flat="3-1203，3-9999")
        assert desk.status == 422
    desk.get("/people")
    desk.send("/invite", flat="3-1203")
    found = present(re.search(r'class="code">([^<]+)<', desk.page))[1]
    assert Invitations(compound.book).look(found) is not None
    desk.get("/people")
    desk.send("/invite/withdraw", flat="3栋1203 5-101")
    assert "1 invitations withdrawn: 3-1203, 5-101" in desk.page
    assert Invitations(compound.book).look(found) is None
    for flat in ("9-9", "", "\n".join(f"3-{number}" for number in range(41))):
        desk.get("/people")
        desk.send("/invite/withdraw", flat=flat)
        assert desk.status == 422
    desk.get("/people")
    desk.send("/invite", flat="\n".join(f"3-{number}" for number in range(41)))
    assert "At most 40 flats at a time; these are 41" in desk.page


ALSO_ALIKE = (
    *("03-1203", "3-01203", "003栋1203", "\u0663-1203", "3-1203\u3164", "3-12\u034f03", "3栋\u00ad1203"),
)


@pytest.mark.parametrize("typed", ALSO_ALIKE)
def test_no_second_flat_is_made_that_reads_like_one_that_is_there(compound, typed):
    """One household in two flats would have two rings, two sets of notices, and slips for strangers."""
    assert new_flats(compound.register.flats(), typed) == ([], [])
    assert compound.register.flats_in(typed) == ["3-1203"]


def test_letters_of_other_scripts_that_look_alike_make_no_second_flat(compound):
    compound.register.put_flats(SYSTEM, [("A-101", "A", "101")])
    for typed in ("\u0410-101", "\u0391\u5ea7101", "\uff21-0101"):
        assert new_flats(compound.register.flats(), typed) == ([], [])


def test_a_building_keeps_its_spelling(compound):
    """Flats of `03` beside those of `3` would be a building of their own, without doors or notices."""
    fresh, bad = new_flats(compound.register.flats(), "03-1205\n003栋0106室\n07-101\n7栋102")
    assert (fresh, bad) == (
        [("3-1205", "3", "1205"), ("3-0106", "3", "0106"), ("07-101", "07", "101"), ("07-102", "07", "102")],
        [],
    )
    compound.register.put_flats(SYSTEM, fresh)
    desk = staff(compound, "dora")
    desk.get("/notices")
    desk.send("/notices", title_zh="停水", text="明天", ends="2026-03-05T18:00", buildings="7栋, 3")
    (notice,) = NoticeDesk(compound.staff).all()
    assert notice.buildings == ("07", "3")


def test_a_compound_has_only_so_many_flats_whoever_makes_them(compound):
    many = [(f"9-{n}", "9", str(n)) for n in range(MOST_FLATS)]
    with pytest.raises(CommunityRefused):
        compound.register.put_flats(SYSTEM, many)
    assert len(compound.register.flats()) == 3


def test_a_list_of_flats_as_excel_saves_it_in_china_is_read_once_that_was_said(tmp_path):
    """It ended in a Python traceback; nothing is made of a guess, since nobody looks before it counts."""
    path = tmp_path / "flats.txt"
    path.write_bytes("9栋101\n9栋102\n".encode("gb18030"))
    words = ["hub", "--site", str(tmp_path / "site"), "community", "flats", str(path)]
    guessed = CliRunner().invoke(app, words)
    assert "--encoding gb18030" in str(guessed.exception)
    said = CliRunner().invoke(app, [*words, "--encoding", "gb18030"])
    assert said.output == "2 flats made, 2 there now\n"
    path.write_bytes("\ufeff9-103\n".encode())
    assert CliRunner().invoke(app, words).output == "1 flats made, 3 there now\n"
    path.write_bytes(b"9-104\n\xff\xfe\n")
    assert isinstance(CliRunner().invoke(app, words).exception, SyncError)
    path.write_bytes(book_of(["9-105"]))
    assert "a workbook" in str(CliRunner().invoke(app, words).exception)
