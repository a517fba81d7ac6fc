"""Fast first passes, each with a proven bound on its own error.

A backend never decides anything. It gives every row an approximate score and says how far that
score can be from the exact similarity; `edge.matcher.search` does the rest. All of them read only
the snapshot they are given, so any thread may scan while a writer changes the gallery.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from edge.matcher.arena import Snapshot
    from edge.matcher.exact import Rows


class Scan(NamedTuple):
    """Approximate scores of Q probes against the n rows of a snapshot.

    For row i and probe j: `|similarity - scores[i * Q + j] / units[j]| <= widths[j]`. `scores` is
    (n * Q,), float32 or int32, and belongs to the caller until the same thread scans again.
    """

    scores: NDArray[Any]
    units: list[float]
    widths: list[float]


Scores = tuple["NDArray[Any]", float, float]
"""One probe against the n rows of a snapshot: scores, unit, width, |similarity - scores[i] / unit| <= width.

The scores are (n,), float32 or int32, and belong to the caller until the same thread scans again. (A
plain tuple: made for every probe.)
"""


class Scanner(Protocol):
    """Scores every row."""

    ranks: Literal[False]
    name: str
    """What settings and `facegate matcher info` call it."""

    def scan(self, snapshot: Snapshot, probes: Rows) -> Scan:
        """Return the scores of (Q, D) float32 `probes`, checked before. Any thread."""

    def score(self, snapshot: Snapshot, probe: NDArray[np.float32]) -> Scores:
        """Return the scores of one (D,) float32 probe, with fewer calls than `scan`. Any thread."""


class Ranking(NamedTuple):
    """One probe against a snapshot, best rows only: |similarity - score / unit| <= width.

    `nearest(k)` gives the k rows of highest score and these scores, best first; at most n.
    """

    unit: float
    width: float
    nearest: Callable[[int], tuple[NDArray[np.int64], NDArray[np.float32]]]


class Ranker(Protocol):
    """Returns only the best rows, from the gallery's shifted codes."""

    ranks: Literal[True]
    name: str

    def rank(self, snapshot: Snapshot, probe: NDArray[np.float32]) -> Ranking:
        """Return the ranking of a (D,) float32 probe, checked before. Any thread."""


Backend = Scanner | Ranker
