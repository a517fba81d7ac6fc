"""A list of people: looked at row by row, nothing stored before, nobody lost."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest

from edge.domain import Resident
from edge.store.roster import SOURCE
from edge.web.accounts import Role
from tests.present import present
from tests.workbook.books import book_of, by_hand


def look(browser, data, name="people.csv"):
    browser.get("/people/import")
    return browser.post("/people/import/look", files=[("list", (name, data, "text/csv"))])


def stored(browser, page):
    found = re.search(r'name="list" value="([^"]+)"', page.text)
    assert found is not None
    return browser.post("/people/import/store", list=found[1])


def test_five_thousand_people_with_three_bad_rows(panel):
    rows = [f"{n // 100}-{n},住户 {n},resident,,2027-12-31" for n in range(5000)]
    rows[10], rows[2500], rows[4999] = ",无编号,resident,,", "25-2500,甲,penthouse,,", "1-100,重复,resident,,"
    data = "id,name,access_levels,valid_from,valid_until\n" + "\n".join(rows)
    sam = panel.logged_in("sam", Role.STAFF)

    page = look(sam, data.encode("utf-8-sig"))

    assert page.text.count("data-bad") == 3
    for line, why in (
        (12, "The number is missing"),
        (2502, "no level “penthouse”"),
        (5001, "on line 102 already"),
    ):
        row = re.search(rf"<tr data-bad><td>{line}</td>.*?</tr>", page.text)
        assert row, line
        assert why in row[0]
    assert "<td>2027-12-31</td>" in page.text, "the last day, not the midnight after it"
    assert not panel.desk.residents.list(), "looking stores nothing"
    done = stored(sam, page)
    assert "Stored: 4997 new" in done.text
    assert len(panel.desk.residents.list()) == 4997
    (event,) = panel.events("resident.imported")
    assert event.data == {"by": "sam", "new": 4997, "changed": 0, "left_out": 3}
    assert panel.desk.residents.get("1-100").name == "住户 100", "of two rows the first counts"
    again = look(sam, data.encode("utf-8-sig"))
    assert "There is nothing to store" in again.text


def test_what_a_column_does_not_say_stays(panel):
    old = Resident("a", "Anna", ("resident",), extended_unlock=True)
    panel.desk.residents.put_people([old, Resident("z", "Zoe", ("resident",))])
    sam = panel.logged_in("sam", Role.STAFF)
    stored(sam, look(sam, "编号;姓名\na;安娜\n".encode("gb18030")))
    assert panel.desk.residents.get("a") == Resident("a", "安娜", ("resident",), extended_unlock=True)
    assert panel.desk.residents.get("z").name == "Zoe"


def test_none_as_the_level_of_somebody_new_gives_them_no_right(panel):
    """Left empty it is every resident's level; whoever writes none does not mean that one."""
    sam = panel.logged_in("sam", Role.STAFF)
    page = look(sam, "id,name,access_levels\na,A,none\nb,B,无\nc,C,-\nd,D,\n".encode())
    assert page.text.count("data-bad") == 2
    assert "no level “none”" in page.text
    stored(sam, page)
    assert {one.id: one.access_levels for one in panel.desk.residents.list()} == {
        "c": ("resident",),
        "d": ("resident",),
    }


def test_a_year_that_nobody_can_tell_is_refused_with_what_to_write(panel):
    sam = panel.logged_in("sam", Role.STAFF)
    page = look(sam, "id,name,valid_until\na,A,27/3/31\nb,B,116.3.31\nc,C,民国116年3月31日\n".encode())
    assert page.text.count("Write all four digits of the year") == 2
    stored(sam, page)
    person = panel.desk.residents.get("c")
    assert person.valid_until.astimezone(panel.desk.zone).isoformat()[:19] == "2027-04-01T00:00:00"


def test_building_unit_and_flat_in_columns_of_their_own_are_one_number(panel):
    sam = panel.logged_in("sam", Role.STAFF)
    page = look(sam, "楼栋,单元,房号,姓名\n3,2,1203,李伟\n,1,101,王芳\n".encode())
    assert "no building" in page.text
    stored(sam, page)
    assert [one.id for one in panel.desk.residents.list()] == ["3栋2单元1203"]


def test_an_id_in_an_older_spelling_is_the_same_person(panel):
    panel.desk.residents.put(Resident("3–1203", "Wang"), [])
    sam = panel.logged_in("sam", Role.STAFF)
    for row in ("3–1203,王", "3-1203,王秀兰"):
        assert "0 new" in stored(sam, look(sam, f"id,name\n{row}".encode())).text
    assert [(one.id, one.name) for one in panel.desk.residents.list()] == [("3–1203", "王秀兰")]


