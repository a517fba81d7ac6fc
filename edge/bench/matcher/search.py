"""The matcher beside its peers: one process, one thread, taking turns, so that ratios mean something.

Absolute times on a shared machine move by a factor of two within a minute; the ratio of two calls
made right after each other hardly does. So every figure is a median over rounds, and every ratio
the median of the rounds' own ratios.
"""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.bench.matcher.peers import PEERS
from edge.bench.peer import Adapter, Decide
from edge.bench.plots import new_figure

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from edge.bench.matcher.data import Crowd
    from edge.bench.matcher.peers import Query

OURS = {"facegate": Adapter, "facegate-decide": Decide}
FLOOR = "int8-floor"
"""Reading every code once: the maximum over an int8 array, as fast as memory gives it."""

BASE = "faiss-flat"
SLOW_LIMIT = 20_000
"""Templates up to which the face_recognition loop is asked; it takes a second at 100,000."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One contender at one size. Times are medians; ratios compare with `base` and the floor."""

    name: str
    templates: int
    dim: int
    probes: int
    median_us: float
    least_us: float
    ns_per_template: float
    times_base: float
    times_floor: float
    best_agree: float
    base: str


def race(crowd: Crowd, probes_at_once: int, seconds: float, least_rounds: int = 7) -> list[Figure]:
    """Return one figure per contender on `crowd`, asked `probes_at_once` probes in turns."""
    contenders = _contenders(crowd)
    truth = contenders["facegate"](crowd.probes)
    took: dict[str, list[float]] = defaultdict(list)
    end, turn = time.perf_counter() + seconds, 0
    while turn < least_rounds or time.perf_counter() < end:
        picked = [(turn * probes_at_once + i) % len(crowd.probes) for i in range(probes_at_once)]
        probes = np.ascontiguousarray(crowd.probes[picked])
        for name, query in contenders.items():
            took[name].append(_time(query, probes))
        turn += 1
    agree = {name: _agreement(query, crowd, truth) for name, query in contenders.items() if name != FLOOR}
    return _figures(crowd, probes_at_once, took, agree)


def _contenders(crowd: Crowd) -> dict[str, Query]:
    rows, ident = crowd.rows, crowd.ident
    contenders: dict[str, Query] = {name: kind(rows, ident).query for name, kind in OURS.items()}
    for name, build in PEERS.items():
        if name == "face_recognition" and len(rows) > SLOW_LIMIT:
            continue
        try:
            contenders[name] = build(rows, ident)
        except ImportError:
            continue
    codes = np.full(rows.shape, 3, np.int8)  # filled: untouched pages all alias one page of zeros
    contenders[FLOOR] = lambda _: codes.max()
    return contenders


def _time(query: Query, probes: Any) -> float:
    start = time.perf_counter()
    query(probes)
    return time.perf_counter() - start


def _agreement(query: Query, crowd: Crowd, truth: Any) -> float:
    """Return the share of probes for which a contender names the exact best person.

    Decisions may say nobody (-1): strangers are not counted against them.
    """
    found: Any = query(crowd.probes)
    return float(np.mean([one[0] in (exact[0], -1) for one, exact in zip(found, truth, strict=True)]))


def _figures(
    crowd: Crowd, probes: int, took: dict[str, list[float]], agree: dict[str, float]
) -> list[Figure]:
    base = BASE if BASE in took else "numpy"
    templates, dim = crowd.rows.shape
    return [
        Figure(
            name,
            templates,
            dim,
            probes,
            round(float(np.median(times)) * 1e6, 2),
            round(min(times) * 1e6, 2),
            round(float(np.median(times)) / templates / probes * 1e9, 3),
            round(float(np.median(np.array(took[base]) / times)), 2),
            round(float(np.median(np.array(times) / took[FLOOR])), 2),
            round(agree.get(name, 1.0), 4),
            base,
        )
        for name, times in took.items()
    ]


def report(figures: Iterable[Figure], origin: str) -> dict[str, Any]:
    """Return the figures and what they were measured with, ready for JSON."""
    found = [asdict(figure) for figure in figures]
    return {"gallery": origin, "machine": machine(), "figures": found}


def machine() -> dict[str, Any]:
    """Return Python, packages, processors and load: what a reader needs to judge the figures."""
    from importlib import metadata  # noqa: PLC0415 - only when asked

    packages = {}
    for name in ("numpy", "numkong", "faiss-cpu", "usearch"):
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            packages[name] = "not installed"
    return {
        "python": sys.version.split()[0],
        "cpus": os.cpu_count(),
        "load": round(os.getloadavg()[0], 2),
        **packages,
    }


def table(found: dict[str, Any]) -> str:
    """Return the report as text, one block per gallery size and batch."""
    lines = [f"gallery: {found['gallery']}; {found['machine']}"]
    header = ""
    for f in found["figures"]:
        head = f"\n{f['templates']} x {f['dim']}, {f['probes']} probe(s) at once"
        if head != header:
            header = head
            columns = f"{'':18}{'median us':>12}{'least us':>12}{'ns/template':>13}"
            lines += [head, f"{columns}{'x ' + f['base']:>14}{'x floor':>9}{'best ok':>9}"]
        figures = f"{f['median_us']:12.1f}{f['least_us']:12.1f}{f['ns_per_template']:13.2f}"
        lines.append(
            f"{f['name']:18}{figures}{f['times_base']:14.2f}{f['times_floor']:9.2f}{f['best_agree']:9.3f}"
        )
    return "\n".join(lines)


def plot(found: dict[str, Any], target: Path) -> None:
    """Draw time over gallery size for one probe at a time into the file `target`.

    Raises `EvaluationRefused` without matplotlib.
    """
    figure = new_figure(figsize=(8, 5))
    axes = figure.subplots()
    lines: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for f in found["figures"]:
        if f["probes"] == 1:
            lines[f["name"]].append((f["templates"], f["median_us"]))
    for name, points in lines.items():
        axes.loglog(*zip(*sorted(points), strict=True), marker="o", label=name)
    axes.set(xlabel="templates", ylabel="microseconds per probe (median)", title=found["gallery"])
    axes.grid(visible=True, which="both", alpha=0.3)
    if lines:
        axes.legend()
    figure.savefig(target, dpi=120, bbox_inches="tight")
