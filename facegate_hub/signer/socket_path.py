"""Names of sockets of any length: the system takes 107 bytes, and a site's folder may lie deeper."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_BYTES = 107


@contextmanager
def reachable(path: Path) -> Iterator[str]:
    """Give a name for `path` that `bind` and `connect` take. Raises `OSError` without its folder."""
    if len(os.fsencode(path)) <= MOST_BYTES:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
