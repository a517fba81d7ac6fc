"""Workbooks for tests: as openpyxl writes them, and put together by hand where that one would refuse."""

from __future__ import annotations

import io
import zipfile

from openpyxl import Workbook

TYPES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
LINKS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>'
)
LINK = '<Relationship Id="{}" Type="' + TYPES + '/{}" Target="{}"/>'
BOOK = (
    '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="' + TYPES + '">'
    '<sheets><sheet name="List" sheetId="1" r:id="r1"/></sheets></workbook>'
)
SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    "<sheetData>{}</sheetData>{}</worksheet>"
)


def book_of(*rows, prepare=lambda book, sheet: None):
    """Return the bytes of a workbook with these rows; `prepare` (book, sheet) has the last word."""
    book = Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(row)
    prepare(book, sheet)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def by_hand(rows, more="", **parts):
    """Return the bytes of a workbook with this XML of rows, and other parts by path."""
    files = {
        "_rels/.rels": LINKS.format(LINK.format("r1", "officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": BOOK,
        "xl/_rels/workbook.xml.rels": LINKS.format(LINK.format("r1", "worksheet", "worksheets/sheet1.xml")),
        "xl/worksheets/sheet1.xml": SHEET.format(rows, more),
        **parts,
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return out.getvalue()
