"""`facegate bench panel`: what the panel costs the door."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import click

from edge.cli.json_option import report_json_option
from edge.cli.rates import Measure
from edge.cli.recording import RECORDING, liveness_option


@click.command()
@click.argument("clip", type=RECORDING)
@click.option(
    "--seconds", default=20.0, show_default=True, type=Measure(1, 3600), help="Per phase; there are five."
)
@liveness_option("off", "off", "passive")
@report_json_option
def panel(clip: Path, seconds: float, liveness: str, as_json: bool) -> None:
    """Measure the CPU of `facegate run` on CLIP without a panel, unwatched, and with one viewer of each kind.

    The clip plays in a loop; somebody should be in it, so that the recogniser has work. Use a
    machine that does nothing else.

    Example: facegate bench panel walk-up.mp4
    """
    from edge.bench.panel.cost import Wish, panel_cost
    from edge.camera.file import VideoFile

    VideoFile(clip).close()  # else the door waits for its first picture
    with tempfile.TemporaryDirectory() as folder:
        found = panel_cost(Wish(clip, seconds, liveness), Path(folder))
    click.echo(json.dumps(found) if as_json else _text(found))


def _text(found: dict[str, Any]) -> str:
    cpu, added = found["cpu_percent"], found["added_percent"]
    return (
        f"{found['clip']}, liveness {found['liveness']}, {found['seconds']:g} s each; percent of one core:\n"
        f"no panel                {cpu['off']:6.1f}\n"
        f"panel, nobody watching  {cpu['idle']:6.1f}  ({added['idle']:+.1f})\n"
        f"overview, told news     {cpu['overview']:6.1f}  ({added['overview']:+.1f})"
        f"  told {found['news']} times\n"
        f"overview, asking        {cpu['polled']:6.1f}  ({added['polled']:+.1f})\n"
        f"one viewer, live view   {cpu['viewer']:6.1f}  ({added['viewer']:+.1f})"
        f"  {found['pictures_per_second']} pictures/s, each after {found['answer_ms']} ms"
    )
