"""A list of people as properties have it: a workbook or CSV, each mistake at its line, nobody lost."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, replace
from datetime import UTC
from functools import cached_property
from typing import TYPE_CHECKING

from edge.domain import Resident
from edge.errors import FacegateError, PanelRefused
from edge.identity import ResidentId, access_levels, kept_spellings, person_name, resident_id, tidied
from edge.people_rows import (
    MOST_PEOPLE,
    MOST_TITLES,
    from_the_header,
    given_cells,
    plain,
    require_names_as_typed,
)
from edge.sheet_cells import FALSE, PEOPLE_COLUMNS, TRUE, moment_in
from edge.words import message
from edge.workbook.reading import Sheet, SheetRow, is_workbook, read_workbook

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime, tzinfo

    from edge.words import Message

FIELDS = frozenset({"id", "name", "access_levels", "valid_from", "valid_until", "extended_unlock"})

_SEPARATOR = re.compile(r"sep=([,;\t])\r?", re.IGNORECASE)
_BOMS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line that cannot be imported, and why."""

    line: int
    text: str
    why: Message


@dataclass(frozen=True, slots=True)
class PeopleList:
    """What a file holds. `people` are as they will be stored; `new` and `changed` are ids among them.

    Who is in the list as they are already is only counted (`same`). `encoding` is how the text of a file
    was read, "" for a workbook; `sheet` is the part of a workbook that was read.
    """

    people: tuple[Resident, ...]
    new: frozenset[str]
    changed: frozenset[str]
    same: int
    bad: tuple[BadRow, ...]
    encoding: str = ""
    sheet: Sheet | None = None


@dataclass(frozen=True)
class ListRules:
    """What rows are checked against: people there, whose record the property keeps, known levels, zone."""

    there: Mapping[str, Resident]
    of_property: Collection[str]
    levels: Collection[str]
    zone: tzinfo

    @cached_property
    def spellings(self) -> Mapping[str, str]:
        """People there whose ids an earlier version kept in another spelling, by today's."""
        return kept_spellings(self.there)


def read_people_list(data: bytes, rules: ListRules) -> PeopleList:
    """Return the people in a workbook or in CSV, below the line that names the columns, and the wrong rows.

    Commas, semicolons or tabs separate CSV. An empty cell, and a column that is not there, leave what is
    stored; somebody new gets the level `resident` where no column of levels is. A plain day, and a time
    without a zone, are the site's; a plain `valid_until` includes that day. Raises `PanelRefused` for
    what is no such file at all, and where a program spoiled the names.
    """
    if is_workbook(data):
        sheet = read_workbook(data, MOST_PEOPLE + MOST_TITLES)
        return replace(_people(sheet.rows, rules), sheet=replace(sheet, rows=()))
    text, encoding = _decoded(data)
    return replace(_people(_lines(text), rules), encoding=encoding)


def _people(rows: Iterable[SheetRow], rules: ListRules) -> PeopleList:
    people: dict[str, Resident] = {}
    lines: dict[str, int] = {}
    bad: list[BadRow] = []
    header: list[str] | None = None
    for row in from_the_header(rows):
        if header is None:
            header = _header(row.cells)
            continue
        try:
            person = _person(given_cells(header, row), rules)
            if (first := lines.setdefault(person.id, row.number)) != row.number:
                raise PanelRefused(message("list.twice", id=person.id, line=first))
            people[person.id] = person
        except FacegateError as error:
            bad.append(BadRow(row.number, ", ".join(row.cells)[:60], error.message))
        if len(lines) + len(bad) > MOST_PEOPLE:
            raise PanelRefused(message("list.too_many", most=MOST_PEOPLE))
    if header is None:
        raise PanelRefused(message("list.empty"))
    if "name" in header:
        require_names_as_typed([person.name for person in people.values()])
    return _sorted_out(people, bad, rules)


