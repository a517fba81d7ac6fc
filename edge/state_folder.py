"""Where a door keeps what it has, when nobody says otherwise: models, residents, journal."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

OF_THE_INSTALLED = "state-folder"
"""A file in the folder of an installed program, written by install.sh: the line names the door's folder."""


def state_folder(environment: Mapping[str, str] = os.environ, program: Path = Path(sys.prefix)) -> Path:
    """Return `$STATE_DIRECTORY` (set by systemd for a service), or what the user or the installation has.

    A program that install.sh put on a board belongs to that board's door: its folder, whoever runs it. Any
    other has `$XDG_DATA_HOME/facegate` or `~/.local/share/facegate`.
    """
    if state := environment.get("STATE_DIRECTORY"):
        return Path(state.split(":")[0])
    try:
        return Path((program / OF_THE_INSTALLED).read_text(encoding="utf-8").strip())
    except FileNotFoundError:
        data = environment.get("XDG_DATA_HOME")
        return (Path(data) if data else Path.home() / ".local" / "share") / "facegate"
