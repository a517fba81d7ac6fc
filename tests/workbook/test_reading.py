"""Workbooks: what a cell shows is what is read, and nothing of a hostile file runs, grows or is fetched."""

from __future__ import annotations

import io
import zipfile
from contextlib import suppress
from datetime import date, datetime, time

import pytest
from openpyxl import load_workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from edge.errors import PanelRefused
from edge.sheet_cells import CellKind
from edge.workbook.numbers import is_day
from edge.workbook.reading import is_workbook, read_workbook
from tests.workbook.books import LINK, LINKS, book_of, by_hand


def texts(data):
    return [list(row.cells) for row in read_workbook(data, 100).rows]


def formatted(code):
    def prepare(book, sheet):
        sheet["A1"].number_format = code

    return prepare


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (1203.0, "General", "1203"),
        (1203, "0.00", "1203"),
        (101, "0000", "0101"),
        (1203, '"3-"0000', "3-1203"),
        (1203, '0000"室"', "1203室"),
        (13800138000, "General", "13800138000"),
        (0.1 + 0.2, "General", "0.3"),
        (-3, "0000", "-3"),
        ("３栋1203", "General", "３栋1203"),
        (" 1203 ", "@", " 1203 "),
        (True, "General", "true"),
        (date(2027, 3, 31), "yyyy/m/d", "2027-03-31"),
        (date(2027, 3, 31), 'yyyy"年"m"月"d"日"', "2027-03-31"),
        (datetime(2027, 3, 31, 9, 5), "[$-804]yyyy/m/d h:mm", "2027-03-31 09:05:00"),  # noqa: DTZ001
        (datetime(2027, 3, 31, 9, 5, 0, 400), "yyyy-mm-dd hh:mm", "2027-03-31 09:05:00"),  # noqa: DTZ001
        (time(9, 30), "h:mm", "09:30:00"),
        (45, "[Red]0", "45"),
    ],
)
def test_a_cell_is_what_it_shows(value, code, shown):
    assert texts(book_of([value], prepare=formatted(code))) == [[shown]]


def test_days_of_the_calendar_that_old_macs_have():
    def prepare(book, sheet):
        book.epoch = CALENDAR_MAC_1904

    assert texts(book_of([date(2027, 3, 31)], prepare=prepare)) == [["2027-03-31"]]


def test_formats_of_chinese_spreadsheets_are_days_by_their_number():
    styles = (
        '<styleSheet><cellStyleXfs><xf numFmtId="0"/></cellStyleXfs>'
        '<cellXfs><xf numFmtId="0"/><xf numFmtId="31"/></cellXfs></styleSheet>'
    )
    links = LINK.format("r1", "worksheet", "worksheets/sheet1.xml") + LINK.format("r2", "styles", "/xl/s.xml")
    parts = {"xl/_rels/workbook.xml.rels": LINKS.format(links), "xl/s.xml": styles}
    data = by_hand('<row><c s="1"><v>46477</v></c><c><v>46477</v></c></row>', **parts)
    (row,) = read_workbook(data, 100).rows
    assert list(row.cells) == ["2027-03-31", "46477"]
    assert row.kinds == {0: CellKind.DAY}


@pytest.mark.parametrize(
    "code", ["General", "0", "@", "#,##0.00", '"days: "0', "[Red]0", "0_h", r"0\d", "0;yyyy"]
)
def test_what_is_no_format_of_days(code):
    assert not is_day(code)


@pytest.mark.parametrize("code", ["yyyy", "[h]:mm", "m/d", "上午/下午h时", "[$-411]ge.m.d", "mm:ss"])
def test_what_is_a_format_of_days(code):
    assert is_day(code)


def test_of_a_formula_the_kept_result_counts_and_one_without_is_told():
    rows = (
        '<row><c t="str"><f>A2&amp;"x"</f><v>3-1203</v></c><c><f>1200+3</f><v>1203</v></c><c><f>1+1</f></c>'
        '<c t="e"><f>1/0</f><v>#DIV/0!</v></c><c t="str"><f>""</f><v></v></c></row>'
    )
    (row,) = read_workbook(by_hand(rows), 100).rows
    assert list(row.cells) == ["3-1203", "1203", "", "#DIV/0!", ""]
    assert row.kinds == {2: CellKind.UNCOUNTED, 3: CellKind.ERROR}


