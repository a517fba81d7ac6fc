"""The XML parts of a workbook: each taken event by event, to a limit, never as a tree."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol, TypeVar

from edge.errors import PanelRefused
from edge.words import message
from edge.workbook.numbers import DAY_FORMATS

_Kept = TypeVar("_Kept")

MOST_COLUMNS = 64
MOST_ELEMENTS = 5_000
"""Of a kind that is kept: sheets, links, formats, merged ranges."""

LONGEST_FORMAT = 255
"""Signs of a number format, as spreadsheets allow. A longer one would be read for minutes."""

MOST_TEXTS = 400_000
"""A list of 20,000 people in twenty columns, each cell different."""

_REFERENCE = re.compile(r"([A-Z]{1,3})([1-9]\d{0,6})", re.ASCII)
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


class WorkbookPart(Protocol):
    """What takes a part's elements; names come without their namespace, two are in use for the same words."""

    def start(self, name: str, given: dict[str, str]) -> None:
        """Take the beginning of an element."""

    def end(self, name: str) -> None:
        """Take the end of an element."""

    def text(self, text: str) -> None:
        """Take text inside an element; one text may come in several pieces."""


class Elements:
    """Keeps the attributes of the elements of these names, in order."""

    def __init__(self, *names: str) -> None:
        self._found: dict[str, list[dict[str, str]]] = {name: [] for name in names}

    def found(self, name: str) -> list[dict[str, str]]:
        """Return the attributes of all elements of a name."""
        return self._found[name]

    def start(self, name: str, given: dict[str, str]) -> None:
        """Take the beginning of an element."""
        if name in self._found:
            _add(self._found[name], given, MOST_ELEMENTS)

    def end(self, name: str) -> None:
        """Take the end of an element."""

    def text(self, text: str) -> None:
        """Take text, of which nothing is kept."""


class Formats(Elements):
    """The number formats of cells."""

    def __init__(self) -> None:
        super().__init__("numFmt")
        self._ids: list[int] = []
        self._is_inside = False

    def codes(self) -> list[str]:
        """Return the format's code by the number that cells name it with."""
        given = self.found("numFmt")
        own = {int(one["numFmtId"]): one.get("formatCode", "")[:LONGEST_FORMAT] for one in given}
        return [own.get(one, "yyyy-mm-dd" if one in DAY_FORMATS else "") for one in self._ids]

    def start(self, name: str, given: dict[str, str]) -> None:
        """Take the beginning of an element."""
        if name == "cellXfs":
            self._is_inside = True
        elif name == "xf" and self._is_inside:
            _add(self._ids, int(given.get("numFmtId", "0")), MOST_TEXTS)
        super().start(name, given)

    def end(self, name: str) -> None:
        """Take the end of an element."""
        self._is_inside = self._is_inside and name != "cellXfs"


class _Texts:
    """Collects the text of `t` elements, without the readings that are set above Chinese signs."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._is_text = self._is_reading = False

    def start(self, name: str, _given: dict[str, str]) -> None:
        """Take the beginning of an element."""
        self._is_reading = self._is_reading or name == "rPh"
        self._is_text = name == "t" and not self._is_reading

    def end(self, name: str) -> None:
        """Take the end of an element."""
        self._is_text = False
        self._is_reading = self._is_reading and name != "rPh"

    def text(self, text: str) -> None:
        """Take text inside an element."""
        if self._is_text:
            self._pieces.append(text)

    def _taken(self) -> str:
        # Characters that XML cannot hold are escaped (ECMA-376, ST_Xstring): _x000D_ is a carriage return.
        text = _ESCAPED.sub(lambda sign: chr(int(sign[1], 16)), "".join(self._pieces))
        self._pieces.clear()
        return text


class SharedTexts(_Texts):
    """The texts that cells name by number."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def end(self, name: str) -> None:
        """Take the end of an element."""
        super().end(name)
        if name == "si":
            _add(self.texts, self._taken(), MOST_TEXTS)


@dataclass(slots=True)
class RawCell:
    """A cell as it is written. `kind` is the file's own word: s, n, b, e, d, str or inlineStr."""

    kind: str
    style: int
    value: str = ""
    text: str = ""
    has_formula: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing stands in it: cells are written for their colour alone, too."""
        return not (self.value or self.text or self.has_formula)


class SheetCells(_Texts):
    """The rows of a sheet that have something in them: number -> column -> cell. The first column is 0."""

    def __init__(self, most_rows: int) -> None:
        super().__init__()
        self.rows: dict[int, dict[int, RawCell]] = {}
        self.merged: list[str] = []
        self.hidden = 0
        self._most_rows = most_rows
        self._row = self._column = 0
        self._is_hidden = False
        self._cell: RawCell | None = None
        self._value: list[str] | None = None

    def start(self, name: str, given: dict[str, str]) -> None:
        """Take the beginning of an element."""
        super().start(name, given)
        if name == "row":
            self._row = int(given.get("r", self._row + 1))
            self._column = -1
            self._is_hidden = given.get("hidden") in {"1", "true"}
        elif name == "c":
            # The reference may be left out (ECMA-376, 18.3.1.4): then a cell follows the one before.
            self._column = _column(given["r"]) if "r" in given else self._column + 1
            self._cell = RawCell(given.get("t", "n"), int(given.get("s", "0")))
        elif name == "v":
            self._value = []
        elif name == "f" and self._cell is not None:
            self._cell.has_formula = True
        elif name == "mergeCell":
            _add(self.merged, given.get("ref", ""), MOST_ELEMENTS)

    def end(self, name: str) -> None:
        """Take the end of an element."""
        super().end(name)
        if name == "v" and self._cell is not None and self._value is not None:
            self._cell.value = "".join(self._value)
            self._value = None
        elif name == "c" and self._cell is not None:
            self._cell.text = self._taken()
            if not self._cell.is_empty:
                self._keep(self._cell)
            self._cell = None

    def text(self, text: str) -> None:
        """Take text inside an element."""
        super().text(text)
        if self._value is not None:
            self._value.append(text)

    def _keep(self, cell: RawCell) -> None:
        if self._column >= MOST_COLUMNS:
            raise PanelRefused(message("list.workbook_size"))
        if self._row not in self.rows:
            if len(self.rows) >= self._most_rows:
                raise PanelRefused(message("list.too_many", most=self._most_rows))
            self.hidden += self._is_hidden
        self.rows.setdefault(self._row, {})[self._column] = cell


def corners(ref: str) -> tuple[int, int, int, int]:
    """Return (first row, first column, last row, last column) of `A1:C2`. Raises ValueError."""
    begin, _, end = ref.partition(":")
    found = [_REFERENCE.fullmatch(one) for one in (begin, end or begin)]
    if None in found:
        raise ValueError(f"{ref!r} is no range of cells")
    (row, column), (last_row, last_column) = ((int(one[2]), _column(one[0])) for one in found if one)
    return row, column, last_row, last_column


def _column(reference: str) -> int:
    found = _REFERENCE.fullmatch(reference)
    if found is None:
        raise ValueError(f"{reference!r} is no cell")
    number = 0
    for letter in found[1]:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _add(kept: list[_Kept], one: _Kept, most: int) -> None:
    if len(kept) >= most:
        raise PanelRefused(message("list.workbook_size"))
    kept.append(one)
