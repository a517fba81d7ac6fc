"""`facegate bench matcher`: what searching a gallery costs, peers beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge.cli.json_option import report_json_option
from edge.cli.rates import Measure
from edge.cli.written import WRITTEN_FILE

if TYPE_CHECKING:
    from edge.bench.matcher.data import Crowd
    from edge.domain import Embedding

SIZES = (500, 10_000, 100_000)


@click.command()
@click.option(
    "--templates",
    "sizes",
    multiple=True,
    type=click.IntRange(2),
    default=SIZES,
    show_default=True,
    help="Sizes of the gallery; may be repeated.",
)
@click.option("--dim", default=128, show_default=True, help="Length of a synthetic embedding.")
@click.option(
    "--probes",
    "batches",
    multiple=True,
    type=click.IntRange(1),
    default=(1, 4),
    show_default=True,
    help="Faces that are searched for at once; may be repeated.",
)
@click.option("--gallery", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Real people.")
@click.option("--video", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Real probes.")
@click.option(
    "--seconds", default=5.0, show_default=True, type=Measure(0, 3600), help="Time per size and batch."
)
@click.option("--plot", "picture", type=WRITTEN_FILE, help="PNG over the size.")
@click.option("--scale", is_flag=True, help="Only ours: load, memory, and changes during searches.")
@report_json_option
def matcher(
    sizes: tuple[int, ...],
    dim: int,
    batches: tuple[int, ...],
    gallery: Path | None,
    video: Path | None,
    seconds: float,
    picture: Path | None,
    scale: bool,
    as_json: bool,
) -> None:
    """Measure the matcher beside numpy, FAISS, usearch and the face_recognition loop.

    With --gallery DIR (a folder per person) the gallery is real, padded to each size with synthetic
    people of the same statistics. With --video CLIP as well, CLIP is recognised first: its probes
    are what is asked, and the matcher's share of the frame is reported.

    Example: facegate bench matcher --templates 1000000 --scale

    Example: facegate bench matcher --templates 10000 --plot matcher.png
    """
    from edge.bench.plots import require_plot
    from edge.matcher.arena import MOST_DIM

    require_plot(picture)
    if not 1 <= dim <= MOST_DIM:
        raise click.BadParameter(f"{dim} is not in the range 1<=x<={MOST_DIM}", param_hint="--dim")
    if scale:
        _echo_scale(sizes, dim, as_json)
        return
    if video and not gallery:
        raise click.UsageError("--video needs --gallery: the people to recognise")
    found = _race(sizes, dim, batches, seconds, gallery, video)
    if picture:
        from edge.bench.matcher.search import plot

        plot(found, picture)
    click.echo(json.dumps(found) if as_json else _text(found))


def _race(
    sizes: tuple[int, ...],
    dim: int,
    batches: tuple[int, ...],
    seconds: float,
    gallery: Path | None,
    video: Path | None,
) -> dict[str, Any]:
    from edge.bench.matcher.search import race, report

    share: dict[str, Any] = {}
    residents, probes = _real(gallery, video, share) if gallery else ({}, None)
    figures, origin = [], ""
    for size in sizes:
        crowd = _crowd(size, dim, residents, probes)
        origin = crowd.origin
        for batch in batches:
            figures += race(crowd, batch, seconds)
    return report(figures, origin) | share


def _echo_scale(sizes: tuple[int, ...], dim: int, as_json: bool) -> None:
    from edge.bench.matcher.scale import scale

    for size in sizes:
        found = scale(size, dim)
        click.echo(
            json.dumps(found) if as_json else ", ".join(f"{key} {value}" for key, value in found.items())
        )


def _real(gallery: Path, video: Path | None, share: dict[str, Any]) -> tuple[dict[str, list[Embedding]], Any]:
    from edge.bench.matcher.video import people, recognised

    detector, embedder, residents = people(gallery)
    if video is None:
        return residents, None
    found = recognised(detector, embedder, residents, video)
    share |= {"video": found.costs()}
    return residents, found.probes


def _crowd(size: int, dim: int, residents: dict[str, list[Embedding]], probes: Any) -> Crowd:
    from dataclasses import replace

    from edge.bench.matcher.data import padded, synthetic

    if not residents:
        return synthetic(size, dim)
    crowd = padded(residents, size)
    return crowd if probes is None else replace(crowd, probes=probes)


def _text(found: dict[str, Any]) -> str:
    from edge.bench.matcher.search import table

    if "video" not in found:
        return table(found)
    video = found["video"]
    return (
        f"{table(found)}\n\n{video['clip']}: {video['searches']} searches in {video['frames']} frames,"
        f" {video['identify_us_median']} us each (median), {video['share_percent']} % of the CPU"
    )
