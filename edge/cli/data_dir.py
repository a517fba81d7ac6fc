"""The option `--data`: the folder that holds the journal and the residents."""

from __future__ import annotations

import contextlib
import os
import stat
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
    """Add `--data DIR`; the command gets a `data: Path`.

    What root makes in somebody else's folder is handed over at the end: the service could not read it.
    """
    return click.option(
        "--data",
        callback=_hand_over_later,
        type=click.Path(file_okay=False, path_type=Path),
        default=default_data_dir,
        show_default="$STATE_DIRECTORY or ~/.local/share/facegate",
        help="Folder of the journal and the residents.",
    )(command)


def hand_over(data: Path, owner: tuple[int, int], made_by: int = 0) -> None:
    """Give what user `made_by` owns in the folder `data` to `owner` (user, group), the folder included.

    Links stay as they are: the folder's owner could point one at a file that is none of his business.
    """
    for path in (data, *data.rglob("*")):
        with contextlib.suppress(FileNotFoundError):  # a database's journal may go at any time
            found = path.lstat()
            is_own = stat.S_ISDIR(found.st_mode) or (stat.S_ISREG(found.st_mode) and found.st_nlink == 1)
            if found.st_uid == made_by and is_own:
                os.chown(path, *owner, follow_symlinks=False)


def _hand_over_later(context: click.Context, _parameter: click.Parameter, data: Path) -> Path:
    if os.geteuid() == 0 and data.is_dir() and (found := data.stat()).st_uid != 0:
        context.call_on_close(lambda: hand_over(data, (found.st_uid, found.st_gid)))
    return data
