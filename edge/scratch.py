"""Where short-lived files go: into memory, for a card may be full or read-only when they are needed.

Without a folder that takes files the relay guard cannot load what drives its line, and nobody gets in.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PLACES = ("/dev/shm", "/run/shm")  # noqa: S108 - memory, in folders of our own that nobody else may enter


def memory_folder(environ: Mapping[str, str] = os.environ) -> str | None:
    """Return a folder in memory in which folders can be made; None for wherever temporary files go.

    Shared memory has more room than `$RUNTIME_DIRECTORY`, and systemd empties it when the unit ends.
    """
    runtime = environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    for place in (*PLACES, runtime):
        with suppress(OSError):
            if place:
                Path(tempfile.mkdtemp(prefix="facegate-", dir=place)).rmdir()
                return place
    return None
