"""Whose data folder it is: a running door says so, and a second panel is refused."""

from __future__ import annotations

import fcntl
import logging
import os
from typing import TYPE_CHECKING

from edge.aside import promptly
from edge.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)

LOCK_FILE = "service.lock"
"""Its name inside the data folder. The kernel frees the lock when the process ends, however it ends."""


class OwnFolder:
    """Marks a data folder as a running door's for as long as it is open. Never waits.

    Where another door has the mark already, or the card gives none, `is_marked` is False and the log
    says so; a door that refused to run would lock everybody out.
    """

    def __init__(self, data: Path) -> None:
        self._file = _opened(data / LOCK_FILE)
        self.is_marked = self._file is not None and _is_taken(self._file, data)

    def close(self) -> None:
        """Give the mark up."""
        if self._file is not None:
            os.close(self._file)


def _opened(path: Path) -> int | None:
    """Return a descriptor of the mark; reading is enough to hold it. None on a card that gives neither."""
    try:
        return promptly("own-folder", lambda: os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        problem = error
    try:
        # The card may have turned read-only, as the kernel does after errors: `flock` needs no right to
        # write.
        return promptly("own-folder", lambda: os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        logger.error("%s: nobody can see that a door runs here: %s", path, problem)  # noqa: TRY400
        return None


def _is_taken(file: int, data: Path) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        logger.error("%s: another door runs on this folder; stop one of them", data)  # noqa: TRY400
        return False
    return True


def runs_here(data: Path) -> bool:
    """Return whether a door runs on this folder."""
    return (data / LOCK_FILE).exists() and not _is_free(data / LOCK_FILE)


def require_no_door(data: Path, way_out: str) -> None:
    """Raise `StoreError` with `way_out` while a door runs on this folder."""
    if runs_here(data):
        raise StoreError(f"{data}: a door is running here; {way_out}")


def _is_free(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            # Shared, so that two commands that look at once do not take each other for a door.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return False
    return True
