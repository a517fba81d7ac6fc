"""The whole search in one call of compiled code: `scan.c`, built where there was a compiler.

What takes a dozen calls from Python elsewhere, and in a small gallery most of the time, is one here:
the probe checked and coded, int8 codes scanned, and what they leave open compared in float64 in
numpy's own order of additions. It has to be that order, so both are compared before this is offered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from edge.domain import Match
from edge.matcher.arena import MOST_DIM
from edge.matcher.exact import exact_similarities
from edge.matcher.search import Finding, SearchVerdict

try:
    from edge.matcher.backends import _scan
except ImportError as error:
    raise ImportError("it was not built") from error

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.matcher.arena import Snapshot
    from edge.matcher.exact import Rows

INTERFACE = 2
"""Of `scan.c`; a checkout may still hold what was built from an older one."""

VERDICTS = (SearchVerdict.STRANGER, SearchVerdict.IDENTITY, SearchVerdict.AMBIGUOUS)
"""In the order in which `scan.c` counts them."""

_new = tuple.__new__
"""Makes a named tuple in half the time of calling it."""


class Compiled:
    """Answers by itself: no scores to look at, no ranking to widen."""

    answers: Literal[True] = True
    name = "compiled"
    instructions = _scan.instructions(False)
    """What of the processor it uses, such as "avx2"."""

    def __init__(self) -> None:
        """Raise `ImportError` when it was built from another version, or does not add as numpy does."""
        if _scan.INTERFACE != INTERFACE:
            raise ImportError("the compiled search was built from another version; install facegate again")
        if self.instructions == "plain":
            raise ImportError("this processor has nothing that would make it faster than numpy")
        if not adds_like_numpy():
            raise ImportError("the compiled search does not add as this numpy does; install facegate again")

    def best_two(self, snapshot: Snapshot, probe: NDArray[np.float32]) -> tuple[Match, int] | None:
        """Return the match of a (D,) probe and how many rows it compared in float64. Any thread.

        None for a probe that is not float32 of that length and of a norm near 1.
        """
        found = _rows(snapshot).best_two(False, probe, *_version(snapshot))
        return (_new(Match, found[0][0]), found[1]) if found else None

    def best_two_each(self, snapshot: Snapshot, probes: Rows) -> tuple[list[Match], int] | None:
        """Return likewise a match for each of (Q, D) probes."""
        found = _rows(snapshot).best_two(True, probes, *_version(snapshot))
        return ([_new(Match, match) for match in found[0]], found[1]) if found else None

    def decide(
        self, snapshot: Snapshot, probe: NDArray[np.float32], threshold: float, margin: float
    ) -> tuple[Finding, int] | None:
        """Return the decision about a (D,) probe and how many rows it compared in float64. Any thread."""
        found = _rows(snapshot).decide(False, probe, *_version(snapshot), threshold, margin)
        return (_new(Finding, found[0][0]), found[1]) if found else None

    def decide_each(
        self, snapshot: Snapshot, probes: Rows, threshold: float, margin: float
    ) -> tuple[list[Finding], int] | None:
        """Return likewise a decision for each of (Q, D) probes."""
        found = _rows(snapshot).decide(True, probes, *_version(snapshot), threshold, margin)
        return ([_new(Finding, finding) for finding in found[0]], found[1]) if found else None


def _version(snapshot: Snapshot) -> tuple[int, int, float]:
    return len(snapshot.owner), snapshot.version, snapshot.residual


def _rows(snapshot: Snapshot) -> _scan.Rows:
    """Return the snapshot's arena as the compiled code sees it; kept with the arena, so made once."""
    # Two threads may each make one at first; the one that is kept last serves, and both see the same arrays.
    arena = snapshot.arena
    kept: _scan.Rows | None = arena.compiled
    if kept is None:
        kept = arena.compiled = _scan.Rows(
            arena.originals, arena.codes, arena.owner, arena.died, arena.names, VERDICTS, arena.scale
        )
    return kept


def adds_like_numpy() -> bool:
    """Return whether compiled code and numpy agree on similarities to the last bit, at many lengths."""
    # As irregular as random numbers. numpy.random itself costs a door 4 MB and is needed nowhere else in it.
    rows = np.sin(np.arange(2 * MOST_DIM) ** 2.0).astype(np.float32).reshape(2, MOST_DIM)
    return all(
        _scan.similarity(rows[0, :dim], rows[1, :dim])
        == exact_similarities(np.ascontiguousarray(rows[:1, :dim]), rows[1, :dim])[0]
        for dim in (1, 7, 8, 9, 64, 127, 128, 129, 192, 256, 257, 512, 1000, MOST_DIM)
    )
