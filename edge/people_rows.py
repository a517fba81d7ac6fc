"""Rows of a list of people, as door and property both read them: who is in it, as they were typed.

What is nobody is left out and told: titles above the columns' names, these names again on each page, sums,
and who made the list.
"""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING

from edge.column_names import (
    BLOCK,
    BUILDING,
    FLAT_COLUMNS,
    FLAT_PARTS,
    PEOPLE_COLUMNS,
    UNIT,
    column_name,
    is_unread,
    plain_words,
)
from edge.errors import PanelRefused
from edge.sheet_cells import LAST_MOMENT, NO_END, NOTHING, CellKind, spoiled, typed_cell
from edge.words import message
from edge.workbook.reading import SheetRow

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

MOST_PEOPLE = 20_000
"""As many as a roster may have."""

MOST_TITLES = 20
"""Lines above the columns' names: what the list is called, of when it is, and whose."""

MOST_ROWS = MOST_PEOPLE + 2_000
"""Of a file: the people, and a title, the columns' names and a sum for each page or building."""

MOST_COLUMNS = 500
"""Cells of a line in which names of columns are looked for: a line may have hundreds of thousands."""

UNREAD = "-"
"""What a column that a door has no use for is called here."""

_SEPARATOR = re.compile(r"sep=([,;\t])\r?(?:\n|$)", re.IGNORECASE)
_SEPARATORS = ",;\t，；"
"""The wide ones are typed by hand, with a Chinese keyboard."""
_DOCUMENTS = ("<", "%PDF", "{", "[")
"""Web pages and XML, which other programs' exports call .xls; PDF, RTF, JSON."""
_CELL_ENDS = re.compile(f"[{_SEPARATORS}]")
_HEAD_BYTES = 8192
ZERO_SHARE = 10
"""One byte of ten is zero, at least, in UTF-16: each comma, digit and line end has one."""

_WORD_OF_SUM = (
    r"(?:(?:sub|grand)?-?totals?|(?:本页|本栋|本楼|全部)?(?:合计|小计|总计|共计|累计|总数|总人数|总户数))"
)
_COUNTED = r"(?:人数|户数)?:?[\d.,]*(?:人|户|名|位|people|persons|residents)?"
_SUM = re.compile(rf"{_WORD_OF_SUM}{_COUNTED}|总?共\d+(?:人|户|名|位)(?:\D?\d+(?:人|户|名|位))*")
"""Between two counts `\\D`, not any sign: where it could be a digit, each further `11人` of a long cell would
double the ways in which the pattern can be tried."""
_COUNT = re.compile(rf"{_SUM.pattern}|[\d.,]+(?:人|户|名|位|套|间|people|persons|residents)?|=.*")
"""What stands beside the word for a sum: more such words, numbers, a formula."""
_FOOT = re.compile(
    r"(?:制表|填表|填报|编制|审核|复核|审批|负责|经办|统计|打印|更新|截止|联系)(?:人|者|日期|时间|部门|单位|电话)?:"
    r"|(?:备注|说明|注|日期|date|notes?|remarks?|(?:prepared|printed|checked)(?:by|on)?):"
    r"|第\d+页|共\d+页|page\d+(?:of\d+)?$"
)
"""Below a list: who made it and when, notes, the page's number."""

LOST = "\N{REPLACEMENT CHARACTER}"
MISREAD_SHARE = 10
"""One name of ten, at least: of a list that was spoiled, half of the Chinese ones can still be told."""

_NAMES_BUILDING = re.compile(r"[栋幢座楼]")
"""3栋1203 in the flat's own column: nothing is put before it."""
_BARE_PART = re.compile(r"[\da-zA-Z一二三四五六七八九十]+")

DAYS = frozenset({"valid_from", "valid_until"})
ALWAYS_MEANT = frozenset({"id", "name", "extended_unlock"})
"""In these columns a 无 is an answer, or a name."""


def require_names_as_typed(names: Collection[str]) -> None:
    """Refuse a list whose names a program spoiled: it took UTF-8 for another encoding, and saved what it saw.

    李伟 became 鏉庝紵, Müller MÃ¼ller, and what had no sign there a \ufffd. One of 60,000 names in Chinese is
    such text by chance, so one alone is believed. Raises `PanelRefused`.
    """
    beyond = [name for name in names if not name.isascii()]
    spoiled_names = [name for name in beyond if _is_misread(name)]
    lost = [name for name in beyond if LOST in name]
    if lost or (len(spoiled_names) > 1 and MISREAD_SHARE * len(spoiled_names) >= len(beyond)):
        raise PanelRefused(message("list.misread", text=(lost + spoiled_names)[0][:40]))


