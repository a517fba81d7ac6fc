"""A small site made of installed demo photos: a recording of a walk-up and a resident's pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.demo.annotate import VideoSink
from edge.demo.render import FPS, HEIGHT, WIDTH, DemoStage
from edge.demo.story import acts, attack
from edge.faces.detector import load_detector
from edge.faces.manifest import load_manifest
from edge.faces.weights import checked
from tests.places import need_models

if TYPE_CHECKING:
    from pathlib import Path

    from edge.demo.render import Act

PHOTOS = ("obama", "obama2", "obama3", "biden", "astronaut")


def record_walk_ups(path: Path, first: int, last: int) -> Path:
    """Write the demo's acts `first` to `last` (exclusive) as a video with no lossy surprises."""
    need_models("yunet", "sface", *PHOTOS)
    return _record(path, acts(load_detector())[first:last])


def record_phone(path: Path) -> Path:
    """Write the demo's act of a phone with the resident's photo as a video."""
    need_models("yunet", "sface", *PHOTOS)
    return _record(path, [attack(load_detector())])


def _record(path: Path, programme: list[Act]) -> Path:
    sink = VideoSink(path, (WIDTH, HEIGHT), FPS)
    stage = DemoStage(programme)
    while (frame := stage.read()) is not None:
        sink.add(frame.image)
    sink.close()
    return path


def copy_photos(folder: Path, *names: str) -> list[Path]:
    """Copy installed photos into `folder` and return where they are."""
    folder.mkdir(parents=True, exist_ok=True)
    copies = []
    for name in names:
        target = folder / f"{name}.jpg"
        target.write_bytes(checked(load_manifest().asset(name)).read_bytes())
        copies.append(target)
    return copies
