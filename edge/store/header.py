"""The first hundred bytes of a database: fields that every file of ours has alike, and a wrong bit in one.

SQLite believes them. One wrong bit makes a whole file read-only ("written by a newer SQLite"), a foreign
one, or one of a version to come, and none of that is damage to SQLite. So before such a file is refused it
is asked whether everything else in it is ours.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from edge.store.memory_copy import copied, first_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from edge.store.database import Schema

HEAD_BYTES = 100
MAGIC = b"SQLite format 3\0"
VERSIONS, RESERVED, FRACTIONS = slice(18, 20), slice(20, 24), b"\x00\x40\x20\x20"
"""A copy has version 1 until it is first opened."""
ALIKE = (
    (0, MAGIC, "magic"),
    (18, b"\x02\x02", "write and read version"),
    (20, FRACTIONS, "reserved bytes and fractions"),
    (44, b"\x00\x00\x00\x04", "schema format"),
    (56, b"\x00\x00\x00\x01", "text encoding"),
)
"""Where, what and how it is called (https://www.sqlite.org/fileformat2.html): a log beside it, UTF-8."""
COUNTER, PAGES, VERSION, IDENTITY, COUNTED = slice(24, 28), slice(28, 32), 60, 68, slice(92, 96)


def flaw_of(path: Path, schema: Schema, functions: Mapping[str, Callable[..., str | bytes]]) -> str | None:
    """Return which field of a header is wrong while the file is ours; None when it is right, or foreign.

    `functions` as in `open_database`. Nothing is written. Raises OSError or sqlite3.Error when the file
    cannot be read now.
    """
    head = first_bytes(path, HEAD_BYTES)
    found = None if len(head) < HEAD_BYTES else early_flaw_of(path) or _odd_field(head, schema)
    if found is None:
        return None
    with copied(path) as copy:
        set_right(copy)
        with closing(sqlite3.connect(copy)) as file:
            return (
                f"its header says something wrong: {found}"
                if has_tables_of(file, schema, functions)
                else None
            )


def early_flaw_of(path: Path) -> str | None:
    """Return what is wrong in a header that SQLite would act on at the first change; None for nothing.

    It would cut off what is beyond the end that it believes in, and write pages of another size. Raises
    OSError.
    """
    head = first_bytes(path, HEAD_BYTES)
    if len(head) < HEAD_BYTES:
        return None
    if head[VERSIONS] not in {b"\x01\x01", b"\x02\x02"} or head[RESERVED] != FRACTIONS:
        return "write and read version, or reserved bytes"
    log, length = path.with_name(f"{path.name}-wal"), path.stat().st_size
    size = page_bytes(head)
    if not size or head[COUNTED] != head[COUNTER] or (log.exists() and log.stat().st_size):
        return None  # the log tells how long it is, or the file does
    pages = _number(head[PAGES])
    return None if pages in {0, length // size} else f"{pages} pages of {length // size}"


def set_right(copy: Path) -> None:
    """Write into the header of a copy what every file of ours has there, and how long this one is.

    Length and counter are told by the file itself where the header says another: SQLite reads no page that it
    thinks is missing, nor any of a file that it thinks is too short.
    """
    damaged = copy.read_bytes()
    head = bytearray(damaged[:HEAD_BYTES])
    if len(head) < HEAD_BYTES:
        return
    for place, value, _ in ALIKE:
        head[place : place + len(value)] = value
    size = page_bytes(head)
    if size and _number(head[PAGES]) != len(damaged) // size:
        # A length that was noted at another change does not count: then the file's own does.
        head[COUNTED] = bytes(byte ^ 0xFF for byte in head[COUNTER])
    if head != damaged[:HEAD_BYTES]:
        copy.write_bytes(bytes(head) + damaged[HEAD_BYTES:])


def has_tables_of(
    file: sqlite3.Connection, schema: Schema, functions: Mapping[str, Callable[..., str | bytes]]
) -> bool:
    """Return whether a file has exactly the tables of the current version, whatever its header says."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as new:
        for name, function in functions.items():
            new.create_function(name, -1, function)
        for statements in schema.migrations:
            for statement in statements:
                new.execute(statement)
        wanted = _tables(new)
    with suppress(sqlite3.DatabaseError):
        return _tables(file) == wanted
    return False


def _odd_field(head: bytes, schema: Schema) -> str | None:
    for place, value, name in ALIKE:
        if place not in (VERSIONS.start, RESERVED.start) and head[place : place + len(value)] != value:
            return name
    identity, version = _number(head[IDENTITY : IDENTITY + 4]), _number(head[VERSION : VERSION + 4])
    if is_a_bit_from(identity, schema.application_id):
        return f"application id {identity:#010x} for {schema.application_id:#010x}"
    # One more may be true: a version to come that changes no table. Nobody leaves out several.
    if is_a_bit_from(version, schema.version) and version != schema.version + 1:
        return f"version {version} for {schema.version}"
    return None


def is_a_bit_from(found: int, wanted: int) -> bool:
    """Return whether one wrong bit makes one number of the other."""
    return (found ^ wanted).bit_count() == 1


def page_bytes(head: bytes | bytearray) -> int:
    """Return how long a page is, 0 when that is not told."""
    size = int.from_bytes(head[16:18], "big")
    size = 65536 if size == 1 else size
    return size if size >= 512 and not size & (size - 1) else 0


def _number(field: bytes | bytearray) -> int:
    return int.from_bytes(field, "big")


def _tables(file: sqlite3.Connection) -> list[tuple[Any, ...]]:
    sql = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_stat%'"
    return sorted(file.execute(sql).fetchall(), key=repr)
