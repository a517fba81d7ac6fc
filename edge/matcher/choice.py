"""Which backend scans: measured on this board, for the gallery's own size, or forced by a setting.

The gain of int8 depends on the instruction set: without an int8 dot product (Raspberry Pi 4) the
scan through numkong is slower than float32, and float32 must win here.
"""

from __future__ import annotations

import contextlib
import importlib
import time
from bisect import bisect_left
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from edge.errors import ConfigError
from edge.extras import way_to_install
from edge.matcher.backends.float32 import Float32
from edge.matcher.gallery import LiveGallery
from edge.matcher.search import Search

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edge.matcher.arena import Snapshot
    from edge.matcher.backends import Backend

AUTO = "auto"
SEVERAL = 4
BATCHES = (1, SEVERAL)
"""Probes per scan that are timed: one face, and a few at once."""

SMALLEST_ROWS = 256
STEP = 4
"""Sizes timed are 256, 1024, ... up to the gallery's; a gallery between two takes the nearer."""

ROWS_TO_GROW_TO = 8192
"""A smaller gallery is measured with noise of this size: it may grow before the next start."""

LARGEST_ROWS = 131_072
"""Beyond this every backend is bound by memory and keeps its order."""

HOPELESS = 4.0
"""A backend this many times slower than the best is not timed at the next size, 4 times larger."""

REPEATS = 4
EVICT_BYTES = 24 << 20
"""The gallery has left the caches by the time the next face has been embedded (37 MB of weights), so
this much is written between timings. With 8 MB a backend won that was 1.5 times slower in use
(10,000 x 512)."""


def _optional(module: str, name: str, *settings: int) -> Callable[[], Backend]:
    """Return a constructor that imports only when called: its package may be missing."""

    def build() -> Backend:
        backend: Backend = getattr(importlib.import_module(module), name)(*settings)
        return backend

    return build


BACKENDS: dict[str, Callable[[], Backend]] = {
    "compiled": _optional("edge.matcher.backends.compiled", "Compiled"),
    "float32": Float32,
    "int8-stream": _optional("edge.matcher.backends.int8", "Stream"),
    "int8-fold2": _optional("edge.matcher.backends.int8", "Fold", 2),
    "int8-fold4": _optional("edge.matcher.backends.int8", "Fold", 4),
    "int8-touch4": _optional("edge.matcher.backends.int8", "TouchedFold", 4),
}


@dataclass(frozen=True, slots=True)
class Timing:
    """How long one scan took, in microseconds, on `rows` rows with `probes` probes."""

    backend: str
    rows: int
    probes: int
    scan_us: float


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """A table from gallery size and batch size to backend, with the timings behind it.

    `table[batch]` holds one backend more than `limits`, the row counts up to which each is taken.
    """

    limits: list[int]
    table: dict[int, list[Backend]]
    timings: tuple[Timing, ...]
    reason: str

    @classmethod
    def forced(cls, name: str) -> Choice:
        """Return a choice that always takes backend `name`; raises `ConfigError` if it cannot be had."""
        if name not in BACKENDS:
            raise ConfigError(f"recognition.matcher = {name!r}; choose one of {AUTO}, {', '.join(BACKENDS)}")
        try:
            backend = BACKENDS[name]()
        except ImportError as error:
            raise ConfigError(
                f"recognition.matcher = {name!r} is not to be had ({error}); {_way_to_have(name)}"
            ) from error
        return cls([], {batch: [backend] for batch in BATCHES}, (), "forced by recognition.matcher")

    @classmethod
    def unmeasured(cls) -> Choice:
        """Return the backend for a few hundred templates, where timing would cost more than it saves."""
        # Compiled code is ahead at 300 rows already (docs/bench-matcher.md); numpy's product is always there.
        for name in ("compiled", "float32"):
            with contextlib.suppress(ImportError):
                backend = BACKENDS[name]()
                break
        return cls([], {batch: [backend] for batch in BATCHES}, (), "too few templates to measure")

    def backend(self, rows: int, probes: int) -> Backend:
        """Return the backend for a gallery of `rows` rows and `probes` probes at once."""
        return self.table[1 if probes == 1 else SEVERAL][bisect_left(self.limits, rows)]


def choose(name: str, gallery: LiveGallery) -> Choice:
    """Return the choice for setting `name`: `auto` measures (about half a second), anything else forces.

    Raises `ConfigError` for a name that is unknown or whose package is missing.
    """
    return measure(gallery) if name == AUTO else Choice.forced(name)


