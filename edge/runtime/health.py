"""How the machine and this process are doing, read from /proc and /sys."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/")

THROTTLED = Path("sys/devices/platform/soc/soc:firmware/get_throttled")
"""The Raspberry Pi firmware's flags, hexadecimal; absent on other boards."""

UNDERVOLTAGE_NOW = 0x1
THROTTLED_NOW = 0x4
SOFT_TEMPERATURE_LIMIT_NOW = 0x8
"""Bits 0, 2 and 3 of `vcgencmd get_throttled` (raspberrypi.com/documentation, os.html)."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """One look. None where the board does not tell."""

    rss_mb: float
    """Memory of this process, MiB."""
    open_fds: int
    threads: int
    disk_free_mb: float
    temperature_c: float | None
    is_undervolted: bool | None
    is_throttled: bool | None


def read_vitals(state_directory: Path = ROOT, root: Path = ROOT) -> Vitals:
    """Return how things are now; `root` is where `proc` and `sys` are found. 0.1 ms, any thread."""
    flags = _number(root / THROTTLED, base=16)
    millidegrees = _number(root / "sys/class/thermal/thermal_zone0/temp")
    return Vitals(
        rss_mb=_status(root, "VmRSS:") / 1024,
        open_fds=_count(root / "proc/self/fd"),
        threads=_status(root, "Threads:"),
        disk_free_mb=shutil.disk_usage(state_directory).free / 2**20,
        temperature_c=None if millidegrees is None else millidegrees / 1000,
        is_undervolted=None if flags is None else bool(flags & UNDERVOLTAGE_NOW),
        is_throttled=None if flags is None else bool(flags & (THROTTLED_NOW | SOFT_TEMPERATURE_LIMIT_NOW)),
    )


def _status(root: Path, field: str) -> int:
    try:
        lines = (root / "proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    # A line of /proc/self/status: "VmRSS:     12345 kB".
    return next((int(line.split()[1]) for line in lines if line.startswith(field)), 0)


def _count(folder: Path) -> int:
    try:
        return len(os.listdir(folder))  # noqa: PTH208 - names only, no objects
    except OSError:
        return 0


def _number(file: Path, base: int = 10) -> int | None:
    try:
        return int(file.read_text(encoding="ascii").strip(), base)
    except (OSError, ValueError):
        return None