def _is_misread(name: str) -> bool:
    # Encoding with the wrong table and decoding as UTF-8 undoes what the other program did.
    for encoding, first in (("gb18030", "\u3400"), ("cp1252", "\0")):
        try:
            meant = name.encode(encoding).decode()
        except UnicodeError:
            continue
        if meant != name and min(meant) >= first and meant.isprintable():
            return True
    return False


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A line that is nobody, as it stands there."""

    line: int
    text: str


@dataclass(slots=True)
class PeopleRows:
    """The rows of people below `header`, what each column is called there; taken once.

    `unread` are columns that a door has no use for, as the list calls them. `left_out` is whole when all rows
    were taken.
    """

    header: tuple[str, ...]
    line: int
    unread: tuple[str, ...]
    left_out: list[LeftOut]
    _below: Iterable[SheetRow] = field(default=())

    def __iter__(self) -> Iterator[SheetRow]:
        """Give the rows that may be somebody."""
        for row in self._below:
            if _is_heading(row.cells) or _is_sum(self.header, row.cells):
                self.left_out.append(_left_out(row))
            else:
                yield row


def people_rows(rows: Iterable[SheetRow]) -> PeopleRows:
    """Return the rows below the one that names the columns: of the first 21 the first that names only them.

    Without one it is that with most of their names, and where none names any, the first with more than one
    text, which a refusal can name. Raises `PanelRefused` when there is nothing at all.
    """
    below = iter(rows)
    first = list(islice(below, MOST_TITLES + 1))
    if not first:
        raise PanelRefused(message("list.empty"))
    # `-n`: of equally good lines the first.
    at = max(range(len(first)), key=lambda n: (*_fitness(first[n].cells), -n))
    names = tuple(map(column_name, first[at].cells))
    columns = [(cell.strip(), name) for cell, name in zip(first[at].cells, names, strict=True)]
    are_parts_read = bool(FLAT_COLUMNS & set(names))  # beside a number of their own a building says nothing
    ignored = {name for name in names if is_unread(name) or (name in FLAT_PARTS and not are_parts_read)}
    unread = tuple(cell for cell, name in columns if name in ignored)
    header = tuple(UNREAD if name in ignored else PEOPLE_COLUMNS.get(name, cell) for cell, name in columns)
    titles = [_left_out(row) for row in first[:at]]
    return PeopleRows(header, first[at].number, unread, titles, chain(first[at + 1 :], below))


def text_rows(text: str) -> Iterator[SheetRow]:
    """Give the lines of CSV with something in them, each with its number in the file.

    What parts its cells is what a line `sep=;` says, else the sign with which a line of the first ones names
    most columns. Raises `PanelRefused` for a line that is no CSV, and for more lines than a list may have.
    """
    if text.lstrip().startswith(_DOCUMENTS):
        raise PanelRefused(message("list.document"))
    told = _SEPARATOR.match(text)
    separator = told[1] if told else max(_SEPARATORS, key=lambda sign: _most_named(text, sign))
    for count, row in enumerate(_parted(text, separator)):
        if count > MOST_ROWS:
            raise PanelRefused(message("list.too_many", most=MOST_PEOPLE))
        if not (told and row.number == 1):
            yield row


def utf16_of(data: bytes) -> str | None:
    """Return which UTF-16 a list is, by its mark or by the zeros beside its plain signs; None: none."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    head = data[:_HEAD_BYTES]
    even, odd = head[::2].count(0), head[1::2].count(0)
    if (even + odd) * ZERO_SHARE < len(head) or (even and odd):
        return None
    return "utf-16-be" if even else "utf-16-le" if odd else None


def names_columns_as(data: bytes, encoding: str) -> bool:
    """Return whether one of the first lines names columns of a list in Chinese, read as this encoding."""
    lines = re.split(rb"[\r\n]+", data[:_HEAD_BYTES])[: MOST_TITLES + 1]
    cells = (cell for line in lines for cell in _CELL_ENDS.split(line.decode(encoding, "replace")))
    return any(not cell.isascii() and column_name(cell.strip('"')) in PEOPLE_COLUMNS for cell in cells)


def _parted(text: str, separator: str) -> Iterator[SheetRow]:
    # newline="": line ends inside quoted cells must reach the reader as they are. strict: a quote in the
    # wrong place is an error, where it would otherwise swallow the lines up to the next quote.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise PanelRefused(message("list.broken", line=line)) from error
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield SheetRow(line, cells, is_parted=True)
        line = reader.line_num + 1


def _most_named(text: str, separator: str) -> int:
    try:
        return max(_named(row.cells) for row in islice(_parted(text, separator), MOST_TITLES + 1))
    except (PanelRefused, ValueError):  # no line at all, or none that is CSV
        return 0


def _fitness(cells: Sequence[str]) -> tuple[bool, int, bool]:
    """Return what makes a row the one that names the columns: names alone; else many; else no title."""
    is_heading = _is_heading(cells)
    return is_heading, 0 if is_heading else _named(cells), len({cell.strip() for cell in cells} - {""}) > 1


def _is_heading(cells: Iterable[str]) -> bool:
    """Return whether a row names columns, one of them a person's, and nothing else."""
    is_one_a_person_s = False
    for cell in filter(str.strip, islice(cells, MOST_COLUMNS)):
        name = column_name(cell)
        is_one_a_person_s |= name in PEOPLE_COLUMNS
        if name not in PEOPLE_COLUMNS and not is_unread(name):
            return False
    return is_one_a_person_s


