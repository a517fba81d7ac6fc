"""Events of doors, alone and while residents open a notice: what the crowd takes from them.

python -m tests.community.ingest_beside --turns 3 --rate 100

Turns alternate, so that a busy machine is as busy for both. The page and its crowd have the first core, the
hub, its broker and the doors the last one, as far as the machine's other users leave them. Told are events in
a second and the hub's CPU for one, each as the median over the turns, and beside as a share of alone; and
what the page took meanwhile. Ends with an error code when a page failed or ingest is below nine tenths.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from tests.community.crowd import children, cost_of, crowd, filled
from tests.community.served import side
from tests.present import present

LONGEST_SECONDS = 600.0
WANTED_SHARE = 0.9


def ingested(doors: int, events: int, core: int) -> dict[str, Any]:
    """Return the figures of one run of `tests.hub.load`, on one core."""
    words = [sys.executable, "-m", "tests.hub.load", "--doors", str(doors), "--events", str(events)]
    told = subprocess.run(
        ["taskset", "-c", str(core), *words],
        stdout=subprocess.PIPE,
        check=True,
        timeout=LONGEST_SECONDS,
        cwd=Path(__file__).parents[2],
    ).stdout
    found: dict[str, Any] = json.loads(told)
    cpu = sum(found["hub_cpu_seconds"])
    return {"per_second": found["per_second"], "hub_ms": 1000 * cpu / found["events"]}


class Opening(threading.Thread):
    """Residents who open the notice until it is enough."""

    def __init__(self, url: str, tokens: list[str], number: int, rate: float) -> None:
        super().__init__(name="crowd", daemon=True)
        self.took: list[float] = []
        self._ended = threading.Event()
        self._asked = (url, tokens, number)
        self._rate = rate

    def run(self) -> None:
        pace = (self._rate, LONGEST_SECONDS)
        self.took = asyncio.run(crowd(*self._asked, pace, lambda: not self._ended.is_set()))

    def stop(self) -> list[float]:
        self._ended.set()
        self.join()
        return self.took


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name, default in (("turns", 3), ("residents", 5000), ("rate", 100), ("doors", 60), ("events", 40)):
        parser.add_argument(f"--{name}", type=int, default=default)
    wish = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    alone, beside, took = [], [], []
    with tempfile.TemporaryDirectory() as name:
        tokens, number = filled(Path(name), wish.residents)
        os.sched_setaffinity(0, {cores[0]})  # the page, which is started next, and the residents
        page = side("page", Path(name))
        page.start()
        processes = [pid := present(page.process).pid, *children(pid)]
        try:
            _, idle = cost_of(processes)
            for _ in range(wish.turns):
                alone.append(ingested(wish.doors, wish.events, cores[-1]))
                opening = Opening(page.url, tokens, number, wish.rate)
                opening.start()
                beside.append(ingested(wish.doors, wish.events, cores[-1]))
                took += opening.stop()
            memory, spent = cost_of(processes)
        finally:
            page.stop()
    failed = sum(one == float("inf") for one in took)
    share = told(alone, beside)
    took.sort()
    half, most = (1000 * took[len(took) * share // 100] for share in (50, 99))
    sys.stdout.write(
        f"{len(took)} openings, {failed} failed, half within {half:.0f} ms, 99 % within {most:.0f} ms, "
        f"{1000 * (spent - idle) / len(took):.1f} ms of CPU each, memory {memory} MB; "
        f"load {os.getloadavg()[0]:.1f}\n"
    )
    return 0 if failed == 0 and share >= WANTED_SHARE else 1


def told(alone: list[dict[str, Any]], beside: list[dict[str, Any]]) -> float:
    """Write the figures of the turns, and return ingest beside the crowd as a share of alone."""
    shares = {}
    for name in ("per_second", "hub_ms"):
        first, second = ([one[name] for one in turns] for turns in (alone, beside))
        shares[name] = statistics.median(second) / statistics.median(first)
        sys.stdout.write(
            f"{name}: alone {statistics.median(first):.3g} ({min(first):.3g} to {max(first):.3g}), beside "
            f"{statistics.median(second):.3g} ({min(second):.3g} to {max(second):.3g}): {shares[name]:.0%}\n"
        )
    return shares["per_second"]


if __name__ == "__main__":
    sys.exit(main())
