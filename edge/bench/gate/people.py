"""From folders of recordings and photographs to a cast and a gallery."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.bench.gate.cast import load_frames, make_actor, split
from edge.bench.gate.compose import START
from edge.bench.gate.scenes import Cast
from edge.camera.file import is_picture
from edge.domain import Frame
from edge.enrol.shots import ShotTaker, agreeing, resident_rows
from edge.errors import EnrolmentRefused, FacegateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from edge.bench.gate.cast import Actor
    from edge.domain import Embedding, Image
    from edge.service.recognition.recogniser import Models

CLIP_SUFFIXES = frozenset({".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v"})


def load_cast(
    people: Path, strangers: Path | None, shown: Path | None, models: Models, report: Callable[[str], object]
) -> tuple[Cast, dict[str, list[Embedding]]]:
    """Return who plays, and the rows to enrol for the residents.

    In each folder a file, or a folder of files, is one person; the name without its suffix is the
    resident's. A recording enrols its person from its beginning and acts from the rest; of two photographs
    the first enrols and the second acts. Recordings in
    `shown` are of pictures or screens and are named after the resident that they show. Who cannot be
    used is left out and reported. Raises `FacegateError` with fewer than two residents.
    """
    taker = ShotTaker(models.detector, models.embedder)
    rows: dict[str, list[Embedding]] = {}
    residents = []
    for name, files in _named(people):
        try:
            enrolled, acting, fps = _loaded(files)
            rows[name] = _enrol(taker, enrolled, fps, name)
            residents.append(make_actor(name, acting, fps, models.detector))
        except FacegateError as error:
            rows.pop(name, None)
            report(f"left out: {error}")
    if len(residents) < 2:
        raise FacegateError(f"{people}: {len(residents)} people that can be enrolled, at least 2 needed")
    others = list(_actors(strangers, models, report))
    return Cast(residents, others, list(_actors(shown, models, report, known=set(rows)))), rows


def _actors(
    folder: Path | None, models: Models, report: Callable[[str], object], known: set[str] | None = None
) -> Iterator[Actor]:
    for name, files in () if folder is None else _named(folder):
        if known is not None and name not in known:
            report(f"left out: {files[0]} shows {name}, who is no resident here")
            continue
        try:
            _, acting, fps = _loaded(files)
            yield make_actor(name, acting, fps, models.detector)
        except FacegateError as error:
            report(f"left out: {error}")


def _named(folder: Path) -> Iterator[tuple[str, list[Path]]]:
    """Yield each person's name and first recording, or first two photographs, in order of name."""
    for entry in sorted(folder.iterdir()):
        files = sorted(entry.iterdir()) if entry.is_dir() else [entry]
        clips = [file for file in files if file.suffix.lower() in CLIP_SUFFIXES]
        pictures = [file for file in files if is_picture(file)]
        if chosen := clips[:1] or pictures[:2]:
            yield entry.stem, chosen


def _loaded(files: Sequence[Path]) -> tuple[list[Image], list[Image], float]:
    """Return the frames to enrol from and those that act, and how many of these there are a second."""
    frames, fps = load_frames(files[0])
    enrolled, acting = split(frames)
    if len(files) > 1:
        acting, fps = load_frames(files[1])
    return enrolled, acting, fps


def _enrol(taker: ShotTaker, frames: list[Image], fps: float, name: str) -> list[Embedding]:
    if len(frames) == 1:
        return resident_rows([taker.from_image(frames[0], name)])
    clip = [Frame(image, number, number / fps, START) for number, image in enumerate(frames)]
    harvest = agreeing(taker.from_clip(clip, name))
    if not harvest.shots:
        raise EnrolmentRefused(f"{name}: nothing to enrol from")
    return resident_rows(harvest.shots)
