"""The installer's files as a service last read them, in memory: for a start at which the card gives none.

One block of a dying card is enough to keep a door shut for good: the service is started anew, its settings
cannot be read, and nobody gets in. systemd keeps `$RUNTIME_DIRECTORY` over a restart of its unit
(RuntimeDirectoryPreserve=restart) and begins it anew at every boot; nobody else may write there. Without that
folder, as in a terminal, files are read as they are.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from edge.aside import TooSlow, begin_beside, monotonic, promptly
from edge.errors import may_pass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.aside import Asked

LOG = logging.getLogger(__name__)

AGAIN_SECONDS = 60.0
"""After so long it is looked whether the card gives a file again."""

_read: dict[Path, KeptFile] = {}


def read(path: Path, environ: Mapping[str, str] = os.environ) -> bytes:
    """Return the content of a file; of one that the card does not give now, what was read of it before.

    Raises OSError.
    """
    runtime = environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    if not runtime:
        return path.read_bytes()
    file = _read.setdefault(path, KeptFile(path, Path(runtime)))
    return file.read()


def files() -> dict[str, KeptFile]:
    """Return the files that this process has read so, by name."""
    return {path.name: file for path, file in _read.items()}


class KeptFile:
    """One file and what was read of it before. Any thread."""

    def __init__(self, path: Path, folder: Path) -> None:
        self._path = path
        self._copy = folder / f"read-{hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:16]}"
        self._problem: str | None = None
        self._looked_at = 0.0
        self._look: Asked[bytes] | None = None

    @property
    def problem(self) -> str | None:
        """Why what was read before counts; None when the file itself does. Looks again now and then."""
        is_over = self._look is None or self._look.is_done
        if self._problem is not None and is_over and monotonic() - self._looked_at >= AGAIN_SECONDS:
            self._looked_at = monotonic()
            self._look = begin_beside("kept-file", self.read)
        return self._problem

    def read(self) -> bytes:
        """Return the content that counts. Raises OSError when there is none."""
        before = self._before()
        try:
            # A card that hangs is waited for only where there is nothing else to go by.
            now = self._path.read_bytes() if before is None else self._promptly()
        except OSError as error:
            if before is None or not (isinstance(error, TooSlow) or may_pass(error)):
                raise
            if self._problem is None:
                LOG.critical("%s: what was read of it before counts: %s", self._path, error)
                self._looked_at = monotonic()
            self._problem = str(error)
            return before
        self._problem = None
        if before != now:
            self._keep(now)
        return now

    def _promptly(self) -> bytes:
        return promptly("kept-file", self._path.read_bytes)

    def _before(self) -> bytes | None:
        try:
            digest, _, data = self._copy.read_bytes().partition(b"\n")
        except OSError:
            return None
        return data if digest == _digest(data) else None

    def _keep(self, data: bytes) -> None:
        draft = self._copy.with_name(f"{self._copy.name}.{secrets.token_hex(4)}")
        with suppress(OSError):  # a copy is a second chance, not a promise
            try:
                descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
                with os.fdopen(descriptor, "wb") as file:
                    file.write(_digest(data) + b"\n" + data)
                draft.replace(self._copy)
            finally:
                draft.unlink(missing_ok=True)


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()
