"""What the command line takes for pictures, recordings and folders of them, and how liveness judges them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class _Recording(click.Path):
    """An existing file. A pipe has no end while nobody writes into it, and would be waited for for ever."""

    def __init__(self) -> None:
        super().__init__(exists=True, dir_okay=False, path_type=Path)

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        """See `click.ParamType`."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not path.is_file():
            said = f"{path}: a pipe or device; save it as a file, or name a camera with --camera"
            self.fail(said, param, ctx)
        return path


RECORDING = _Recording()
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)

galleries_option = click.option(
    "--gallery",
    "galleries",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    help="Folder with one folder of photos or clips per resident; may be repeated.",
)

people_option = click.option(
    "--people", type=FOLDER, required=True, help="One recording, or folder, per resident."
)


def liveness_option(default: str, *modes: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option for attack detection of a command that can work in these modes."""
    choice = click.Choice(modes)
    return click.option(
        "--liveness", type=choice, default=default, show_default=True, help="Attack detection."
    )