def test_digits_that_the_spreadsheet_has_lost_are_told():
    (row,) = read_workbook(book_of([110101199001011234]), 100).rows
    assert row.kinds == {0: CellKind.CUT}


def test_rows_keep_the_numbers_they_have_in_the_sheet():
    rows = (
        '<row r="2"><c r="B2" t="inlineStr"><is><t>a</t></is></c></row>'
        '<row r="7"><c r="A7"><v>1</v></c></row>'
        "<row><c/><c><v>2</v></c></row>"
    )
    assert [(row.number, list(row.cells)) for row in read_workbook(by_hand(rows), 100).rows] == [
        (2, ["", "a"]),
        (7, ["1"]),
        (8, ["", "2"]),
    ]


def test_text_in_pieces_and_with_readings_is_one_text():
    rows = (
        '<row><c t="inlineStr"><is><r><t>李</t></r><r><t>伟_x000D_</t></r>'
        '<rPh sb="0" eb="1"><t>LI</t></rPh></is></c></row>'
    )
    assert texts(by_hand(rows)) == [["李伟\r"]]


def test_a_merged_cell_stands_in_every_place_that_it_covers():
    def prepare(book, sheet):
        sheet.merge_cells("B2:B3")
        sheet.merge_cells("A1:C1")

    data = book_of(["住户名单"], ["a", "resident", "x"], ["b", None, "y"], ["c"], prepare=prepare)
    assert texts(data) == [["住户名单"] * 3, ["a", "resident", "x"], ["b", "resident", "y"], ["c"]]


def test_the_first_visible_sheet_with_something_in_it_is_read_and_the_others_named():
    def prepare(book, sheet):
        sheet.sheet_state = "hidden"
        book.create_sheet("空")
        book.create_sheet("住户").append(["3-1203"])
        book.create_sheet("车位").append(["A-1"])
        book["住户"].append(["3-1204"])
        book["住户"].row_dimensions[2].hidden = True

    sheet = read_workbook(book_of(["secret"], prepare=prepare), 100)
    assert (sheet.name, sheet.others, sheet.hidden) == ("住户", ("空", "车位"), 1)
    assert [row.cells for row in sheet.rows] == [["3-1203"], ["3-1204"]]


def test_an_empty_workbook_has_no_rows():
    assert read_workbook(book_of(), 100).rows == ()


def test_strict_workbooks_are_read_too():
    data = by_hand('<row><c t="d"><v>2027-03-31T00:00:00</v></c></row>')
    with zipfile.ZipFile(io.BytesIO(data)) as before:
        files = {name: before.read(name).decode() for name in before.namelist()}
    moved = {
        name: text.replace(
            "http://schemas.openxmlformats.org/officeDocument/2006",
            "http://purl.oclc.org/ooxml/officeDocument",
        )
        for name, text in files.items()
    }
    assert texts(by_hand("", **moved)) == [["2027-03-31"]]


DOCTYPE = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
CELL = '<row><c t="inlineStr"><is><t>&a;</t></is></c></row>'


def zipped(count):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for n in range(count):
            archive.writestr(f"{n}.xml", b"")
    return out.getvalue()


def sheet_with(before, rows):
    data = by_hand(rows)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        text = archive.read("xl/worksheets/sheet1.xml").decode()
    return by_hand("", **{"xl/worksheets/sheet1.xml": before + text})


def locked(data):
    """As an archive with a password says of its files."""
    return data.replace(b"PK\x03\x04\x14\x00\x00", b"PK\x03\x04\x14\x00\x01").replace(
        b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01"
    )


TEXTS = {
    "xl/_rels/workbook.xml.rels": LINKS.format(
        LINK.format("r1", "worksheet", "worksheets/sheet1.xml") + LINK.format("r2", "sharedStrings", "t.xml")
    ),
    "xl/t.xml": "<sst><si><t>a</t></si></sst>",
}
GOOD = by_hand("<row><c><v>1</v></c></row>")

