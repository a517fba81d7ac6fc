"""The matcher behind the interface of a peer benchmark: rows and integer identities in and out.

A benchmark builds `Adapter(X, ident, threads)` and asks `query(Q)` for
`(best, similarity, runner_up, similarity)` per probe. `Adapter` answers in full, `Decide` stops as
soon as the decision is certain, at the threshold and margin a benchmark uses.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from edge.domain import OperatingPoint
from edge.matcher.choice import AUTO, choose
from edge.matcher.gallery import LiveGallery
from edge.matcher.matcher import Matcher
from edge.words import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

THRESHOLD, MARGIN = 0.40, 0.05
"""What peer benchmarks decide with on their synthetic galleries."""

Answer = tuple[int, float, int, float]
MODEL = "bench"
NOBODY = -1


class Adapter:
    """Full answers: the best resident and the best other resident, exactly."""

    backend = AUTO

    def __init__(self, rows: NDArray[np.float32], ident: NDArray[np.int32], threads: int = 1) -> None:  # noqa: ARG002 - the matcher uses one thread
        """Take (n, D) float32 unit rows and (n,) identities, rows of one identity together."""
        edges = [0, *(np.flatnonzero(np.diff(ident)) + 1).tolist(), len(ident)]
        most = max(stop - start for start, stop in pairwise(edges))
        self.gallery = LiveGallery(MODEL, rows.shape[1], templates_per_resident=most)
        residents = ((name(ident[start]), rows[start:stop]) for start, stop in pairwise(edges))
        self.gallery.fill(residents, MODEL)
        self.matcher = Matcher(self.gallery, point, choose(self.backend, self.gallery))
        self.asked = 0

    @property
    def nbytes(self) -> int:
        """Bytes of originals and codes in use."""
        snapshot = self.gallery.snapshot
        return snapshot.originals.nbytes + snapshot.codes.nbytes

    @property
    def reranked(self) -> int:
        """Rows compared in float64 so far."""
        return self.matcher.rescored

    def query(self, probes: NDArray[np.float32]) -> list[Answer]:
        """Return one answer per row of (Q, D) float32 `probes`."""
        self.asked += len(probes)
        return [
            (number(best), similarity, number(other), runner_up)
            for best, similarity, other, runner_up in self.matcher.identify_batch(probes)
        ]

    def add(self, rows: NDArray[np.float32], identity: int) -> None:
        """Give `identity` these templates."""
        self.gallery.replace(name(identity), rows, MODEL)

    def remove(self, identity: int | Sequence[int]) -> None:
        """Forget one identity or several."""
        for one in np.atleast_1d(identity).tolist():
            self.gallery.remove(name(one))


class Decide(Adapter):
    """Decisions only: best is -1 for a stranger, the similarities may be bounds."""

    def query(self, probes: NDArray[np.float32]) -> list[Answer]:
        """Return one answer per row of (Q, D) float32 `probes`."""
        self.asked += len(probes)
        return [
            (number(resident_id), at_most, NOBODY, others_at_most)
            for _, resident_id, _, at_most, others_at_most in self.matcher.decide_batch(
                probes, THRESHOLD, MARGIN
            )
        ]


def name(identity: int) -> str:
    """Return a resident id whose order is that of the integers."""
    return f"{identity:09d}"


def number(resident_id: str | None) -> int:
    """Return the identity behind a resident id, -1 for nobody."""
    return NOBODY if resident_id is None else int(resident_id)


def point(residents: int, templates: int, share: float) -> OperatingPoint:  # noqa: ARG001 - the port's signature
    """Return the fixed operating point of peer benchmarks."""
    return OperatingPoint(THRESHOLD, MARGIN, None, residents, Message("basis.benchmark"))
