"""A wrong bit in the header or log of the property's SQLite files, set right before a start uses them.

What a header says is the same in all of them, or told by the file itself; so it is written where it stands,
and nothing is copied. SQLite would take such a file for read-only, foreign or damaged, or cut its end off.
More than a few bits are no wrong bit: such a file stays as it is, for a backup is worth more then.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from edge.store.header import (
    COUNTED,
    COUNTER,
    FRACTIONS,
    HEAD_BYTES,
    MAGIC,
    PAGES,
    RESERVED,
    VERSIONS,
    page_bytes,
)
from edge.store.log_repair import is_in_use, repair_log
from edge.store.memory_copy import first_bytes

if TYPE_CHECKING:
    from pathlib import Path

LOG = logging.getLogger(__name__)

PAGE = slice(16, 18)
PAGE_BYTES = b"\x10\x00"
"""4096: SQLite's own, and that of every file which this program made."""
FREE = slice(32, 40)
FORMAT, ENCODING = slice(44, 48), slice(56, 60)
FORMAT_4, UTF_8, UNSET = b"\x00\x00\x00\x04", b"\x00\x00\x00\x01", bytes(4)
ZEROS = (slice(52, 56), slice(60, 92))
"""What these files do not use: vacuuming by steps, numbers of a program's own, and what SQLite reserves."""
MOST_BITS = 8

_looked_at: set[tuple[int, int]] = set()
"""Files that this process has opened since: what is read of them then is what SQLite keeps in memory."""
_kept: list[int] = []


def set_header_right(path: Path) -> None:
    """Set the header and log of a database that is about to be opened right, and log what was wrong."""
    try:
        _set_right(path)
    except OSError as error:  # SQLite says what is wrong with it
        LOG.error("%s: its header was not looked at: %s", path, error)  # noqa: TRY400 - one clear line


def _set_right(path: Path) -> None:
    if not path.exists() or (found := path.stat()).st_size < HEAD_BYTES:
        return
    if (found.st_dev, found.st_ino) in _looked_at:
        return
    repair_log(path)
    log = path.with_name(f"{path.name}-wal")
    is_alone = not is_in_use(path.with_name(f"{path.name}-shm")) and not (log.exists() and log.stat().st_size)
    head = first_bytes(path, HEAD_BYTES)
    right = right_head(head, found.st_size if is_alone else None)
    _looked_at.add((found.st_dev, found.st_ino))
    if right == head:
        return
    # Kept open for good: closing it would drop the locks of every connection of this process (POSIX).
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    _kept.append(descriptor)
    for at, (was, now) in enumerate(zip(head, right, strict=True)):
        if was != now:
            os.pwrite(descriptor, bytes((now,)), at)
    os.fsync(descriptor)
    wrong = [at for at in range(HEAD_BYTES) if head[at] != right[at]]
    LOG.critical("%s: its header was wrong and was set right: bytes %s", path, wrong)


def right_head(head: bytes, length: int | None) -> bytes:
    """Return the header that such a file has; `length` None where the log tells how long it is."""
    right = bytearray(head)
    right[: len(MAGIC)], right[RESERVED] = MAGIC, FRACTIONS
    if not page_bytes(right):
        right[PAGE] = PAGE_BYTES
    if bytes(right[VERSIONS]) not in {b"\x01\x01", b"\x02\x02"}:
        right[VERSIONS] = b"\x02\x02"
    if (head[FORMAT], head[ENCODING]) != (UNSET, UNSET):  # a file without a table yet
        right[FORMAT], right[ENCODING] = FORMAT_4, UTF_8
    for place in ZEROS:
        right[place] = bytes(place.stop - place.start)
    if (int.from_bytes(head, "big") ^ int.from_bytes(right, "big")).bit_count() > MOST_BITS:
        return head
    if length is not None:
        _set_lengths_right(right, length // page_bytes(right))
    return bytes(right)


def _set_lengths_right(head: bytearray, pages: int) -> None:
    """Have SQLite look at the file itself, and forget free pages that cannot be: they stay unused."""
    if head[COUNTED] == head[COUNTER] and int.from_bytes(head[PAGES], "big") not in {0, pages}:
        head[COUNTED] = bytes(byte ^ 0xFF for byte in head[COUNTER])
    first, count = (int.from_bytes(head[at : at + 4], "big") for at in (FREE.start, FREE.start + 4))
    if bool(first) != bool(count) or first > pages or count >= pages:
        head[FREE] = bytes(FREE.stop - FREE.start)