REFUSED = {  # what is large is made by its test: to make them all would cost whoever only looks for tests
    "entities": (sheet_with(DOCTYPE, CELL), "list.workbook"),
    "a file outside": (sheet_with(OUTSIDE, CELL), "list.workbook"),
    "a bomb": (lambda: by_hand("<row/>" * (9 << 20)), "list.workbook_size"),
    "a bomb of a text": (
        lambda: by_hand(f'<row><c t="inlineStr"><is><t>{"a" * (49 << 20)}</t></is></c></row>'),
        "list.workbook_size",
    ),
    "many files": (lambda: zipped(6000), "list.workbook_size"),
    "many columns": (by_hand('<row><c r="BM1"><v>1</v></c></row>'), "list.workbook_size"),
    "many rows": (by_hand("<row><c><v>1</v></c></row>" * 101), "list.too_many"),
    "many ranges": (
        by_hand("", "<mergeCells>" + '<mergeCell ref="A1:A9"/>' * 5001 + "</mergeCells>"),
        "list.workbook_size",
    ),
    "overlapping ranges": (
        by_hand(
            "<row><c><v>1</v></c></row>" * 50,
            "<mergeCells>" + '<mergeCell ref="A1:XFD1048576"/>' * 99 + "</mergeCells>",
        ),
        "list.workbook",
    ),
    "a text that is not there": (by_hand('<row><c t="s"><v>7</v></c></row>'), "list.workbook"),
    "a text before the first": (by_hand('<row><c t="s"><v>-1</v></c></row>', **TEXTS), "list.workbook"),
    "no number": (by_hand("<row><c><v>one</v></c></row>"), "list.workbook"),
    "no row": (by_hand('<row r="x"><c><v>1</v></c></row>'), "list.workbook"),
    "no cell": (by_hand('<row><c r="1A"><v>1</v></c></row>'), "list.workbook"),
    "no range": (
        by_hand("<row><c><v>1</v></c></row>", '<mergeCells><mergeCell ref="A:B"/></mergeCells>'),
        "list.workbook",
    ),
    "no XML": (by_hand("<row>"), "list.workbook"),
    "no sheet": (
        by_hand(
            "", **{"xl/_rels/workbook.xml.rels": LINKS.format(LINK.format("r1", "worksheet", "gone.xml"))}
        ),
        "list.workbook",
    ),
    "cut off": (GOOD[: len(GOOD) // 2], "list.workbook"),
    "another archive": (zipped(3), "list.workbook"),
    "only the letters": (b"PK\x03\x04 a workbook", "list.workbook"),
    "a password of the archive": (locked(GOOD), "list.workbook"),
    "an old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "list.old_workbook"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_list_is_refused(name):
    made, code = REFUSED[name]
    data = made() if callable(made) else made
    assert is_workbook(data)
    with pytest.raises(PanelRefused) as refusal:
        read_workbook(data, 100)
    assert refusal.value.message.id == code


def test_an_endless_number_format_holds_nobody_up():
    """Read whole, these two million signs take half an hour and more: the limit of a test ends it."""
    styles = (
        f'<styleSheet><numFmts><numFmt numFmtId="170" formatCode="{"[" * 2_000_000}"/></numFmts>'
        '<cellXfs><xf numFmtId="170"/></cellXfs></styleSheet>'
    )
    links = LINK.format("r1", "worksheet", "worksheets/sheet1.xml") + LINK.format("r2", "styles", "s.xml")
    parts = {"xl/_rels/workbook.xml.rels": LINKS.format(links), "xl/s.xml": styles}
    (found,) = read_workbook(by_hand("<row><c><v>1203</v></c></row>", **parts), 100).rows
    assert list(found.cells) == ["1203"]


@pytest.mark.parametrize("row", ["nan", "inf", "-1", "1e9"])
def test_numbers_that_are_no_days_are_errors(row):
    styles = '<styleSheet><cellXfs><xf numFmtId="14"/></cellXfs></styleSheet>'
    links = LINK.format("r1", "worksheet", "worksheets/sheet1.xml") + LINK.format("r2", "styles", "s.xml")
    parts = {"xl/_rels/workbook.xml.rels": LINKS.format(links), "xl/s.xml": styles}
    (found,) = read_workbook(by_hand(f"<row><c><v>{row}</v></c></row>", **parts), 100).rows
    assert found.kinds == {0: CellKind.ERROR}


def test_every_byte_of_a_workbook_may_be_wrong():
    """Whatever is changed, it is read or refused in words."""
    data = book_of(["id", "name"], ["3-1203", "李伟"], [1203.0, date(2027, 3, 31)])
    assert load_workbook(io.BytesIO(data)).active["A2"].value == "3-1203"
    for place in range(0, len(data), 7):
        broken = bytearray(data)
        broken[place] ^= 0x55
        if is_workbook(bytes(broken)):
            with suppress(PanelRefused):
                read_workbook(bytes(broken), 100)
