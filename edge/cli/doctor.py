"""`facegate doctor`: does this door work, and if not, what to do."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.cli.data_dir import work_as_owner
from edge.cli.run import config_option
from edge.cli.table import columns, padded
from edge.state_folder import state_folder
from edge.words import LANGUAGES

if TYPE_CHECKING:
    from edge.findings import CheckupFinding

COLOURS = {"green": "green", "amber": "yellow", "red": "red"}


@click.command()
@config_option
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="The door's data folder. [default: the one in the settings]",
)
@click.option(
    "--language",
    "-l",
    type=click.Choice(LANGUAGES),
    default=LANGUAGES[0],
    show_default=True,
    help="Language of what is told.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object with every finding.")
def doctor(config: Path, data: Path | None, language: str, as_json: bool) -> None:
    """Check everything this door needs: camera, models, guard, inputs, clock, disk, broker, people.

    Below each problem stands what to do about it. While the door runs, its camera and guard are not tried.
    The exit code is 1 when something is red.

    Example: facegate doctor --language zh
    """
    from edge.config import load_settings
    from edge.faces.weights import models_directory
    from edge.findings import worst
    from edge.service.checkup.door import look_at

    settings = load_settings(config)
    folder = data or settings.storage.directory or state_folder()
    work_as_owner(folder)
    own = folder / "models"
    found = look_at(settings, folder, own if own.is_dir() else models_directory(), datetime.now(UTC))
    if as_json:
        click.echo(json.dumps({"light": worst(found), "findings": [_plain(one, language) for one in found]}))
    else:
        _show(found, language)
    if worst(found) == "red":
        raise click.exceptions.Exit(1)


def _plain(finding: CheckupFinding, language: str) -> dict[str, str | None]:
    way_out = finding.way_out
    return {
        "name": finding.name,
        "light": finding.light,
        "what": finding.what.said(language),
        "way_out": None if way_out is None else way_out.said(language),
    }


def _show(found: list[CheckupFinding], language: str) -> None:
    lights = [one.word.said(language) for one in found]
    titles = [one.title.said(language) for one in found]
    wide = max(map(columns, lights)), max(map(columns, titles))
    for one, light, title in zip(found, lights, titles, strict=True):
        shown = click.style(padded(light, wide[0]), fg=COLOURS[one.light])
        click.echo(f"{shown}  {padded(title, wide[1])}  {one.what.said(language)}")
        if one.way_out is not None:
            click.echo(f"{' ' * (sum(wide) + 4)}-> {one.way_out.said(language)}")
