"""Spreadsheets: people read from what properties have, events written for who wants them."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from edge.errors import SyncError
from edge.wire.records import RECORD, parse_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import TextIO

    from facegate_hub.reading import StoredEvent

COLUMNS = ("device", "seq", "at", "kind", "resident", "reason")
"""What is exported of an event, in this order."""

FIELDS = frozenset(RECORD.fields)
REQUIRED = FIELDS - RECORD.optional
MOST_MISTAKES = 10
"""Mistakes named in one message; a wrong column would otherwise fill the screen."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is run by spreadsheets (OWASP: CSV injection)."""
UTF16 = (b"\xff\xfe", b"\xfe\xff")
TRUE, FALSE = {"1", "yes", "true"}, {"0", "no", "false"}


def read_people(data: bytes, encoding: str = "utf-8") -> list[dict[str, Any]]:
    """Return records from CSV with a header: id, name, and optionally the other fields.

    Commas, semicolons or tabs separate; a byte order mark is skipped; `access_levels` are
    separated by blanks; an empty cell is a field that is not given. Raises `SyncError` naming
    the lines that are wrong; then nothing of the file is to be used.
    """
    rows, mistakes = _Rows(_decode(data, encoding)), []
    records: dict[str, dict[str, Any]] = {}
    lines: dict[str, int] = {}
    for line, cells in rows:
        try:
            record = _record(rows.header, cells)
        except SyncError as error:
            mistakes.append(f"line {line}: {error}")
            continue
        if (first := lines.setdefault(record["id"], line)) != line:
            mistakes.append(f"line {line}: id {record['id']!r} is on line {first} already")
        records[record["id"]] = record
    if mistakes:
        raise SyncError(_named(mistakes))
    return list(records.values())


def write_events(events: Iterable[StoredEvent], out: TextIO) -> int:
    """Write events as CSV with a header and return how many; no cell is a formula."""
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    count = 0
    for event in events:
        writer.writerow([_harmless(getattr(event, name)) for name in COLUMNS])
        count += 1
    return count


class _Rows:
    """The lines of a file as (line number, cells), without empty ones. `header` is known at once."""

    def __init__(self, text: str) -> None:
        first = text.partition("\n")[0]
        separator = max(",;\t", key=first.count)
        self._reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        self.header = [cell.strip() for cell in self._next() or []]
        if problem := _against(self.header):
            raise SyncError(f"line 1: {problem}")

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        line = self._reader.line_num + 1
        while (cells := self._next()) is not None:
            if any(cell.strip() for cell in cells):
                yield line, cells
            line = self._reader.line_num + 1

    def _next(self) -> list[str] | None:
        try:
            return next(self._reader, None)
        except csv.Error as error:
            raise SyncError(f"line {self._reader.line_num}: {error}") from error


def _against(header: list[str]) -> str | None:
    """Return what is wrong with the names of the columns."""
    if missing := sorted(REQUIRED - set(header)):
        return f"the first line must name the columns, and lacks {' and '.join(missing)}"
    if unknown := [name for name in header if name not in FIELDS]:
        return f"column {unknown[0][:40]!r} is unknown; there are {', '.join(sorted(FIELDS))}"
    if len(set(header)) < len(header):
        return "a column is named twice"
    return None


def _record(header: list[str], cells: list[str]) -> dict[str, Any]:
    if len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
        raise SyncError(f"{len(cells)} cells, but {len(header)} columns; quote a cell that has a separator")
    given = zip(header, cells, strict=False)  # spreadsheets leave out empty cells at the end
    fields: dict[str, Any] = {name: cell.strip() for name, cell in given if cell.strip()}
    if "access_levels" in fields:
        fields["access_levels"] = fields["access_levels"].split()
    if "extended_unlock" in fields:
        fields["extended_unlock"] = _truth(fields["extended_unlock"])
    parse_record(fields)
    return fields


def _truth(text: str) -> bool:
    if text.lower() not in TRUE | FALSE:
        raise SyncError(f"extended_unlock must be yes or no, not {text[:20]!r}")
    return text.lower() in TRUE


def _named(mistakes: list[str]) -> str:
    more = len(mistakes) - MOST_MISTAKES
    named = "; ".join(mistakes[:MOST_MISTAKES])
    return f"{named}; and {more} more" if more > 0 else named


def _decode(data: bytes, encoding: str) -> str:
    """Return the text; never guess: a wrong guess would garble names without a word."""
    if data.startswith(UTF16):
        raise SyncError("this is UTF-16 text; save it as 'CSV UTF-8' instead")
    try:
        return data.decode("utf-8-sig" if encoding.lower() in {"utf-8", "utf8"} else encoding)
    except LookupError as error:
        raise SyncError(f"{encoding}: there is no such encoding; use utf-8 or gb18030") from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SyncError(
            f"line {line}: not {encoding} text; save it as 'CSV UTF-8', "
            "or say how it was saved, such as --encoding gb18030 for Excel in China"
        ) from error


def _harmless(value: object) -> object:
    """Return a cell that a spreadsheet shows and does not run."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
