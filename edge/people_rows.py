"""Rows of a list of people, as door and property both read them: below its title, and as they were typed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import PanelRefused
from edge.identity import tidied
from edge.sheet_cells import PEOPLE_COLUMNS, CellKind, spoiled, typed_cell
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from edge.workbook.reading import SheetRow

MOST_PEOPLE = 20_000
"""As many as a roster may have."""

MOST_TITLES = 20
"""Lines of a workbook beside the people: what the list is called, and the columns' names."""

LOST = "\N{REPLACEMENT CHARACTER}"
MISREAD_SHARE = 10
"""One name of ten, at least: of a list that was spoiled, half of the Chinese ones can still be told."""

DAYS = frozenset({"valid_from", "valid_until"})


def plain(cell: str) -> str:
    """Return the name of a column as `PEOPLE_COLUMNS` has it."""
    return tidied(cell).lower().replace(" ", "_")


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
    for encoding, first in (("gb18030", "\u3400"), ("cp1252", "\0")):
        try:
            meant = name.encode(encoding).decode()
        except UnicodeError:
            continue
        if meant != name and min(meant) >= first and meant.isprintable():
            return True
    return False


def from_the_header(rows: Iterable[SheetRow]) -> Iterator[SheetRow]:
    """Give the rows from the one that names the columns on: lists say above it what they are.

    Raises `PanelRefused` when no row names them.
    """
    titles, below = 0, iter(rows)
    for row in below:
        texts = {plain(cell) for cell in row.cells} - {""}
        is_title = len(texts) == 1 and texts.isdisjoint(PEOPLE_COLUMNS)
        if not is_title or titles == MOST_TITLES:
            yield row
            yield from below
            return
        titles += 1
    if titles:
        raise PanelRefused(message("list.no_id"))


def given_cells(header: Sequence[str], row: SheetRow) -> dict[str, str]:
    """Return the cells by their column's name. Raises `PanelRefused` where a cell is not what was typed."""
    given: dict[str, str] = {}
    nobodys = [cell for n, cell in enumerate(row.cells) if cell.strip() and not "".join(header[n : n + 1])]
    if row.is_parted and nobodys:
        raise PanelRefused(message("list.cells_beyond", text=nobodys[0].strip()[:40]))
    for column, (name, shown) in enumerate(zip(header, row.cells, strict=False)):
        cell = typed_cell(shown).strip()
        kind = row.kinds.get(column) or spoiled(cell)
        if name and kind is not None and not (kind is CellKind.DAY and name in DAYS):
            raise PanelRefused(message(f"list.cell_{kind}", text=cell[:40]))
        if name and cell:
            given[name] = cell
    return given
