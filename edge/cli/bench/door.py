"""`facegate bench door`: what a resident waits for at a running door, on a slower core too."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import click

from edge.cli.json_option import report_json_option
from edge.cli.recording import galleries_option, liveness_option, people_option


@click.command()
@people_option
@galleries_option
@liveness_option("passive", "off", "passive")
@click.option(
    "--slower",
    type=click.FloatRange(1, 20),
    multiple=True,
    default=(1.0, 2.0, 4.0),
    show_default=True,
    help="How many times slower than a core of this machine; may be repeated.",
)
@report_json_option
def door(
    people: Path, galleries: tuple[Path, ...], liveness: str, slower: tuple[float, ...], as_json: bool
) -> None:
    """Play walk-ups to `facegate run` on one core: seconds to the opening, frames a second, CPU, memory.

    The residents of --people walk up one after the other, 9 s each, in real time before a made-up corridor. A
    slower core is this one with the door standing still most of the time, 20 ms by 20 ms. Use a machine that
    does nothing else.

    Example: facegate bench door --people residents/ --gallery more-people/ --slower 4
    """
    from edge.bench.door.recording import write_walk_ups
    from edge.bench.door.walk_ups import Household, measure
    from edge.bench.gate.people import load_cast
    from edge.replay.gallery import load_gallery
    from edge.service.recognition.recogniser import open_models

    models = open_models()
    cast, rows = load_cast(people, None, None, models, lambda text: click.echo(text, err=True))
    others = load_gallery(galleries, models)
    household = Household({**others.residents, **rows}, models.embedder.model_id)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        walk_ups = write_walk_ups(cast.residents, folder / "walk-ups.avi")
        for number, times in enumerate(slower):
            found = measure(walk_ups, household, liveness, times, folder / str(number))
            click.echo(json.dumps(found) if as_json else _text(found))


def _text(found: dict[str, Any]) -> str:
    return (
        "{times_slower:g} times slower, liveness {liveness}, {residents} residents:\n"
        "  let in {let_in} of {walk_ups}, {wait_s} s after a face of 90 px (median),"
        " {longest_wait_s} s at most; refused {refusals}\n"
        "  {frames_a_second} frames/s ({frames_dropped} dropped), {cpu_percent} % of a core of this machine,"
        " {start_cpu_ms} ms of CPU to start\n"
        "  memory {rss_mb} MB, {private_mb} MB without mapped libraries".format(**found)
    )
