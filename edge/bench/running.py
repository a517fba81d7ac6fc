"""A door that runs for a measurement: `facegate run` in a process of its own, as the product is installed."""

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
from typing import TYPE_CHECKING

from edge.errors import EvaluationRefused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_SECONDS = 180.0
STOP_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class BenchDoor:
    """A door that runs. `cpu_seconds` is what its process has used so far."""

    process: subprocess.Popen[bytes]
    log: Path

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
        raise self.stuck(pattern)

    def stuck(self, wanted: str) -> EvaluationRefused:
        """Return the error for a door that did not get as far as `wanted`, with the end of its log."""
        return EvaluationRefused(
            f"the door did not get as far as {wanted!r}:\n{self.log.read_text()[-2000:]}"
        )


@contextmanager
def running_door(settings: str, folder: Path) -> Iterator[BenchDoor]:
    """Run a door by these settings until the end of the block; `folder` gets its files and its log."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(settings)
    command = [sys.executable, "-m", "edge.cli", "run", "--config", str(folder / "config.toml")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stderr=log)
    try:
        yield BenchDoor(process, folder / "log")
    finally:
        process.send_signal(signal.SIGCONT)  # a process that stands still would not end
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_SECONDS)


def free_port() -> int:
    """Return a TCP port of the loopback address that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
