"""What the panel costs a running door: CPU with no panel, with nobody watching, with one viewer of each kind.

The door is `facegate run` in a process of its own; the viewer is here and is not counted.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from edge.bench.panel.viewer import Viewer
from edge.bench.running import free_port, running_door

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge.bench.running import BenchDoor

WARM_SECONDS = 6.0
"""Longer than the panel's lease of frames: who watched before watches no more."""

CONFIG = """
[door]
id = "bench"
[camera]
source = "{clip}"
loop = true
[lock]
driver = "dry-run"
[recognition]
liveness = "{liveness}"
[panel]
enabled = {enabled}
port = {port}
[storage]
directory = "{folder}/data"
"""


@dataclass(frozen=True, slots=True)
class Wish:
    """What to measure: a clip with somebody in it, seconds per phase, and the door's liveness."""

    clip: Path
    seconds: float = 20.0
    liveness: str = "off"


def panel_cost(wish: Wish, folder: Path) -> dict[str, Any]:
    """Return CPU in percent of one core, and what the panel adds to `off`.

    `off`, `idle`, `overview` (told news), `polled` (the overview, asking), `viewer` (the live view).
    `folder` is for the doors' data. Takes five times `wish.seconds` and some.
    """
    with _running(wish, folder / "off", enabled=False) as (door, _):
        door.told(r"(residents; threshold)")
        off = _percent(door, wish.seconds, lambda: None)
    with _running(wish, folder / "on", enabled=True) as (door, port):
        viewer = Viewer(port)
        viewer.claim(door.told(r"first account: (\S+)"))
        idle = _percent(door, wish.seconds, lambda: None)
        with viewer.following():
            overview = _percent(door, wish.seconds, viewer.look)
        polled = _percent(door, wish.seconds, viewer.poll)
        watched = _percent(door, wish.seconds, viewer.watch)
        answers = sorted(viewer.answer_seconds)
        viewer.close()
    cpu = {"off": off, "idle": idle, "overview": overview, "polled": polled, "viewer": watched}
    return {
        "clip": wish.clip.name,
        "seconds": wish.seconds,
        "liveness": wish.liveness,
        "cpu_percent": cpu,
        "added_percent": {name: round(used - off, 1) for name, used in cpu.items() if name != "off"},
        "news": viewer.news,
        "pictures_per_second": round(viewer.pictures / (wish.seconds + WARM_SECONDS), 1),
        "answer_ms": round(1000 * median(answers), 1) if answers else None,
    }


@contextmanager
def _running(wish: Wish, folder: Path, *, enabled: bool) -> Iterator[tuple[BenchDoor, int]]:
    """Run the door; the second is the port of its panel."""
    port = free_port()
    flag = "true" if enabled else "false"
    text = CONFIG.format(
        clip=wish.clip.resolve(), liveness=wish.liveness, enabled=flag, port=port, folder=folder
    )
    with running_door(text, folder) as door:
        yield door, port


def _percent(door: BenchDoor, seconds: float, meanwhile: Callable[[], None]) -> float:
    """Return the door's CPU over `seconds` after a warm-up, in percent of one core."""
    _spend(WARM_SECONDS, meanwhile)
    begun, used = time.monotonic(), door.cpu_seconds()
    _spend(seconds, meanwhile)
    return round(100 * (door.cpu_seconds() - used) / (time.monotonic() - begun), 1)


def _spend(seconds: float, meanwhile: Callable[[], None]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        meanwhile()
        time.sleep(Viewer.PICTURE_SECONDS)
