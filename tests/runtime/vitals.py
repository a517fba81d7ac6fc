"""How much this process holds, from /proc."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc/self")


class Vitals(NamedTuple):
    """One look."""

    rss_mb: float
    open_fds: int
    threads: int


def read_vitals() -> Vitals:
    """Return how things are now."""
    lines = (PROC / "status").read_text(encoding="ascii", errors="replace").splitlines()
    # A line of it: "VmRSS:     12345 kB".
    told = {field: line.split()[1] for line in lines for field in ("VmRSS:", "Threads:") if field in line}
    return Vitals(int(told["VmRSS:"]) / 1024, len(list((PROC / "fd").iterdir())), int(told["Threads:"]))
