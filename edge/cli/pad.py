"""`facegate pad`: collect material for a test of attack detection at this very door."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge.lazy_group import ToldGroup

if TYPE_CHECKING:
    from edge.bench.pad.set import Presentation


FOLDER = click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
LISTING = click.option(
    "--list",
    "listing",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV of presentations: path, person, species, start, end.",
)


@click.group(cls=ToldGroup)
def pad() -> None:
    """Test attack detection at this door with your own presentations.

    Example: facegate pad record --species phone --person 07
    """


@pad.command()
@click.option("--species", required=True, help="live, or the instrument: phone, tablet, print, ...")
@click.option("--person", required=True, help="Whose face is shown: a number is enough.")
@click.option(
    "--camera", default="0", show_default=True, help="0, /dev/video0, rtsp://..., picamera, a file."
)
@click.option(
    "--seconds", default=5.0, show_default=True, type=click.FloatRange(1, 60), help="How long it records."
)
@click.option(
    "--folder",
    default="pad-recordings",
    show_default=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of all recordings.",
)
@click.option(
    "--size", default="640x480", show_default=True, help="Wanted width x height of a USB or CSI camera."
)
def record(species: str, person: str, camera: str, seconds: float, folder: Path, size: str) -> None:
    """Record one labelled presentation; says how many more each claim needs.

    The recordings show faces: ask the people first, keep them off the door, delete them afterwards.

    Example: facegate pad record --species phone --person 07 --camera 0
    """
    from datetime import UTC, datetime

    from edge.bench.pad.record import place
    from edge.bench.pad.record import record as write
    from edge.camera.source import CameraSpec, open_camera
    from edge.runtime.clock import SystemClock

    width, _, height = size.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise click.BadParameter(f"{size!r} is not like 640x480", param_hint="--size")
    path = place(folder, species, person, datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f"))
    source = open_camera(CameraSpec(camera, int(width), int(height)), SystemClock())
    try:
        frames = write(source, path, seconds, lambda _: None)
    finally:
        source.close()
    click.echo(f"{path}: {frames} frames")
    click.echo(_missing(folder))


@pad.command()
@FOLDER
def missing(folder: Path) -> None:
    """Show how many presentations there are per species, and how many more each claim needs.

    Example: facegate pad missing pad-recordings
    """
    click.echo(_missing(folder))


@pad.command()
@FOLDER
@LISTING
@click.option(
    "--nets",
    default="faceplugin",
    show_default=True,
    help="Networks, comma-separated; each is measured by itself, then the rules over them.",
)
def frames(folder: Path, listing: Path | None, nets: str) -> None:
    """Measure single frames and one-second means of the recordings in FOLDER, network by network.

    The door decides on more than a frame: see `facegate evaluate pad`. This compares networks.

    Example: facegate pad frames site-recordings --nets silentface-2.7,silentface-4.0,faceplugin
    """
    from edge.bench.pad.frames import FrameScorer, frame_rates, frame_table, opinions
    from edge.faces.liveness.load import open_networks
    from edge.service.recognition.recogniser import open_models

    opened = open_networks(nets.split(","))
    scorer = FrameScorer(open_models().detector, opened)
    scored = [scorer.score(one) for one in _presentations(folder, listing)]
    found = opinions([net.spec.name for net in opened])
    click.echo(frame_table([frame_rates(name, names, scored) for name, names in found.items()]))
    near = [one.presentation for one in scored if one.frames]
    attacks = sum(one.is_attack for one in near)
    click.echo(f"\nAPCER mean (worst) / BPCER, %; {attacks} attacks, {len(_people(near))} living people")


@pad.command()
@FOLDER
@LISTING
@click.option("--tries", default=400, show_default=True, type=click.IntRange(1), help="Per face and length.")
def chance(folder: Path, listing: Path | None, tries: int) -> None:
    """Show how often the faces recorded in FOLDER answer a random challenge by chance.

    Each recording is started anywhere and runs in a loop; the networks are left out.

    Example: facegate pad chance site-recordings
    """
    from edge.bench.pad.poses import chance_table, chances, recorded_poses
    from edge.faces.detector import load_detector

    detector = load_detector()
    recordings = [found for one in _presentations(folder, listing) for found in recorded_poses(detector, one)]
    click.echo(chance_table(chances(recordings, tries)))


@pad.command()
@FOLDER
@LISTING
def flat(folder: Path, listing: Path | None) -> None:
    """Show how flat turning photographs are, made from the living clips in FOLDER, and heads that turn.

    A challenge takes a turn below the printed line for that of a picture.

    Example: facegate pad flat site-recordings
    """
    from random import Random

    from edge.bench.pad.turns import Turns, turns_of, turns_text
    from edge.faces.detector import load_detector

    detector, random, found = load_detector(), Random(1), Turns([], [])  # noqa: S311 - repeatable
    for one in _presentations(folder, listing):
        if not one.is_attack:
            found.add(turns_of(detector, one, random))
    click.echo(turns_text(found))


def _presentations(folder: Path, listing: Path | None) -> list[Presentation]:
    from edge.bench.pad.set import load_presentations

    return load_presentations(folder, listing)


def _people(presentations: list[Presentation]) -> set[str]:
    return {one.person for one in presentations if not one.is_attack}


def _missing(folder: Path) -> str:
    from edge.bench.pad.rates import trials_for_claim
    from edge.bench.pad.set import load_presentations

    found = load_presentations(folder)
    needs = {rate: trials_for_claim(rate) for rate in (0.05, 0.01)}
    return "\n".join(_line(species, found, needs) for species in sorted({one.species for one in found}))


def _line(species: str, found: list[Presentation], needs: dict[float, int]) -> str:
    people = Counter(one.person for one in found if one.species == species)
    count = people.total()
    claims = ", ".join(
        f"{max(need - count, 0)} more for at most {100 * rate:.0f} %" for rate, need in needs.items()
    )
    return f"{species}: {count} presentations of {len(people)} people; without an error, {claims}"