def measure(gallery: LiveGallery) -> Choice:
    """Time every available backend on this gallery, or on noise while it is small."""
    backends, missing = _available()
    measured = (
        gallery if gallery.templates >= ROWS_TO_GROW_TO else noise_gallery(ROWS_TO_GROW_TO, gallery.dim)
    )
    sizes = _sizes(len(measured.snapshot.owner))
    timings: list[Timing] = []
    table = {batch: _fastest(measured.snapshot, sizes, backends, batch, timings) for batch in BATCHES}
    # Nearer as a factor: halfway between 1,024 and 4,096 lies 2,048.
    limits = [int((small * large) ** 0.5) for small, large in pairwise(sizes)]
    reason = "; ".join([f"fastest of {len(backends)} measured up to {sizes[-1]} templates", *missing])
    return Choice(limits, table, tuple(timings), reason)


def _available() -> tuple[list[Backend], list[str]]:
    """Return the backends whose packages are here, and a line for each kind that cannot be had."""
    found: list[Backend] = []
    missing: dict[str, None] = {}
    for name, build in BACKENDS.items():
        try:
            found.append(build())
        except ImportError as error:
            missing[f"{name.split('-')[0]} not tried: {error}; {_way_to_have(name)}"] = None
    return found, list(missing)


def _way_to_have(name: str) -> str:
    if name != "compiled":
        return way_to_install("fast")
    return (
        "apt install gcc libc6-dev python3-dev and install facegate again, or take a wheel for this machine"
    )


def _sizes(rows: int) -> list[int]:
    largest, sizes = min(rows, LARGEST_ROWS), [SMALLEST_ROWS]
    while sizes[-1] < largest:
        sizes.append(min(sizes[-1] * STEP, largest))
    return sizes


def _fastest(
    snapshot: Snapshot, sizes: list[int], backends: Sequence[Backend], batch: int, timings: list[Timing]
) -> list[Backend]:
    """Return the fastest backend per size; the hopeless are not timed at larger sizes."""
    winners = []
    for rows in sizes:
        times = _race(snapshot.first(rows), backends, batch)
        timings += [Timing(backend.name, rows, batch, us) for backend, us in times.items()]
        winners.append(min(times, key=lambda backend: times[backend]))
        backends = [backend for backend in backends if times[backend] <= HOPELESS * min(times.values())]
    return winners


def _race(snapshot: Snapshot, backends: Sequence[Backend], batch: int) -> dict[Backend, float]:
    """Return the microseconds of one scan, the least of several: taking turns, disturbed the least."""
    probes = _unit_noise(batch, snapshot.originals.shape[1])
    evict = np.empty(EVICT_BYTES, np.uint8)
    best = dict.fromkeys(backends, np.inf)
    for _ in range(REPEATS):
        # In turns, so that a moment in which the machine was busy slows each of them alike.
        for backend in backends:
            evict.fill(1)
            start = time.perf_counter()
            _search(backend, snapshot, probes)
            best[backend] = min(best[backend], (time.perf_counter() - start) * 1e6)
    return best


def _search(backend: Backend, snapshot: Snapshot, probes: NDArray[np.float32]) -> None:
    # What is timed is the whole answer: a backend with a wide bound scans fast and ranks long.
    if backend.answers:
        backend.best_two_each(snapshot, probes)
    elif len(probes) == 1:
        scores, unit, width = backend.score(snapshot, probes[0])
        Search(snapshot, probes[0], unit, width).best_two(scores)
    else:
        columns, units, widths = backend.scan(snapshot, probes)
        for column, *one in zip(columns.reshape(-1, len(probes)).T, probes, units, widths, strict=True):
            Search(snapshot, *one).best_two(np.ascontiguousarray(column))


def noise_gallery(templates: int, dim: int) -> LiveGallery:
    """Return a gallery of random residents, one template each, for measuring."""
    gallery = LiveGallery("noise", dim)
    rows = _unit_noise(templates, dim)
    gallery.fill(((f"{i:09d}", rows[i : i + 1]) for i in range(templates)), "noise")
    return gallery


def _unit_noise(rows: int, dim: int) -> NDArray[np.float32]:
    noise = np.random.default_rng(0).standard_normal((rows, dim), dtype=np.float32)
    unit: NDArray[np.float32] = noise / np.linalg.norm(noise, axis=1, keepdims=True)
    return unit