def _named(cells: Iterable[str]) -> int:
    """Return how many columns a row names, 0 where none of them is one of a person's."""
    names = {column_name(cell) for cell in islice(cells, MOST_COLUMNS)} - {""}
    own = {PEOPLE_COLUMNS[name] for name in names if name in PEOPLE_COLUMNS}
    return len(own) + sum(map(is_unread, names)) if own else 0


def _is_sum(header: Sequence[str], cells: Sequence[str]) -> bool:
    """Return whether a row is a sum, with nothing but numbers beside it, or says who made the list, or when.

    The word stands at the row's beginning, or where a person's number would be.
    """
    told = [(name, cell) for name, cell in zip(header, cells, strict=False) if cell.strip()]
    marks = {_bare(cell) for name, cell in told[:1] + [one for one in told if one[0] == "id"]}
    if any(_FOOT.match(mark) for mark in marks):
        return True
    if not any(_SUM.fullmatch(mark) for mark in marks):
        return False
    others = {_bare(cell) for name, cell in told if name != UNREAD}
    return all(_COUNT.fullmatch(text) for text in marks | others)


def _bare(cell: str) -> str:
    return plain_words(cell).replace(" ", "").replace("：", ":")


def _left_out(row: SheetRow) -> LeftOut:
    return LeftOut(
        row.number, ", ".join(dict.fromkeys(cell.strip() for cell in row.cells if cell.strip()))[:60]
    )


def given_cells(header: Sequence[str], row: SheetRow) -> dict[str, str]:
    """Return the cells by their column's name. Raises `PanelRefused` where a cell is not what was typed."""
    given: dict[str, str] = {}
    if row.is_parted and _is_parted_otherwise(header, row.cells):
        raise PanelRefused(message("list.other_sign", text=row.cells[0].strip()[:40]))
    nobodys = [cell for n, cell in enumerate(row.cells) if cell.strip() and not "".join(header[n : n + 1])]
    if row.is_parted and nobodys:
        raise PanelRefused(message("list.cells_beyond", text=nobodys[0].strip()[:40]))
    for column, (name, shown) in enumerate(zip(header, row.cells, strict=False)):
        cell = typed_cell(shown).strip()
        kind = row.kinds.get(column) or spoiled(cell)
        if name == UNREAD:
            continue
        if name and kind is not None and not (kind is CellKind.DAY and name in DAYS):
            raise PanelRefused(message(f"list.cell_{kind}", text=cell[:40]))
        if name and (meant := _meant(name, cell)):
            given[name] = meant
    return _with_whole_flat(header, given)


def _with_whole_flat(header: Sequence[str], given: dict[str, str]) -> dict[str, str]:
    """Put building, unit and flat of three columns together as the person's number."""
    parts = {name: given.pop(name, "") for name in (BUILDING, UNIT, BLOCK) if name in header}
    flat = given.get("id", "")
    # The staircase does not count where there is a building: 2-301 of building 1, staircase 2, is not flat
    # 301 of building 2.
    outer = [parts[name] for name in (BLOCK, BUILDING) if name in parts] or list(parts.values())
    whole = tuple(f"{part}-" for part in outer if part)
    if not parts or not flat or _NAMES_BUILDING.search(flat) or flat.startswith(whole):
        return given
    if parts.get(UNIT) and flat.startswith(f"{parts[UNIT]}-"):
        flat = flat.removeprefix(f"{parts[UNIT]}-")
    if missing := [name for name in (BUILDING, BLOCK) if name in parts and not parts[name]]:
        raise PanelRefused(message("list.no_building", name=missing[0], flat=flat[:40]))
    building, unit = (
        part + sign if _BARE_PART.fullmatch(part) else part
        for part, sign in ((parts.get(BUILDING, ""), "栋"), (parts.get(UNIT, ""), UNIT))
    )
    block = f"{parts[BLOCK]}-" if BLOCK in parts else ""
    return given | {"id": f"{block}{building}{unit}{flat}"}


def _is_parted_otherwise(header: Sequence[str], cells: Sequence[str]) -> bool:
    """Return whether a line's only cell holds several: 1203，李伟 in a list whose other lines have commas."""
    return len(header) > 1 == len(cells) and any(sign in cells[0] for sign in _SEPARATORS)


def _meant(name: str, cell: str) -> str:
    """Return a cell without the words for nothing, and for no end, that people write; "" for an empty one."""
    if name in ALWAYS_MEANT or not cell:
        return cell
    words = plain_words(cell)
    if name in DAYS and words in NO_END:
        return LAST_MOMENT if name == "valid_until" else ""
    # "none" as somebody's level is no empty cell: that would give somebody new the level of every resident.
    is_level = name == "access_levels" and any(map(str.isalnum, words))
    return "" if words in NOTHING and not is_level else cell
