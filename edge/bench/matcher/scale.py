"""How large a gallery can be: load, memory, search, and changes while another thread searches."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.bench.peer import MARGIN, MODEL, THRESHOLD, name, point
from edge.matcher.choice import AUTO, choose
from edge.matcher.gallery import LiveGallery
from edge.matcher.matcher import Matcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

TEMPLATES_EACH = 5
SEARCHES = 40
CHANGES = 300
CHANGES_PER_SECOND = 300


def scale(templates: int, dim: int) -> dict[str, Any]:
    """Return what a gallery of `templates` rows costs; raises `MemoryError` when it does not fit."""
    before, start = _resident_mb(), time.perf_counter()
    gallery = LiveGallery(MODEL, dim)
    gallery.fill(_people(templates, dim), MODEL)
    loaded = time.perf_counter() - start
    matcher = Matcher(gallery, point, choose(AUTO, gallery))
    probes = _unit(np.random.default_rng(1).standard_normal((SEARCHES, dim), dtype=np.float32))
    quiet = _searches(matcher, probes)
    with _busy(gallery, dim):
        disturbed = _searches(matcher, probes)
    return {
        "templates": templates,
        "dim": dim,
        "residents": gallery.residents,
        "backend": matcher.choice.backend(templates, 1).name,
        "load_seconds": round(loaded, 2),
        "memory_mb": round(_resident_mb() - before),
        "decision_us": round(float(np.median(quiet)), 1),
        "decision_us_while_changing": round(float(np.median(disturbed)), 1),
        **{
            f"{change}_us": round(float(np.median(took)), 1)
            for change, took in _changes(gallery, dim).items()
        },
    }


def _people(templates: int, dim: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    rng = np.random.default_rng(0)
    for i in range(-(-templates // TEMPLATES_EACH)):
        count = min(TEMPLATES_EACH, templates - i * TEMPLATES_EACH)
        yield name(i), _unit(rng.standard_normal((count, dim), dtype=np.float32))


def _searches(matcher: Matcher, probes: NDArray[np.float32]) -> list[float]:
    return [_us(matcher.decide_batch, probe[None], THRESHOLD, MARGIN) for probe in probes]


def _changes(gallery: LiveGallery, dim: int) -> dict[str, list[float]]:
    """Return microseconds of enrolling, replacing and removing one resident, nobody searching."""
    rng = np.random.default_rng(2)
    took: dict[str, list[float]] = {"add": [], "replace": [], "remove": []}
    for _ in range(CHANGES):
        rows = _unit(rng.standard_normal((TEMPLATES_EACH, dim), dtype=np.float32))
        took["add"].append(_us(gallery.add, "newcomer", rows, MODEL))
        took["replace"].append(_us(gallery.replace, "newcomer", rows, MODEL))
        took["remove"].append(_us(gallery.remove, "newcomer"))
    return took


@contextmanager
def _busy(gallery: LiveGallery, dim: int) -> Iterator[None]:
    """Change a resident `CHANGES_PER_SECOND` times a second in another thread."""
    stop = threading.Event()
    rows = _unit(np.random.default_rng(3).standard_normal((TEMPLATES_EACH, dim), dtype=np.float32))

    def change() -> None:
        while not stop.wait(1 / CHANGES_PER_SECOND):
            gallery.replace("busy", rows, MODEL)

    thread = threading.Thread(target=change, name="bench-writer")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        gallery.remove("busy")


def _us(call: Callable[..., object], *arguments: object) -> float:
    start = time.perf_counter()
    call(*arguments)
    return (time.perf_counter() - start) * 1e6


def _resident_mb() -> float:
    """Return this process's memory in megabytes as Linux counts it."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
