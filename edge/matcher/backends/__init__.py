"""Fast first passes, each with a proven bound on its own error, and compiled code that answers by itself.

A `Scanner` never decides anything. It gives every row an approximate score and says how far that
score can be from the exact similarity; `edge.matcher.search` does the rest. An `Answerer` does that
rest too, by the same rules. All of them read only the snapshot they are given, so any thread may
search while a writer changes the gallery.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge.domain import Match
    from edge.matcher.arena import Snapshot
    from edge.matcher.exact import Rows
    from edge.matcher.search import Finding


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

    answers: Literal[False]
    name: str
    """What settings and `facegate matcher info` call it."""

    def scan(self, snapshot: Snapshot, probes: Rows) -> Scan:
        """Return the scores of (Q, D) float32 `probes`, checked before. Any thread."""

    def score(self, snapshot: Snapshot, probe: NDArray[np.float32]) -> Scores:
        """Return the scores of one (D,) float32 probe, with fewer calls than `scan`. Any thread."""


class Answerer(Protocol):
    """Answers by itself, to the same bit; checks the probe, too."""

    answers: Literal[True]
    name: str

    def best_two(self, snapshot: Snapshot, probe: NDArray[np.float32]) -> tuple[Match, int] | None:
        """Return the match of a (D,) probe and how many rows it compared in float64. Any thread.

        None for a probe that is not float32 of that length and of a norm near 1.
        """

    def best_two_each(self, snapshot: Snapshot, probes: Rows) -> tuple[list[Match], int] | None:
        """Return likewise a match for each of (Q, D) probes."""

    def decide(
        self, snapshot: Snapshot, probe: NDArray[np.float32], threshold: float, margin: float
    ) -> tuple[Finding, int] | None:
        """Return the decision about a (D,) probe and how many rows it compared in float64. Any thread."""

    def decide_each(
        self, snapshot: Snapshot, probes: Rows, threshold: float, margin: float
    ) -> tuple[list[Finding], int] | None:
        """Return likewise a decision for each of (Q, D) probes."""


Backend = Scanner | Answerer
