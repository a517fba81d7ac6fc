"""A list of people as properties have it: a workbook or CSV, each mistake at its line, nobody lost."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import TYPE_CHECKING

from edge.column_names import FLAT_PARTS, plain_words
from edge.domain import Resident
from edge.errors import FacegateError, PanelRefused
from edge.identity import ResidentId, access_levels, person_name, resident_id, tidied
from edge.people_rows import (
    MOST_PEOPLE,
    MOST_ROWS,
    UNREAD,
    LeftOut,
    PeopleRows,
    given_cells,
    names_columns_as,
    people_rows,
    require_names_as_typed,
    text_rows,
    utf16_of,
)
from edge.sheet_cells import FALSE, TRUE, has_short_year, moment_in
from edge.spellings import Spellings, spellings
from edge.words import message
from edge.workbook.reading import Sheet, SheetRow, is_workbook, read_workbook

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import datetime, tzinfo

    from edge.words import Message

FIELDS = frozenset({"id", "name", "access_levels", "valid_from", "valid_until", "extended_unlock"})

NAMED = 5
"""People named in a refusal; of more it says how many they are."""

NOBODY_ELSE = Spellings({}, {})


@dataclass(frozen=True, slots=True)
class BadRow:
    """A line that cannot be imported, and why."""

    line: int
    text: str
    why: Message


@dataclass(frozen=True, slots=True)
class PeopleList:
    """What a file holds. `people` are as they will be stored; `new` and `changed` are ids among them.

    Who is in the list as they are already is only counted (`same`); `before` are those who change, as they
    were when the list was read. `encoding` is how the text of a file was read, "" for a workbook; `sheet` is
    the part of a workbook that was read. `left_out` are lines that are nobody (titles, sums), `unread`
    columns that a door has no use for. `whom` says which numbers are kept in another spelling (3栋1203 as
    3-1203), and which new ones read like somebody's.
    """

    people: tuple[Resident, ...]
    new: frozenset[str]
    changed: frozenset[str]
    same: int
    bad: tuple[BadRow, ...]
    before: Mapping[str, Resident] = field(default_factory=dict)
    encoding: str = ""
    sheet: Sheet | None = None
    left_out: tuple[LeftOut, ...] = ()
    unread: tuple[str, ...] = ()
    whom: Spellings = NOBODY_ELSE


@dataclass(frozen=True, slots=True)
class ListRules:
    """What rows are checked against: people there, whose record the property keeps, known levels, zone."""

    there: Mapping[str, Resident]
    of_property: Collection[str]
    levels: Collection[str]
    zone: tzinfo


def read_people_list(data: bytes, rules: ListRules) -> PeopleList:
    """Return the people in a workbook or in CSV, below the line that names the columns, and the wrong rows.

    Commas, semicolons or tabs separate CSV. An empty cell, and a column that is not there, leave what is
    stored; somebody new gets the level `resident` where no column of levels is. A plain day, and a time
    without a zone, are the site's; a plain `valid_until` includes that day. Raises `PanelRefused` for
    what is no such file at all, and where a program spoiled the names.
    """
    if is_workbook(data):
        sheet = read_workbook(data, MOST_ROWS)
        return replace(_people(sheet.rows, rules), sheet=replace(sheet, rows=()))
    text, encoding = _decoded(data)
    return replace(_people(text_rows(text), rules), encoding=encoding)


def _people(rows: Iterable[SheetRow], rules: ListRules) -> PeopleList:
    people: dict[str, Resident] = {}
    lines: dict[str, int] = {}
    found = people_rows(rows)
    _check_columns(found.header)
    given, bad = _given(found)
    whom = spellings(_names(cells for _, cells in given), {one.id: one.name for one in rules.there.values()})
    for row, cells in given:
        try:
            person = _person(cells, rules, whom)
            if (first := lines.setdefault(person.id, row.number)) != row.number:
                raise PanelRefused(message("list.twice", id=person.id, line=first))
            people[person.id] = person
        except FacegateError as error:
            bad.append(_bad(row, error))
    if "name" in found.header:
        require_names_as_typed([person.name for person in people.values()])
    read = _sorted_out(people, sorted(bad, key=lambda one: one.line), rules)
    return replace(read, left_out=tuple(found.left_out), unread=found.unread, whom=whom)


def _given(found: PeopleRows) -> tuple[list[tuple[SheetRow, dict[str, str]]], list[BadRow]]:
    """Return the rows with what their cells say, and those that say nothing that can be understood."""
    given: list[tuple[SheetRow, dict[str, str]]] = []
    bad: list[BadRow] = []
    for row in found:
        try:
            given.append((row, given_cells(found.header, row)))
        except FacegateError as error:
            bad.append(_bad(row, error))
        # With every row, so that a file of a million lines ends here and not in memory.
        if len(given) + len(bad) > MOST_PEOPLE:
            raise PanelRefused(message("list.too_many", most=MOST_PEOPLE))
    return given, bad


def _bad(row: SheetRow, error: FacegateError) -> BadRow:
    return BadRow(row.number, ", ".join(row.cells)[:60], error.message)


def _names(given: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the names of a list's people by number; of somebody without a name it is the number."""
    names: dict[str, str] = {}
    for cells in given:
        with suppress(FacegateError):  # told when the row is made a person
            identity = resident_id(cells.get("id", ""))
            names[identity] = tidied(cells.get("name", "")) or identity
    return names


