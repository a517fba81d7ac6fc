"""Spreadsheets: people read from what properties have, events written for who wants them."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeVar

from edge.column_names import FLAT_PARTS, plain_words
from edge.errors import IdentityRefused, PanelRefused, SyncError
from edge.identity import access_levels, person_name, resident_id, tidied
from edge.people_rows import (
    MOST_ROWS,
    UNREAD,
    LeftOut,
    given_cells,
    people_rows,
    require_names_as_typed,
    text_rows,
)
from edge.sheet_cells import FALSE, TRUE, has_short_year, moment_in, needs_zone
from edge.web.cells import harmless
from edge.wire.records import OF_THE_HUB, RECORD, parse_record
from edge.words import message
from edge.workbook.reading import is_workbook, read_workbook
from facegate_hub.list_encoding import encoding_of, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import TextIO
    from zoneinfo import ZoneInfo

    from edge.words import Message
    from facegate_hub.reading import StoredEvent

COLUMNS = ("device", "seq", "at", "kind", "resident", "reason")
"""What is exported of an event, in this order."""

FIELDS = frozenset(RECORD.fields)
REQUIRED = FIELDS - RECORD.optional
WRITTEN = ("id", "name", *sorted(FIELDS - {"id", "name", *OF_THE_HUB}))
MOST_MISTAKES = 10
"""Mistakes named in one message; a wrong column would otherwise fill the screen."""

Named = TypeVar("Named")


@dataclass(frozen=True, slots=True)
class PeopleRead:
    """What a list holds: records, lines that are nobody (titles, sums), columns that nothing is kept of.

    `silent` are the fields that it has no column for.
    """

    records: list[dict[str, Any]]
    left_out: tuple[LeftOut, ...]
    unread: tuple[str, ...]
    silent: frozenset[str]


def read_people(data: bytes, encoding: str | None = None, zone: ZoneInfo | None = None) -> PeopleRead:
    """Return records from a workbook (.xlsx) or CSV with a header: id, name, and optionally other fields.

    The list may stand below its title, as `people_rows` says, and of a workbook's cell it is what people see
    that counts. Commas, semicolons or tabs separate; a byte order mark and a line `sep=;` are skipped; the
    header's letters may be capitals; `access_levels` are separated by blanks, commas or semicolons; an empty
    cell is a field that is not given. A time without a zone, and a plain date, are those of the site,
    `zone`; a plain `valid_until` includes that day. `encoding` None: what `encoding_of` says. Raises
    `SyncError` naming the lines that are wrong; then nothing of the file is to be used; `PanelRefused` for
    what is no list, and where a program spoiled the names.
    """
    records: dict[str, dict[str, Any]] = {}
    lines: dict[str, int] = {}
    mistakes: list[Message] = []
    sheet = read_workbook(data, MOST_ROWS).rows if is_workbook(data) else text_rows(_text(data, encoding))
    rows = people_rows(sheet)
    if problem := _against(rows.header):
        raise SyncError(message("list.line", line=rows.line, why=problem))
    for row in rows:
        line = row.number
        try:
            record = _record(given_cells(rows.header, row), zone)
        except (SyncError, PanelRefused) as error:
            why = str(error) if error.technical else error.message
            mistakes.append(message("list.line", line=line, why=why))
            continue
        if (first := lines.setdefault(record["id"], line)) != line:
            why = message("list.twice", id=record["id"], line=first)
            mistakes.append(message("list.line", line=line, why=why))
        records[record["id"]] = record
    if mistakes:
        raise SyncError(_named(mistakes))
    require_names_as_typed([record["name"] for record in records.values()])
    silent = frozenset(WRITTEN) - REQUIRED - set(rows.header)
    return PeopleRead(list(records.values()), tuple(rows.left_out), rows.unread, silent)


def words_beyond_ascii(records: Iterable[dict[str, Any]], most: int) -> list[str]:
    """Return up to `most` names, ids and levels that show whether an encoding was guessed rightly."""
    told = ((one["name"], one["id"], *one.get("access_levels", ())) for one in records)
    return list(dict.fromkeys(word for words in told for word in words if not word.isascii()))[:most]


def write_people(read: PeopleRead) -> str:
    """Return a list that was read as CSV, which reads as the same again: the same records and columns."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    columns = [name for name in WRITTEN if name not in read.silent]
    writer.writerow(columns)
    for record in read.records:
        levels = ";".join(record.get("access_levels", ()))
        told = {name: record.get(name, "") for name in WRITTEN} | {"access_levels": levels}
        if "extended_unlock" in record:
            told["extended_unlock"] = "yes" if record["extended_unlock"] else "no"
        writer.writerow([told[name] for name in columns])
    return out.getvalue()


