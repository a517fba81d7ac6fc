"""`facegate bench enrol`: what comes of enrolling people from recordings."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click


@click.command()
@click.argument("clips", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--model", default="sface", show_default=True, help="Face network, as in `facegate models list`."
)
@click.option(
    "--liveness",
    type=click.Choice(["passive", "off"]),
    default="passive",
    show_default=True,
    help="Enrol only living people; off: do not look.",
)
def enrol(clips: tuple[Path, ...], model: str, liveness: Literal["passive", "off"]) -> None:
    """Enrol the person of each of CLIPS by the panel's guided session; nothing is stored.

    A folder holds several recordings of one person, played one after the other.

    Example: facegate bench enrol anna.mp4 bo.mp4 --liveness off
    """
    from edge.bench.enrolment import sitting
    from edge.service.recognition.recogniser import open_models

    models = open_models(model)
    enrolled = 0
    for clip in clips:
        files = _files(clip)
        found = sitting(files, models, liveness)
        objection, report = found.outcome.objection, found.outcome.report
        enrolled += objection is None
        told = "enrolled" if objection is None else f"refused: {objection.refusal.value}"
        lowest = f", lowest similarity of held-out shots {report.lowest:.2f}" if report else ""
        click.echo(f"{clip.name}: {told}, {found.seconds:.0f} s of video{lowest}")
    click.echo(f"{enrolled} of {len(clips)} enrolled, liveness {liveness}")


def _files(clip: Path) -> list[Path]:
    """Return the recordings that a name stands for. Raises `EvaluationRefused` for a folder without any."""
    from edge.errors import EvaluationRefused

    if not clip.is_dir():
        return [clip]
    files = sorted(file for file in clip.iterdir() if file.is_file() and not file.name.startswith("."))
    if not files:
        raise EvaluationRefused(f"{clip}: no recordings in it; a folder is one person's")
    return files