def _sorted_out(people: Mapping[str, Resident], bad: list[BadRow], rules: ListRules) -> PeopleList:
    new = frozenset(people.keys() - rules.there.keys())
    changed = frozenset(one.id for one in people.values() if rules.there.get(one.id, one) != one)
    wanted = tuple(one for one in people.values() if one.id in new | changed)
    before = {one: rules.there[one] for one in changed}
    return PeopleList(wanted, new, changed, len(people) - len(wanted), tuple(bad), before)


def require_unmoved(found: PeopleList, there: Mapping[str, Resident], of_property: Collection[str]) -> None:
    """Raise `PanelRefused` where somebody of a list is no more as they were when it was read.

    What the list does not say was taken from there: a right that was taken back since would come back.
    """
    moved = [
        one.id
        for one in found.people
        if one.id in of_property or there.get(one.id) != found.before.get(one.id)
    ]
    if moved:
        raise PanelRefused(message("list.moved", count=len(moved), who=moved[:NAMED]))


def _decoded(data: bytes) -> tuple[str, str]:
    """Return the text and how it was read; the page shows the names before anything is stored."""
    utf16 = utf16_of(data)
    # UTF-8 first: Chinese text in GB18030 is hardly ever valid UTF-8, while the other way round it often is.
    for encoding in (utf16,) if utf16 else ("utf-8-sig", *_chinese(data)):
        try:
            return data.decode(encoding), "UTF-8" if encoding == "utf-8-sig" else encoding.upper()
        except UnicodeDecodeError:
            continue
    raise PanelRefused(message("list.unreadable"))


def _chinese(data: bytes) -> tuple[str, ...]:
    """Return as what text that is no UTF-8 is read: Big5, of Taiwan and Hong Kong, by its columns' names."""
    is_big5 = names_columns_as(data, "big5hkscs") and not names_columns_as(data, "gb18030")
    return ("big5hkscs",) if is_big5 else ("gb18030",)


def _check_columns(header: Sequence[str]) -> None:
    named = [name for name in header if name and name != UNREAD]
    if "id" not in named:
        raise PanelRefused(message("list.no_id"))
    if unknown := [name for name in named if name not in {*FIELDS, *FLAT_PARTS.values()}]:
        raise PanelRefused(message("list.column", name=unknown[0][:40]))
    if len(set(named)) < len(named):
        raise PanelRefused(message("list.column_twice"))


def _person(given: Mapping[str, str], rules: ListRules, whom: Spellings) -> Resident:
    if "id" not in given:
        raise PanelRefused(message("list.no_number"))
    identity = resident_id(given["id"])
    identity = ResidentId(whom.kept.get(identity, identity))
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
    if (word := plain_words(text)) not in TRUE | FALSE:
        raise PanelRefused(message("list.yes_or_no", text=text[:20]))
    return word in TRUE


def _moment(given: Mapping[str, str], name: str, zone: tzinfo) -> datetime | None:
    text = tidied(given.get(name, ""))
    if not text:
        return None
    try:
        return moment_in(text, zone, is_end=name == "valid_until").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        refusal = "error.time_year" if has_short_year(text) else "error.time"
        raise PanelRefused(message(refusal, text=text[:40])) from error