def write_events(events: Iterable[StoredEvent], out: TextIO) -> int:
    """Write events as CSV with a header and return how many; no cell is a formula."""
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    count = 0
    for event in events:
        writer.writerow([harmless(getattr(event, name)) for name in COLUMNS])
        count += 1
    return count


def _text(data: bytes, encoding: str | None) -> str:
    return text_of(data, encoding_of(data).name if encoding is None else encoding)


def _against(header: Sequence[str]) -> Message | None:
    """Return what is wrong with the names of the columns."""
    # Without those that say nothing: spreadsheets leave some at the end.
    named = [name for name in header if name not in {"", UNREAD}]
    if missing := sorted(REQUIRED - set(named)):
        return message("list.lacks", names=missing)
    if unknown := [name for name in named if name not in {*FIELDS, *FLAT_PARTS.values()}]:
        return message("list.no_column", name=unknown[0][:40], known=sorted(FIELDS - set(OF_THE_HUB)))
    if len(set(named)) < len(named):
        return message("list.column_twice")
    return None


def _record(fields: dict[str, Any], zone: ZoneInfo | None) -> dict[str, Any]:
    if "access_levels" in fields:
        fields["access_levels"] = list(_tidy(access_levels, fields["access_levels"]))
        if not fields["access_levels"]:  # signs between levels and none: as an empty cell, and as in a form
            del fields["access_levels"]
    if "id" in fields:
        fields["id"] = _tidy(resident_id, fields["id"])
    if "name" in fields:
        fields["name"] = _tidy(person_name, fields["name"])
    for name in ("valid_from", "valid_until"):
        if name in fields:
            fields[name] = _time(name, tidied(fields[name]), zone)
    if "extended_unlock" in fields:
        fields["extended_unlock"] = _truth(fields["extended_unlock"])
    person, _ = parse_record(fields)
    if person.valid_from and person.valid_until and person.valid_from >= person.valid_until:
        raise SyncError(message("panel.times_crossed"))
    return fields


def _tidy(rule: Callable[[str], Named], text: str) -> Named:
    try:
        return rule(text)
    except IdentityRefused as error:
        raise SyncError(error.message) from error


def _time(name: str, text: str, zone: ZoneInfo | None) -> str:
    """Return a moment with its zone; what a spreadsheet made a plain date of is a day of the site."""
    if zone is None and needs_zone(text):
        raise SyncError(
            f"{name} {text[:40]!r} has no time zone; give --timezone Asia/Shanghai, say, or add +08:00"
        )
    if zone is None or not needs_zone(text):
        return text
    try:
        return moment_in(text, zone, is_end=name == "valid_until").isoformat()
    except (ValueError, OverflowError) as error:
        if has_short_year(text):
            raise SyncError(message("error.time_year", text=text[:40])) from error
        raise SyncError(message("list.no_time", column=name, text=text[:40])) from error


def _truth(text: str) -> bool:
    if (word := plain_words(text)) not in TRUE | FALSE:
        raise SyncError(message("list.yes_or_no", text=text[:20]))
    return word in TRUE


def _named(mistakes: list[Message]) -> Message:
    more = len(mistakes) - MOST_MISTAKES
    named = reduce(lambda first, then: message("list.then", first=first, then=then), mistakes[:MOST_MISTAKES])
    return message("list.more", named=named, more=more) if more > 0 else named
