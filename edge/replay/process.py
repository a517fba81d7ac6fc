"""What this process has taken so far: memory and time, as the kernel counts them."""

from __future__ import annotations

import os
from pathlib import Path

STARTTIME = 19  # field 22 of /proc/self/stat, counted after the name (man 5 proc)


def memory_mb(pid: int | str = "self") -> tuple[float, float]:
    """Return (resident memory now, the most there ever was) of a process, this one if not said, in MiB."""
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return _mib(lines["VmRSS"]), _mib(lines["VmHWM"])


def private_mb(pid: int | str = "self") -> float:
    """Return the memory that a process shares with nobody, in MiB: the rest are mapped libraries."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    lines = dict(line.split(":", 1) for line in rollup.splitlines()[1:])
    return round(_mib(lines["Private_Clean"]) + _mib(lines["Private_Dirty"]), 1)


def open_files() -> int:
    """Return how many files this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def seconds_since_start() -> float:
    """Return wall-clock seconds since this process started, imports included."""
    ticks = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[STARTTIME]
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    return round(uptime - int(ticks) / os.sysconf("SC_CLK_TCK"), 3)


def _mib(kilobytes: str) -> float:
    return round(int(kilobytes.split(maxsplit=1)[0]) / 1024, 1)
