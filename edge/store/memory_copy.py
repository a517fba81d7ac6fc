"""A database read without writing a byte beside it: what a read-only, full or failing card still gives.

SQLite writes even to read: its shared memory is a file. So main file and log are copied to memory and
opened there; the copy answers questions and takes no change.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
from collections import Counter
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from edge.scratch import memory_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 1 << 20

_kept: dict[tuple[int, int], int] = {}
"""Descriptors by device and inode: a name may lead to another file later."""
_readers: Counter[tuple[int, int]] = Counter()
"""How many read of each just now."""
_keeping = threading.Lock()


def memory_copy(path: Path) -> sqlite3.Connection:
    """Return a connection to a copy of `path` in memory, its log included.

    Raises OSError or sqlite3.Error when the card does not give it whole.
    """
    with copied(path) as copy:
        memory = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        try:
            # Opening the copy plays its log back into it, so that the backup has every commit.
            with closing(sqlite3.connect(copy)) as source:
                source.backup(memory)
        except BaseException:
            memory.close()
            raise
        return memory


def without_writing(path: Path) -> sqlite3.Connection:
    """Return a connection that reads `path` as it lies there and writes nothing: in place, or a copy.

    Only a file without a log can be read in place. Raises OSError or sqlite3.Error.
    """
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size:
        return memory_copy(path)
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


@contextmanager
def copied(path: Path) -> Iterator[Path]:
    """Give a copy of a database and its log for the block, in memory where possible. Raises OSError."""
    with tempfile.TemporaryDirectory(prefix="facegate-", dir=memory_folder()) as folder:
        copy = Path(folder) / path.name
        copy.write_bytes(_content(path))
        log = path.with_name(path.name + "-wal")
        if log.exists():
            copy.with_name(log.name).write_bytes(log.read_bytes())
        yield copy


def first_bytes(path: Path, count: int) -> bytes:
    """Return the first bytes of a database that may be in use. Raises OSError."""
    with kept_descriptor(path) as descriptor:
        return os.pread(descriptor, count, 0)


def _content(path: Path) -> bytes:
    """Return the bytes of a database that may be in use."""
    parts, at = [], 0
    with kept_descriptor(path) as descriptor:
        while part := os.pread(descriptor, BLOCK, at):
            parts.append(part)
            at += len(part)
    return b"".join(parts)


@contextmanager
def kept_descriptor(path: Path) -> Iterator[int]:
    """Give what a database that may be in use is read with, for the block.

    It stays open until the file is deleted: closing it would drop the locks of every connection of this
    process to the file (POSIX), and another process could then delete a log that is in use.
    """
    status = path.stat()
    key = status.st_dev, status.st_ino
    with _keeping:
        if key not in _kept:
            _let_go_of_deleted()
            _kept[key] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        _readers[key] += 1
        descriptor = _kept[key]
    try:
        yield descriptor
    finally:
        with _keeping:
            _readers[key] -= 1


def _let_go_of_deleted() -> None:
    """Close what is kept of files that have no name any more: they hold room, and descriptors are few."""
    for key, descriptor in list(_kept.items()):
        if not _readers[key] and not os.fstat(descriptor).st_nlink:
            os.close(_kept.pop(key))
            del _readers[key]
