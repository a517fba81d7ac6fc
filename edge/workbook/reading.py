"""A workbook's bytes to the rows of its first sheet.

A reader of our own and no library: it runs in the door's process, on a file that anybody may have made. It
reads five kinds of parts, each in pieces and all to a limit, refuses every document type (so there are no
entities to expand or to fetch), follows no link out of the file and runs no formula.
"""

from __future__ import annotations

import io
import posixpath
import struct
import zipfile
import zlib
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar
from xml.parsers import expat

from edge.errors import PanelRefused
from edge.sheet_cells import CellKind
from edge.words import message
from edge.workbook.numbers import shown_number
from edge.workbook.parts import MOST_COLUMNS, Elements, Formats, SharedTexts, SheetCells, corners

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from edge.workbook.parts import RawCell, WorkbookPart

_OnePart = TypeVar("_OnePart", bound="WorkbookPart")

MOST_BYTES = 48 << 20
"""Unpacked, of all parts that are read. 20,000 people in six columns take about 8 MB."""

MOST_DIRECTORY_BYTES = 256 << 10
"""Of the archive's table of contents: some 3,000 files, where a workbook has twenty."""

MOST_TAGS = 1_500_000
"""Each costs some microseconds and needs five bytes. 20,000 people in six columns have 260,000."""

PIECE_BYTES = 64 << 10

_END, _END_64, _LOCATOR_BYTES = b"PK\x05\x06", b"PK\x06\x07", 20
_BROKEN = (
    *(zipfile.BadZipFile, zlib.error, expat.ExpatError, EOFError, NotImplementedError),
    *(LookupError, ValueError, OverflowError, RuntimeError),  # what the parts say of themselves is not so
)


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row: its number in the file, what its cells show, and what is to be known of a cell, by column.

    `is_parted`: a line of text, parted at signs that a cell may hold, too.
    """

    number: int
    cells: Sequence[str]
    kinds: Mapping[int, CellKind] = field(default_factory=lambda: MappingProxyType({}))
    is_parted: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """The sheet that was read. `others` are visible sheets that were not, `hidden` counts hidden rows."""

    name: str
    rows: tuple[SheetRow, ...] = ()
    others: tuple[str, ...] = ()
    hidden: int = 0


def is_workbook(data: bytes) -> bool:
    """Return whether a file is an archive as workbooks are, or what spreadsheets wrote before 2007."""
    return data.startswith((b"PK", b"\xd0\xcf\x11\xe0"))


def read_workbook(data: bytes, most_rows: int) -> Sheet:
    """Return the first visible sheet of an .xlsx file that has something in it.

    Of a formula it is the result that the spreadsheet kept; the text of a merged cell stands in each cell
    that it covers, as people read it; hidden rows are read, too. Raises `PanelRefused` for another kind of
    file, a broken one, one that is larger than a list of people, and more than `most_rows` rows.
    """
    if not data.startswith(b"PK"):
        raise PanelRefused(message("list.old_workbook"))
    try:
        _check_directory(data)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _Workbook(archive).first_sheet(most_rows)
    except PanelRefused:
        raise
    except _BROKEN as error:
        raise PanelRefused(message("list.workbook")) from error


def _check_directory(data: bytes) -> None:
    """Refuse a table of contents whose entries alone would fill the memory, before it is read."""
    at = data.rfind(_END)
    # Twelve bytes into the closing record stands how long the table is. Where a locator (ZIP64) comes before
    # it, this stands elsewhere; no list of people is that large.
    (size,) = struct.unpack_from("<I", data, at + 12) if 0 <= at <= len(data) - 22 else (0,)
    if size > MOST_DIRECTORY_BYTES or data[max(0, at - _LOCATOR_BYTES) : at].startswith(_END_64):
        raise PanelRefused(message("list.workbook_size"))


class _Workbook:
    """One open archive, read part by part."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._read_bytes = self._tags = 0

    def first_sheet(self, most_rows: int) -> Sheet:
        main = next(iter(self._links("", "officeDocument").values()))
        book = self._part(main, Elements("sheet", "workbookPr"))
        from_1904 = any(one.get("date1904") in {"1", "true"} for one in book.found("workbookPr"))
        sheets = [one for one in book.found("sheet") if one.get("state", "visible") == "visible"]
        names, places = [one.get("name", "") for one in sheets], self._links(main, "worksheet")
        texts, codes = self._texts(main), self._codes(main)
        for n, one in enumerate(sheets):
            if one.get("id") not in places:
                continue  # a chart's own sheet
            cells = self._part(places[one["id"]], SheetCells(most_rows))
            if cells.rows:
                shown = _Shown(texts, codes, from_1904=from_1904)
                rows = tuple(shown.row(number, row) for number, row in _filled(cells))
                return Sheet(names[n], rows, (*names[:n], *names[n + 1 :]), cells.hidden)
        return Sheet(next(iter(names), ""))

    def _texts(self, main: str) -> Sequence[str]:
        texts = SharedTexts()
        for path in self._links(main, "sharedStrings").values():
            self._part(path, texts)
        return texts.texts

    def _codes(self, main: str) -> Sequence[str]:
        formats = Formats()
        for path in self._links(main, "styles").values():
            self._part(path, formats)
        return formats.codes()

    def _links(self, path: str, kind: str) -> dict[str, str]:
        """Return id -> path of the parts of a kind that a part leads to."""
        folder, name = posixpath.split(path)
        links = self._part(posixpath.join(folder, "_rels", f"{name}.rels"), Elements("Relationship"))
        return {
            one.get("Id", ""): posixpath.normpath(posixpath.join("/", folder, one["Target"])).lstrip("/")
            for one in links.found("Relationship")
            if one.get("Type", "").rpartition("/")[2] == kind and one.get("TargetMode") != "External"
        }

    def _part(self, path: str, part: _OnePart) -> _OnePart:
        # A blank cannot be part of a namespace or name, so `_bare` can cut there.
        reader = expat.ParserCreate(namespace_separator=" ")
        reader.buffer_text = True
        reader.StartDoctypeDeclHandler = _no_document_type
        reader.StartElementHandler = partial(self._start, part)
        reader.EndElementHandler = lambda name: part.end(_bare(name))
        reader.CharacterDataHandler = part.text
        with self._archive.open(path) as packed:
            while piece := packed.read(PIECE_BYTES):
                # Counted as it is unpacked: the sizes in an archive's directory are claims.
                self._read_bytes += len(piece)
                if self._read_bytes > MOST_BYTES:
                    raise PanelRefused(message("list.workbook_size"))
                reader.Parse(piece)
        reader.Parse(b"", True)
        return part

    def _start(self, part: WorkbookPart, name: str, given: dict[str, str]) -> None:
        self._tags += 1
        if self._tags > MOST_TAGS:
            raise PanelRefused(message("list.workbook_size"))
        part.start(_bare(name), {_bare(one): value for one, value in given.items()})


