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
_opening: dict[tuple[int, int], threading.Lock] = {}
"""One for each file: where the card hangs at one, the others are opened all the same."""


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
    with _opening.setdefault(key, threading.Lock()):
        with _keeping:
            descriptor = _kept.get(key)
            gone = _deleted() if descriptor is None else []
            _readers[key] += descriptor is not None
        for one in gone:
            os.close(one)
        if descriptor is None:
            # No other file waits meanwhile: on a card that hangs this returns after half a minute, or never.
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            with _keeping:
                _kept[key] = descriptor
                _readers[key] += 1
    try:
        yield descriptor
    finally:
        with _keeping:
            _readers[key] -= 1


def _deleted() -> list[int]:
    """Return what is to be closed, of files without a name: they hold room, and descriptors are few."""
    unused = [key for key in _kept if not _readers[key] and not os.fstat(_kept[key]).st_nlink]
    for key in unused:
        del _readers[key]
    return [_kept.pop(key) for key in unused]
