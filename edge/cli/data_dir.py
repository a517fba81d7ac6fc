"""The option `--data`: the folder that holds the journal and the residents."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

F = TypeVar("F", bound="Callable[..., Any]")


def default_data_dir(environment: Mapping[str, str] = os.environ) -> Path:
    """Return systemd's state folder when there is one, else the user's own (XDG)."""
    if state := environment.get("STATE_DIRECTORY"):
        return Path(state.split(":")[0])
    if data := environment.get("XDG_DATA_HOME"):
        return Path(data) / "facegate"
    return Path.home() / ".local" / "share" / "facegate"


def data_option(command: F) -> F:
    """Add `--data DIR`; the command gets a `data: Path`."""
    return click.option(
        "--data",
        type=click.Path(file_okay=False, path_type=Path),
        default=default_data_dir,
        show_default="$STATE_DIRECTORY or ~/.local/share/facegate",
        help="Folder of the journal and the residents.",
    )(command)
