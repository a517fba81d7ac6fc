"""Lists as properties print, export and type them: what is nobody, and what people write into cells."""

from zoneinfo import ZoneInfo

import pytest

from facegate_hub.list_encoding import ListEncoding, encoding_of
from facegate_hub.sheets import read_people
from tests.hub.test_sheets import people_of, refusal
from tests.workbook.books import book_of

SHANGHAI = ZoneInfo("Asia/Shanghai")


HEADED = (
    ["3 號樓住戶名單", "", "", "", ""],
    ["單位：陽光物業", "", "日期：2026-12-01", "", ""],
    ["序號", "*編 號（必填）", "姓名", "聯絡電話", "失效日期"],
    ["1", "3-1203", "李偉", "13800138000", "2027-03-31"],
    ["2", "3-1204", "王芳", "13900139000", ""],
    ["", "小計", "2人", "", ""],
    ["序號", "*編 號（必填）", "姓名", "聯絡電話", "失效日期"],
    ["3", "3-1205", "Total", "", ""],
    ["合計", "3", "", "", ""],
    ["製表人：張三", "", "審核：李四", "", ""],
)
"""A list as a property prints it: titles, columns' names on each page, sums, and who made it."""


def as_text(rows, separator, encoding):
    return "\r\n".join(separator.join(row) for row in rows).encode(encoding)


@pytest.mark.parametrize(
    "data",
    [
        book_of(*HEADED),
        as_text(HEADED, ",", "utf-8-sig"),
        as_text(HEADED, ",", "gb18030"),
        as_text(HEADED, ",", "big5"),
        as_text(HEADED, ";", "utf-8"),
        as_text(HEADED, "\t", "utf-8"),
        as_text(HEADED, "，", "utf-8"),
        as_text(HEADED, ",", "utf-8").replace(b"\r\n", b"\r"),
    ],
    ids=["workbook", "excel utf-8", "gb18030", "big5", "semicolons", "tabs", "wide commas", "old mac"],
)
def test_what_is_nobody_in_a_printed_list_is_left_out_and_told(data):
    read = read_people(data, zone=SHANGHAI)
    assert [(one["id"], one["name"]) for one in read.records] == [
        ("3-1203", "李偉"),
        ("3-1204", "王芳"),
        ("3-1205", "Total"),
    ]
    assert [one.line for one in read.left_out] == [1, 2, 6, 7, 9, 10]
    assert read.left_out[-2].text == "合計, 3"
    assert read.unread == ("序號", "聯絡電話")
    assert "13800138000" not in str(read.records), "no door keeps a telephone's number"


@pytest.mark.parametrize("mark", [",,\r\n", "\r\n\r\n", "sep=,\r\n住户名单\r\n"])
def test_a_list_may_begin_with_nothing(mark):
    assert people_of(f"{mark}楼栋/房号,姓名\n3-1,李伟\n".encode()) == [{"id": "3-1", "name": "李伟"}]


@pytest.mark.parametrize(
    ("last", "is_somebody"),
    [
        ("Total,", False),
        ("Grand total:,325 people", False),
        ("总计：325人,", False),
        (",合计", False),
        ("编号,姓名", False),
        ("共 2 户 5 人,", False),
        ("合计,=COUNTA(B2:B9)", False),
        ("第 1 页 共 3 页,", False),
        ("Page 1 of 3,", False),
        ("备注：车位另计,", False),
        ("3-1,Total", True),
        ("total,Anna", True),
        ("共青团,王", True),
        ("Page,Jimmy", True),
        ("3-2,合计", True),
    ],
)
def test_a_sum_is_nobody_and_whoever_is_only_called_so_is_somebody(last, is_somebody):
    read = read_people(f"id,name\na,Anna\n{last}\n".encode())
    assert (len(read.records), len(read.left_out)) == ((2, 0) if is_somebody else (1, 1))


def test_people_above_a_second_heading_are_people_and_of_two_lines_of_headings_the_finer_counts():
    read = read_people("id,name\na,Anna\n编号,姓名,电话\nb,Bob\n".encode())
    assert [one["id"] for one in read.records] == ["a", "b"]
    assert [one.line for one in read.left_out] == [3]
    merged = "编号,姓名,有效期,有效期\n编号,姓名,生效日期,失效日期\n3-1,李伟,2027-01-01,2027-12-31\n"
    (person,) = people_of(merged.encode(), zone=SHANGHAI)
    assert person["valid_from"] == "2027-01-01T00:00:00+08:00"


@pytest.mark.parametrize("mark", ["utf-16-le", "utf-16-be"])
def test_what_spreadsheets_call_unicode_text_is_read(mark):
    data = "\ufeff编号\t姓名\r\n3-1\t李伟\r\n".encode(mark)
    assert encoding_of(data) == ListEncoding("UTF-16")
    assert people_of(data) == [{"id": "3-1", "name": "李伟"}]