def test_a_number_that_is_written_otherwise_is_the_same_person(panel):
    """A list of 3栋1203 made a second 3-1203, who went on getting in when the first was removed."""
    panel.desk.residents.put_people([Resident("3-1203", "李伟"), Resident("3-1204", "王芳")])
    sam = panel.logged_in("sam", Role.STAFF)
    page = look(sam, "编号,姓名,有效期至\n3栋1203,李伟,2027-03-31\n3栋1204,赵敏,\n".encode())
    assert "3栋1203 → 3-1203" in page.text
    assert page.text.count("data-alike") == 1
    assert "3栋1204: 3-1204" in page.text
    stored(sam, page)
    assert [one.id for one in panel.desk.residents.list()] == ["3-1203", "3-1204", "3栋1204"]
    assert panel.desk.residents.get("3-1203").valid_until is not None


def test_somebody_new_whose_number_reads_like_another_one_is_asked_about(panel):
    panel.desk.residents.put_people([Resident("3-1203", "李伟")])
    sam = panel.logged_in("sam", Role.STAFF)
    sam.get("/people/new")
    page = sam.post("/people/new", resident_id="3栋1203", name="李伟")
    assert page.status_code == 422
    assert "reads like 3-1203 (李伟)" in page.text
    assert "3-1203" in sam.get("/residents?q=三栋1203室").text
    sam.get("/people/new")
    sam.post("/people/new", resident_id="3栋1203", name="李强", apart="yes")
    assert [one.id for one in panel.desk.residents.list()] == ["3-1203", "3栋1203"]


def test_the_propertys_people_are_left_to_the_property(panel):
    panel.desk.residents.put(Resident("a", "Anna"), [], source=SOURCE)
    page = look(panel.logged_in("sam", Role.STAFF), b"id,name\na,Other\n")
    assert "the property keeps this record" in page.text
    assert 'name="list" value' not in page.text


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"PK\x03\x04 a workbook", "This workbook cannot be read"),
        (b"\xd0\xcf\x11\xe0 one of before 2007", "an old workbook"),
        (b"", "The file is empty"),
        (b"name\nAnna\n", "No line names the number&#39;s column (id)"),
        (b"id,colour\na,red\n", "Column “colour” is unknown"),
        (b"id,id\na,b\n", "Two columns are the same"),
        (b'id,name\na,"never ends\n', "a quotation mark does not end"),
        (b"\x81\xff\xff id", "cannot be read"),
        ("id,name\na,鏉庝紵\nb,寮犱笁涓\ufffd\n".encode(), "The names are spoiled"),
        (b"id,name\n" + b",nobody\n" * 20_001, "A list may have 20000 people"),
    ],
)
def test_what_is_no_list_is_refused_in_words(panel, data, told):
    answer = look(panel.logged_in("sam", Role.STAFF), data)
    assert answer.status_code == 422
    assert told in answer.text


PRINTED = (
    ["3 號樓住戶名單", "", ""],
    ["編號", "姓名", "電話"],
    ["3-1203", "李偉", "13800138000"],
    ["合計", "1", ""],
)


@pytest.mark.parametrize(
    "data",
    [
        book_of(*PRINTED),
        "\r\n".join(map(",".join, PRINTED)).encode("utf-8-sig"),
        "\r\n".join(map(",".join, PRINTED)).encode("big5"),
    ],
    ids=["workbook", "utf-8", "big5"],
)
def test_titles_sums_and_telephones_are_left_out_and_shown(panel, data):
    sam = panel.logged_in("sam", Role.STAFF)
    page = look(sam, data)
    assert re.findall(r"<li data-left-out>(.*?)</li>", page.text) == [
        "Line 1: 3 號樓住戶名單",
        "Line 4: 合計, 1",
    ]
    assert "Columns that are not kept: 電話" in page.text
    assert "data-bad" not in page.text
    stored(sam, page)
    assert [(one.id, one.name) for one in panel.desk.residents.list()] == [("3-1203", "李偉")]


def test_a_list_is_confirmed_by_who_looked_at_it_and_once(panel):
    sam, ines = panel.logged_in("sam", Role.STAFF), panel.logged_in("ines")
    page = look(sam, b"id\na\n")
    name = present(re.search(r'name="list" value="([^"]+)"', page.text))[1]
    ines.get("/people/import")
    assert ines.post("/people/import/store", list=name).status_code == 422
    assert stored(sam, look(sam, b"id\na\n")).status_code == 200
    assert sam.post("/people/import/store", list=name).status_code == 422


def test_a_right_that_was_taken_back_since_the_list_was_looked_at_does_not_come_back(panel):
    """What a list does not say is kept as it was, and that was read when somebody looked at it."""
    panel.desk.residents.put_people([Resident("a", "Anna", ("resident", "staff"))])
    sam = panel.logged_in("sam", Role.STAFF)
    page = look(sam, b"id,name\na,Anna Li\nb,Bo\n")
    panel.desk.residents.put_people([Resident("a", "Anna", ("resident",))])
    refused = stored(sam, page)
    assert refused.status_code == 422
    assert "1 of these people were changed meanwhile, by somebody else or by the property: a." in refused.text
    assert panel.desk.residents.get("a") == Resident("a", "Anna", ("resident",))
    assert panel.desk.residents.get("b") is None
    stored(sam, look(sam, b"id,name\na,Anna Li\nb,Bo\n"))
    assert panel.desk.residents.get("a") == Resident("a", "Anna Li", ("resident",))


