"""What the stand-in for lgpio wrote down, read back as what the lock did."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.waiting import PATIENCE, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterable

STAND_INS = {name: Path(__file__).parent / name for name in ("stand_in", "stand_in_gpiod")}
"""For a machine that has lgpio, and for one that has only gpiod: both write the same lines."""
PIN = 17


@dataclass(frozen=True)
class Call:
    time: float
    pid: int
    name: str
    arguments: tuple[int, ...]


@dataclass(frozen=True)
class Pulse:
    """One stretch of time in which the relay was energised; `end` None: it still is."""

    start: float
    end: float | None


class Lines:
    """The lines in one file, and the environment for a process that is to drive them."""

    def __init__(self, directory: Path, *, active_high: bool = True) -> None:
        self.log = directory / "lines"
        self.log.touch()
        self.active_high = active_high

    def environment(self, **extra: str) -> dict[str, str]:
        return {
            **os.environ,
            "PYTHONPATH": str(STAND_INS[os.environ.get("FACEGATE_TEST_STAND_IN", "stand_in")]),
            "FACEGATE_TEST_LINES": str(self.log),
            **extra,
        }

    def calls(self) -> list[Call]:
        found = []
        for line in self.log.read_text().splitlines():
            when, pid, name, *arguments = line.split()
            found.append(Call(float(when), int(pid), name, tuple(map(int, arguments))))
        return found

    def send(self, timed_bits: Iterable[tuple[int, float]], numbers: tuple[int, int]) -> None:
        """Pulse the data lines `numbers` to ground: (bit, seconds) each, with the kernel's time."""
        pulses = ((at, numbers[bit], level) for bit, at in timed_bits for level in (0, 1))
        text = "".join(f"{at:.6f} 0 set {number} {level}\n" for at, number, level in pulses)
        with self.log.open("a") as log:
            log.write(text)

    def levels(self) -> list[tuple[float, int]]:
        """Every level the relay's line was driven to, in order."""
        driving = ("gpio_claim_output", "gpio_write")
        return [(c.time, c.arguments[1]) for c in self.calls() if c.name in driving]

    def pulses(self) -> list[Pulse]:
        pulses: list[Pulse] = []
        start: float | None = None
        for when, level in self.levels():
            energised = bool(level) == self.active_high
            if energised and start is None:
                start = when
            elif not energised and start is not None:
                pulses.append(Pulse(start, when))
                start = None
        return [*pulses, Pulse(start, None)] if start is not None else pulses

    @property
    def energised(self) -> bool:
        return bool(self.pulses()) and self.pulses()[-1].end is None


def write_config(directory: Path, *, active_high: bool = True, cap_seconds: float = 30.0) -> Path:
    """Write the `[lock]` a guard needs, with its socket beside it; return the file."""
    path = directory / "config.toml"
    path.write_text(
        "[lock]\n"
        'driver = "gpio"\n'
        f"pin = {PIN}\n"
        f"active_high = {str(active_high).lower()}\n"
        'lock_wiring = "fail-secure"\n'
        "gpio_chip = 0\n"
        f"max_unlock_seconds = {cap_seconds}\n"
        f'guard_socket = "{directory / "relay.sock"}"\n'
    )
    return path


def guard_command(config: Path, *options: str) -> list[str]:
    # -P: the repository is installed; the working directory must not shadow anything.
    return [
        sys.executable,
        "-c",
        "from edge.cli import main; main()",
        "relay-guard",
        "--config",
        str(config),
        *options,
    ]


class RecordingLine:
    """A `Line` in memory that remembers every movement."""

    def __init__(self) -> None:
        self.moves: list[str] = []

    @property
    def energised(self) -> bool:
        return bool(self.moves) and self.moves[-1] == "energise"

    def energise(self) -> None:
        self.moves.append("energise")

    def rest(self) -> None:
        self.moves.append("rest")

    def close(self) -> None:
        self.rest()


class GuardProcess:
    """A real `facegate relay-guard` on the stand-in for lgpio."""

    def __init__(self, directory: Path, lines: Lines, *, cap_seconds: float = 30.0) -> None:
        self.directory = directory
        self.lines = lines
        self.config = write_config(directory, active_high=lines.active_high, cap_seconds=cap_seconds)
        self.socket = directory / "relay.sock"
        self._stderr = (directory / "stderr").open("a")
        self.process = subprocess.Popen(
            guard_command(self.config), env=lines.environment(), stderr=self._stderr
        )

    def __enter__(self) -> GuardProcess:
        wait_until(lambda: self.socket.exists() and "at rest" in self.stderr(), "the guard listens")
        return self

    def __exit__(self, *_: object) -> None:
        self._stderr.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        self.process.wait(PATIENCE)

    def stderr(self) -> str:
        return (self.directory / "stderr").read_text()

    def connect(self) -> socket.socket:
        caller = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        caller.settimeout(PATIENCE)
        caller.connect(str(self.socket))
        return caller


def ask(caller: socket.socket, packet: bytes) -> bytes:
    caller.send(packet)
    return caller.recv(64)


def order(seconds: float) -> bytes:
    return f"open {seconds} {time.monotonic():.6f}".encode()
