"""Float32 matrix product through numpy's BLAS: always there, and best for a normal building."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from edge.matcher.backends import Scan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edge.matcher.arena import Snapshot
    from edge.matcher.backends import Scores
    from edge.matcher.exact import Rows

UNIT_ROUNDOFF = 6e-8
"""2**-24 rounded up: relative error of one float32 operation."""


def error_bound(dim: int) -> float:
    """Return how far a float32 dot product of two unit vectors can be from the exact one.

    The classic n*u bound holds for any order of summation, with or without fused multiply-add;
    5 % covers norms up to 1.02 on both sides, eight more roundings the caller's own arithmetic.
    """
    return (dim * 1.05 + 8) * UNIT_ROUNDOFF


class Float32:
    """Scans the originals themselves."""

    answers: Literal[False] = False
    name = "float32"

    def scan(self, snapshot: Snapshot, probes: Rows) -> Scan:
        """Return the scores of (Q, D) float32 `probes`. Any thread."""
        rows, count = snapshot.originals, len(probes)
        scores = rows.dot(probes.T).ravel()  # Q @ X.T is three times slower in OpenBLAS
        return Scan(scores, [1.0] * count, [error_bound(rows.shape[1])] * count)

    def score(self, snapshot: Snapshot, probe: NDArray[np.float32]) -> Scores:
        """Return the scores of one (D,) float32 probe. Any thread."""
        return snapshot.originals.dot(probe), 1.0, error_bound(len(probe))
