"""`facegate evaluate pad`: attack-detection figures on recorded presentations."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.cli.rates import Measure
from edge.cli.written import WRITTEN_FILE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.bench.pad.door import DoorResult
    from edge.bench.pad.result import PadResult
    from edge.bench.pad.series import SeriesTable
    from edge.bench.pad.set import Presentation

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
REACH = Measure(1, 20)
"""Less than the face itself shows none, and beyond this most pictures end."""


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--list", "listing", type=FILE, help="CSV of presentations: path, person, species, start, end.")
@click.option("--nets", "sets", multiple=True, help="Networks, comma-separated; may be given several times.")
@click.option("--reach", type=REACH, help="Hide the border: cut frames to this many face sizes first.")
@click.option("--door", is_flag=True, help="Also run the whole door: IAPAR, time to grant, cost by mode.")
@click.option(
    "--series",
    "series",
    default="",
    help="Play the recordings changed, comma-separated: plain, grey, dim, bright, fps, shrunken, groups.",
)
@click.option(
    "--others",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Enrol these people as well, a folder each: a small gallery hides wrong names.",
)
@click.option("--plot", type=WRITTEN_FILE, help="Write a plot of the rates with their intervals (PNG, SVG).")
@click.option("--page", "page_file", type=WRITTEN_FILE, help="Write the honest-limits page (Markdown).")
@click.option("--notes", type=FILE, help="Markdown to append to the page.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def pad(
    folder: Path,
    listing: Path | None,
    sets: tuple[str, ...],
    reach: float | None,
    door: bool,
    series: str,
    others: Path | None,
    plot: Path | None,
    page_file: Path | None,
    notes: Path | None,
    as_json: bool,
) -> None:
    """Measure attack detection on the recordings in FOLDER, per species, worst first.

    FOLDER holds SPECIES/PERSON/CLIP as `facegate pad record` writes it (species `live` are living
    people), or a presentations.csv, or the index.csv of the shared evaluation set.

    Example: facegate evaluate pad site-recordings --door --page limits.md
    """
    from edge.bench.pad.page import door_line, door_section, page, series_section
    from edge.bench.pad.report import as_json as plain
    from edge.bench.pad.report import draw, sentence, still_needed, table
    from edge.bench.pad.series import require_series
    from edge.bench.pad.set import load_presentations
    from edge.bench.plots import require_plot

    require_series(_listed(series))
    require_plot(plot)
    presentations = load_presentations(folder, listing)
    text = notes.read_text(encoding="utf-8", errors="replace") if notes else ""
    results = [_judged(presentations, names, reach) for names in sets or ("",)]
    doors = _doors(presentations, results) if door else []
    tables = _series(presentations, sets or ("",), _listed(series), others) if _listed(series) else []
    if plot:
        draw(results, plot)
    if page_file:
        place = os.path.relpath(plot, page_file.parent) if plot else None
        page_file.write_text(page(results, doors, text, place, tables), encoding="utf-8")
    if as_json:
        values = {
            "results": [plain(one) for one in results],
            "doors": [door_line(one) for one in doors],
            "series": [{"mode": table.mode, **asdict(row)} for table in tables for row in table.rows],
        }
        click.echo(json.dumps(values))
        return
    for result in results:
        click.echo(f"{table(result)}\n\n{sentence(result)}\n\n{still_needed(result)}\n")
    if doors:
        click.echo(door_section(doors))
    if tables:
        click.echo(series_section(tables))


def _listed(names: str) -> list[str]:
    return [one.strip() for one in names.split(",") if one.strip()]


def _judged(presentations: Sequence[Presentation], names: str, reach: float | None) -> PadResult:
    from edge.bench.pad.result import summarise
    from edge.bench.pad.watch import Watcher
    from edge.faces.liveness.load import load_nets
    from edge.service.recognition.recogniser import open_models

    models = open_models()
    nets = load_nets(names.split(",")) if names else load_nets()
    watcher = Watcher(models.detector, models.embedder, nets, reach)
    watched = []
    for number, one in enumerate(presentations, 1):
        click.echo(f"{number}/{len(presentations)} {one.species} {one.path.name}", err=True)
        watched.append(watcher.watch(one))
    return summarise([net.spec.name for net in nets], watched)


def _series(
    presentations: Sequence[Presentation], sets: Sequence[str], names: Sequence[str], others: Path | None
) -> list[SeriesTable]:
    from edge.bench.pad.series import SeriesDoor

    door = SeriesDoor.for_presentations(presentations, others)
    chosen = [one.split(",") if one else None for one in sets]
    return list(door.tables(chosen, names, lambda line: click.echo(line, err=True)))


def _doors(presentations: Sequence[Presentation], results: Sequence[PadResult]) -> list[DoorResult]:
    from random import Random

    from edge.bench.pad.door import run_door
    from edge.faces.liveness.active import ActiveCheck, Asking
    from edge.faces.liveness.check import PassiveCheck
    from edge.faces.liveness.demands import Demands
    from edge.faces.liveness.load import load_nets
    from edge.service.recognition.recogniser import open_models

    models = open_models()
    doors = [run_door(models, presentations, "off", lambda: None)]
    for result in results:
        nets = load_nets(result.nets)
        mode = f"passive with {' + '.join(result.nets)}"
        accepting = Demands(weak="accept")  # what the networks say; a door asks for more by default
        check = partial(PassiveCheck, nets, models.embedder, demands=accepting)
        doors.append(run_door(models, presentations, mode, check))
    strict = Asking(lambda _who, _at: True, lambda _: None, Random(1))  # noqa: S311 - nobody sees the steps
    doors.append(
        run_door(
            models,
            presentations,
            f"strict with {' + '.join(results[-1].nets)}",
            lambda: ActiveCheck(check(), strict),
        )
    )
    return doors