def _sorted_out(people: Mapping[str, Resident], bad: list[BadRow], rules: ListRules) -> PeopleList:
    new = frozenset(people.keys() - rules.there.keys())
    changed = frozenset(one.id for one in people.values() if rules.there.get(one.id, one) != one)
    wanted = tuple(one for one in people.values() if one.id in new | changed)
    return PeopleList(wanted, new, changed, len(people) - len(wanted), tuple(bad))


def _lines(text: str) -> Iterator[SheetRow]:
    """Give the lines with something in them, each with its number in the file."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text), strict=True)
    line = 1
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise PanelRefused(message("list.broken", line=line)) from error
        if cells is None:
            return
        # Excel's own first line `sep=;` is parted at the very sign it names; joined again it is known.
        if any(cell.strip() for cell in cells) and not (line == 1 and _SEPARATOR.fullmatch(",".join(cells))):
            yield SheetRow(line, cells, is_parted=True)
        line = reader.line_num + 1


def _separator(text: str) -> str:
    first = text.partition("\n")[0]
    told = _SEPARATOR.fullmatch(first)
    return told[1] if told else max(",;\t", key=first.count)


def _decoded(data: bytes) -> tuple[str, str]:
    """Return the text and how it was read; the page shows the names before anything is stored."""
    bom = next((name for mark, name in _BOMS if data.startswith(mark)), None)
    # UTF-8 first: Chinese text in GB18030 is hardly ever valid UTF-8, while the other way round it often is.
    for encoding in (bom,) if bom else ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding), "UTF-8" if encoding == "utf-8-sig" else encoding.upper()
        except UnicodeDecodeError:
            continue
    raise PanelRefused(message("list.unreadable"))


def _header(cells: Sequence[str]) -> list[str]:
    names = [plain(cell) for cell in cells]
    known = [PEOPLE_COLUMNS.get(name, name) for name in names]
    unknown = [cell for cell, name in zip(cells, known, strict=True) if name and name not in FIELDS]
    if unknown:
        raise PanelRefused(message("list.column", name=unknown[0][:40]))
    if "id" not in known:
        raise PanelRefused(message("list.no_id"))
    if len({name for name in known if name}) < len([name for name in known if name]):
        raise PanelRefused(message("list.column_twice"))
    return known


def _person(given: Mapping[str, str], rules: ListRules) -> Resident:
    if "id" not in given:
        raise PanelRefused(message("list.no_number"))
    identity = resident_id(given["id"])
    identity = ResidentId(rules.spellings.get(identity, identity))
    if identity in rules.of_property:
        raise PanelRefused(message("list.of_property", id=identity))
    there = rules.there.get(identity)
    name = person_name(given["name"]) if "name" in given else (there.name if there else str(identity))
    person = replace(there, name=name) if there else Resident(identity, name)
    if "access_levels" in given:
        levels = access_levels(given["access_levels"])
        if unknown := [one for one in levels if one not in rules.levels]:
            raise PanelRefused(message("list.level", name=unknown[0][:40]))
        person = replace(person, access_levels=levels)
    if "extended_unlock" in given:
        person = replace(person, extended_unlock=_truth(given["extended_unlock"]))
    begin, end = (_moment(given, name, rules.zone) for name in ("valid_from", "valid_until"))
    person = replace(person, valid_from=begin or person.valid_from, valid_until=end or person.valid_until)
    if person.valid_from and person.valid_until and person.valid_from >= person.valid_until:
        raise PanelRefused(message("panel.times_crossed"))
    return person


def _truth(text: str) -> bool:
    if text.lower() not in TRUE | FALSE:
        raise PanelRefused(message("list.yes_or_no", text=text[:20]))
    return text.lower() in TRUE


def _moment(given: Mapping[str, str], name: str, zone: tzinfo) -> datetime | None:
    text = tidied(given.get(name, ""))
    if not text:
        return None
    try:
        return moment_in(text, zone, is_end=name == "valid_until").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise PanelRefused(message("error.time", text=text[:40])) from error
