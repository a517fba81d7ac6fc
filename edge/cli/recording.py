"""What the command line takes for a picture or recording: a file that can be read twice."""

from __future__ import annotations

import os
from pathlib import Path

import click


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

galleries_option = click.option(
    "--gallery",
    "galleries",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    help="Folder with one folder of photos or clips per resident; may be repeated.",
)