class _Shown:
    """What cells show, by the texts and formats of their workbook."""

    def __init__(self, texts: Sequence[str], codes: Sequence[str], *, from_1904: bool) -> None:
        self._texts, self._codes, self._from_1904 = texts, codes, from_1904

    def row(self, number: int, cells: Mapping[int, RawCell]) -> SheetRow:
        shown = {column: self._cell(cell) for column, cell in cells.items()}
        kinds = {column: kind for column, (_, kind) in shown.items() if kind}
        texts = [shown.get(column, ("", None))[0] for column in range(max(cells) + 1)]
        return SheetRow(number, texts, kinds)

    def _cell(self, cell: RawCell) -> tuple[str, CellKind | None]:
        if cell.kind in {"n", ""}:
            return self._number(cell)
        if cell.kind == "e":
            return cell.value, CellKind.ERROR
        if cell.kind == "d":
            return cell.value.replace("T", " ").removesuffix(" 00:00:00"), CellKind.DAY
        if cell.has_formula and not cell.value and cell.kind != "str":  # a result of "str" may be no text
            return "", CellKind.UNCOUNTED
        return self._text(cell), None

    def _text(self, cell: RawCell) -> str:
        if cell.kind == "s":
            return self._texts[_place(cell.value)]
        if cell.kind == "b":
            return "true" if cell.value == "1" else "false"
        return cell.text if cell.kind == "inlineStr" else cell.value

    def _number(self, cell: RawCell) -> tuple[str, CellKind | None]:
        if not cell.value:
            return "", CellKind.UNCOUNTED
        code = self._codes[cell.style] if 0 <= cell.style < len(self._codes) else ""
        return shown_number(cell.value, code, from_1904=self._from_1904)


def _filled(sheet: SheetCells) -> Iterator[tuple[int, Mapping[int, RawCell]]]:
    """Yield the rows with each merged cell in every place that it covers."""
    left = len(sheet.rows) * MOST_COLUMNS  # ranges do not overlap: together they cover the sheet at most
    numbers = sorted(sheet.rows)
    for row, column, last_row, last_column in map(corners, sheet.merged):
        cell = sheet.rows.get(row, {}).get(column)
        if cell is None:
            continue
        last = min(last_column, MOST_COLUMNS - 1)
        covered = numbers[bisect_left(numbers, row) : bisect_right(numbers, last_row)]
        left -= len(covered) * (last - column + 1)
        if left < 0:
            raise PanelRefused(message("list.workbook"))
        for n in covered:
            sheet.rows[n].update(dict.fromkeys(range(column, last + 1), cell))
    yield from sheet.rows.items()


def _place(text: str) -> int:
    place = int(text)
    if place < 0:
        raise ValueError(f"{text} is no place in a list")
    return place


def _no_document_type(*_: object) -> None:
    raise PanelRefused(message("list.workbook"))


def _bare(name: str) -> str:
    return name.rpartition(" ")[2]
