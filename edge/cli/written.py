"""What the command line takes for a file or folder that a long measurement is to be written to."""

from __future__ import annotations

import os
from pathlib import Path

import click


class _Written(click.Path):
    """A file or folder that can be written now: to hear that afterwards would cost the measurement."""

    def __init__(self, *, is_folder: bool) -> None:
        super().__init__(file_okay=not is_folder, dir_okay=is_folder, writable=True, path_type=Path)

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> Path:
        """See `click.ParamType`."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if path.exists():
            return path
        parents = path.absolute().parents
        around = next(parent for parent in parents if parent.exists()) if self.dir_okay else parents[0]
        if not around.is_dir():
            self.fail(f"{path}: there is no folder {around}", param, ctx)
        if not os.access(around, os.W_OK | os.X_OK):
            self.fail(f"{path}: nothing may be written in {around}", param, ctx)
        return path


WRITTEN_FILE = _Written(is_folder=False)
WRITTEN_FOLDER = _Written(is_folder=True)