def test_a_list_leaves_who_became_the_propertys_meanwhile(panel):
    sam = panel.logged_in("sam", Role.STAFF)
    page = look(sam, b"id,name\na,Anna\n")
    panel.desk.residents.put(Resident("a", "Anna"), [], source=SOURCE)
    assert stored(sam, page).status_code == 422
    assert panel.desk.residents.source_of("a") == SOURCE


def test_somebody_without_levels_gets_those_of_a_new_person(panel):
    sam = panel.logged_in("sam", Role.STAFF)
    stored(sam, look(sam, b"id,name\na,Anna\n"))
    assert panel.desk.residents.get("a").access_levels == ("resident",)


def test_times_of_spreadsheets_are_the_site_s(panel):
    sam = panel.logged_in("sam", Role.STAFF)
    stored(
        sam,
        look(sam, "房号,姓名,失效日期,\n3-1203,李伟,2027/3/31 9:05,\n3-1204,王芳,2027年3月31日,\n".encode()),
    )
    times = [panel.desk.residents.get(who).valid_until for who in ("3-1203", "3-1204")]
    assert times[1] - times[0] == timedelta(hours=14, minutes=55)


def test_a_workbook_with_three_bad_rows_keeps_the_other_people(panel):
    def prepare(book, sheet):
        sheet.merge_cells("A1:E1")
        sheet.merge_cells("D4:D5")
        sheet["A5"].number_format = "0000"
        sheet.row_dimensions[6].hidden = True
        book.create_sheet("车位").append(["A-1"])

    data = book_of(
        ["3 号楼住户名单"],
        [],
        ["房号", "姓名", "权限组", "失效日期", "延长开门"],
        [1203.0, "李伟", "resident", date(2027, 3, 31), True],
        [101, "王芳", "resident", None, "否"],
        ["3-1204", "赵敏", None, "2027年3月31日", None],
        [date(2026, 3, 12), "钱七", None, None, None],
        ["3-1206", "孙八", "penthouse", None, None],
        ["3-1204", "重复", None, None, None],
        prepare=prepare,
    )
    sam = panel.logged_in("sam", Role.STAFF)

    page = look(sam, data, "名单.xlsx")

    assert page.text.count("data-bad") == 3
    for line, why in (
        (7, "took a cell for a day and shows 2026-03-12"),
        (8, "penthouse"),
        (9, "on line 6 already"),
    ):
        assert why in present(re.search(rf"<tr data-bad><td>{line}</td>.*?</tr>", page.text))[0]
    assert "Not read: 车位" in page.text
    assert "Hidden rows are in the list, too: 1" in page.text
    assert not panel.desk.residents.list(), "looking stores nothing"
    assert "Stored: 3 new" in stored(sam, page).text
    people = {one.id: one for one in panel.desk.residents.list()}
    assert {one: person.name for one, person in people.items()} == {
        "1203": "李伟",
        "0101": "王芳",
        "3-1204": "赵敏",
    }
    assert people["1203"].extended_unlock
    assert len({person.valid_until for person in people.values()}) == 1, "merged, and written as text"


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ('<c t="e"><v>#N/A</v></c>', "shows an error instead of a value: #N/A"),
        ("<c><f>A1</f></c>", "has no result yet"),
        ("<c><v>110101199001011234</v></c>", "15 digits"),
    ],
)
def test_a_cell_that_is_not_what_was_typed_is_a_wrong_row(panel, cell, told):
    header = '<row><c t="inlineStr"><is><t>id</t></is></c></row>'
    page = look(panel.logged_in("sam", Role.STAFF), by_hand(f"{header}<row>{cell}</row>"))
    assert told in page.text
    assert 'name="list" value' not in page.text


def test_a_workbook_in_which_no_column_is_named_is_refused(panel):
    answer = look(panel.logged_in("sam", Role.STAFF), book_of(["List"], ["of people"]))
    assert answer.status_code == 422
    assert "No line names the number&#39;s column (id)" in answer.text


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("1.38E+10,A,resident", "1.38E+10"),
        ("#REF!,A,resident", "shows an error instead of a value: #REF!"),
        ("3月2日,A,resident", "took a cell for a day and shows 3月2日"),
        ("=A1,A,resident", "A formula has no result yet"),
        ("7-1,A,resident,pool", "“pool” stands in no named column"),
    ],
)
def test_a_line_of_text_that_is_not_what_was_typed_is_a_wrong_row(panel, row, told):
    page = look(panel.logged_in("sam", Role.STAFF), f"id,name,access_levels\n{row}\n".encode())
    assert page.text.count("data-bad") == 1
    assert told in page.text


def test_a_day_of_eight_digits_includes_that_day(panel):
    sam = panel.logged_in("sam", Role.STAFF)
    stored(sam, look(sam, b'id,name,valid_until\n="0101",A,20270331\n'))
    (person,) = panel.desk.residents.list()
    assert person.id == "0101"
    assert person.valid_until.astimezone(panel.desk.zone).isoformat()[:19] == "2027-04-01T00:00:00"
