"""What an error says about the card: full, damaged, or not working just now. Nothing else is deduced.

An I/O error alone proves neither: a card that stalls returns one and is well a second later.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from typing import TYPE_CHECKING

from edge.errors import StoreError, StoreUnavailable

if TYPE_CHECKING:
    from pathlib import Path

LEAST_FREE_BYTES = 256 * 1024
"""With less, SQLite can fail in ways that do not say "full": its shared memory is a file as well."""

UNWRITABLE = frozenset(
    {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL}
)
"""What SQLite says where it may not, or has no room to, write beside the file that it only reads."""

DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def is_full(error: Exception, folder: Path) -> bool:
    """Return whether room is what is missing in `folder`: SQLite says so, or it failed and none is left."""
    code = _code(error)
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return True
    is_short_of_it = code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and _is_short(folder)
    return code == sqlite3.SQLITE_FULL or is_short_of_it


def needs_writing(error: Exception) -> bool:
    """Return whether a question may have failed for want of a place to write to, and can be asked without."""
    return _code(error) in UNWRITABLE


def is_damage(error: Exception) -> bool:
    """Return whether SQLite read bytes that are no database. A fresh look may prove it wrong."""
    return _code(error) in DAMAGE


def is_read_only(error: Exception) -> bool:
    """Return whether nothing may be written: a card that turned so, or a file that says so of itself."""
    return _code(error) == sqlite3.SQLITE_READONLY


def is_refusal(error: BaseException | None) -> bool:
    """Return whether a file was refused for what it says of itself, which one wrong bit can make it say."""
    if isinstance(error, sqlite3.Error):
        return _code(error) in {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_READONLY}
    return isinstance(error, StoreError) and not isinstance(error, StoreUnavailable)


def leaves_usable(error: Exception) -> bool:
    """Return whether the connection that failed so can go on: the disk is full, or another writes."""
    return _code(error) in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _code(error: Exception) -> int:
    # The low byte is the kind of error, what is above tells more of it (SQLITE_IOERR_FSYNC and so on).
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _is_short(folder: Path) -> bool:
    try:
        space = os.statvfs(folder)
    except OSError:
        return False
    return space.f_bavail * space.f_frsize < LEAST_FREE_BYTES