@pytest.mark.parametrize("kind", ["utf-16-le", "utf-16-be"])
def test_unicode_text_without_its_mark_is_read(kind):
    data = "编号,姓名\r\n3-1,李伟\r\n".encode(kind)
    assert encoding_of(data) == ListEncoding(kind.upper())
    assert people_of(data) == [{"id": "3-1", "name": "李伟"}]
    assert encoding_of(b"id,name\n3-1,Li\0Wei of flat 3-1\n") == ListEncoding("UTF-8")


@pytest.mark.parametrize(
    "day", ["２０２７－３－３１", "2027–03–31", "2027年３月３１日", "２０２７／３／３１"]
)
def test_a_day_is_read_as_chinese_keyboards_and_word_processors_write_it(day):
    (person,) = people_of(f"编号,姓名,有效期至\n3-1,李伟,{day}\n".encode(), zone=SHANGHAI)
    assert person["valid_until"] == "2027-04-01T00:00:00+08:00"


@pytest.mark.parametrize(
    "data", ["<html><table><td>编号</td></table>".encode(), b'<?xml version="1.0"?>', b"%PDF-1.7"]
)
def test_a_document_that_is_called_a_list_is_told_so(data):
    assert "another document" in refusal(data)


def test_a_line_that_is_parted_by_another_sign_is_nobody_s_number():
    assert "line 2: “1203，李伟” is not parted like the other lines" in refusal(
        "编号,姓名\n1203，李伟\n1204,王芳\n".encode()
    )


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("长期", {"valid_until": "9999-12-31T00:00Z"}),
        ("長期有效", {"valid_until": "9999-12-31T00:00Z"}),
        ("Forever", {"valid_until": "9999-12-31T00:00Z"}),
        *((sign, {}) for sign in ("无", "-", "——", "/", "N/A", "")),
    ],
)
def test_what_people_write_for_no_end_and_for_nothing(cell, told):
    assert people_of(f"编号,姓名,有效期至\n1,李伟,{cell}\n".encode()) == [{"id": "1", "name": "李伟"} | told]
    assert people_of(f"编号,姓名,生效日期\n1,无,{cell}\n".encode()) == [{"id": "1", "name": "无"}]


@pytest.mark.parametrize(
    ("cell", "is_slow"), [("√", True), ("Y", True), ("１", True), ("×", False), ("无", False)]
)
def test_what_people_write_for_yes_and_no(cell, is_slow):
    (person,) = people_of(f"编号,姓名,延长开门\n1,李伟,{cell}\n".encode())
    assert person["extended_unlock"] is is_slow


def test_a_column_that_may_be_a_slip_is_refused_and_no_title_hides_it():
    assert "line 2: column “valid_untl” is unknown" in refusal(b"List\nid,name,valid_untl\na,A,2027-01-01\n")
    assert "片区" in refusal("片区,房号,姓名\n3,1203,李伟\n".encode())


@pytest.mark.parametrize(
    ("listed", "ids"),
    [
        ("楼栋,单元,房号,姓名\n3,2,1203,李伟\n3栋,一单元,1204,王芳\n", ["3栋2单元1203", "3栋一单元1204"]),
        ("栋号,房号,姓名\n5号楼,301,李伟\n3,3栋1203,王芳\n", ["5号楼301", "3栋1203"]),
        ("楼栋,单元,房号,姓名\n1,2,2-301,李伟\n5,2,2-301,王芳\n", ["1栋2单元301", "5栋2单元301"]),
        ("Building,Flat,Name\nA,12-03,Ann\nA,A-1204,Bob\n", ["A-12-03", "A-1204"]),
        ("編號,樓棟,姓名\n77,3,李偉\n", ["77"]),
    ],
    ids=["building, unit, flat", "written in part", "staircase twice", "english", "a number of their own"],
)
def test_building_unit_and_flat_in_columns_of_their_own_are_one_number(listed, ids):
    assert [one["id"] for one in people_of(listed.encode())] == ids


def test_the_building_of_a_list_is_told_as_unread_where_people_have_numbers_of_their_own():
    assert read_people("编号,楼栋,姓名\n77,3,李伟\n".encode()).unread == ("楼栋",)


def test_a_flat_without_its_building_is_refused_by_its_line():
    """Flat 101 of no building would be enrolled, and another building's 101 would be the same person."""
    told = refusal("楼栋,房号,姓名\n3,101,李伟\n,101,王芳\n".encode())
    assert "line 3" in told
    assert "101" in told
    assert "楼栋" in told


def test_a_cell_that_is_made_to_be_read_for_hours_is_read_at_once():
    """While a pattern tries a cell in all its ways, every other page of the process stands still."""
    counts = ("总共1人" + "11人" * 60 + "x", "总共1人" + " 1人" * 5000 + "x")
    hostile = (*counts, "(" * 130_000, "姓名" + "[" * 130_000)
    for cell in hostile:
        assert people_of(f"姓名,房号\n李伟,3-1203\n{cell[:60]},3-1204\n".encode()) != []
        assert refusal(f"{cell},房号,{cell}\n李伟,3-1203\n".encode())
        assert refusal(f"房号,姓名\n{cell},\n".encode())
