"""What the panel costs a running door: CPU with no panel, with nobody watching, with one viewer of each kind.

The door is `facegate run` in a process of its own; the viewer is here and is not counted.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from edge.bench.panel.viewer import Viewer
from edge.errors import EvaluationRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

START_SECONDS = 180.0
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


@dataclass(frozen=True, slots=True)
class BenchDoor:
    """A door that runs. `cpu_seconds` is what its process has used so far."""

    process: subprocess.Popen[bytes]
    log: Path
    port: int

    def cpu_seconds(self) -> float:
        """Return user and system time of the process and all its threads, in seconds."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as stat:  # noqa: PTH123
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def told(self, pattern: str) -> str:
        """Return what the log says for `pattern` (one group), or raise `EvaluationRefused`."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            if found := re.search(pattern, self.log.read_text()):
                return found[1]
            time.sleep(0.1)
        raise EvaluationRefused(
            f"the door did not get as far as {pattern!r}:\n{self.log.read_text()[-2000:]}"
        )


def panel_cost(wish: Wish, folder: Path) -> dict[str, Any]:
    """Return CPU in percent of one core, and what the panel adds to `off`.

    `off`, `idle`, `overview` (told news), `polled` (the overview, asking), `viewer` (the live view).
    `folder` is for the doors' data. Takes five times `wish.seconds` and some.
    """
    with _running(wish, folder / "off", enabled=False) as door:
        door.told(r"(residents; threshold)")
        off = _percent(door, wish.seconds, lambda: None)
    with _running(wish, folder / "on", enabled=True) as door:
        viewer = Viewer(door.port)
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
def _running(wish: Wish, folder: Path, *, enabled: bool) -> Iterator[BenchDoor]:
    folder.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    flag = "true" if enabled else "false"
    text = CONFIG.format(
        clip=wish.clip.resolve(), liveness=wish.liveness, enabled=flag, port=port, folder=folder
    )
    (folder / "config.toml").write_text(text)
    command = [sys.executable, "-m", "edge.cli", "run", "--config", str(folder / "config.toml")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log)
    try:
        yield BenchDoor(process, folder / "log", port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


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
