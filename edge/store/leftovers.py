"""What a backup that was killed leaves in the data folder."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SNAPSHOT = ".backup-"
"""How the folder of copies is called, inside the data folder, while a backup is made."""


def clear_leftovers(data: Path) -> None:
    """Remove what a killed backup left in the folder: copies that no withdrawal would reach.

    Call it when no backup runs; one that does fails and can be made again.
    """
    for folder in data.glob(f"{SNAPSHOT}*"):
        shutil.rmtree(folder, ignore_errors=True)
