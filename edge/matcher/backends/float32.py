"""Float32 matrix product through numpy's BLAS: always there, and best for a normal building."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.matcher.backends import Scan

if TYPE_CHECKING:
    from edge.matcher.arena import Snapshot
    from edge.matcher.exact import Probe64

UNIT_ROUNDOFF = 6e-8
"""2**-24 rounded up: relative error of one float32 operation."""


def error_bound(dim: int) -> float:
    """Return how far a float32 dot product of two unit vectors can be from the exact one.

    The classic n*u bound holds for any order of summation and with or without fused
    multiply-add; eight more roundings cover norms up to 1.02 and the caller's own arithmetic.
    """
    return (dim * 1.05 + 8) * UNIT_ROUNDOFF


class Float32:
    """Scans the originals themselves."""

    name = "float32"

    def scan(self, snapshot: Snapshot, probe: Probe64) -> Scan:
        """Return the scores of one (D,) float64 probe. Any thread."""
        scores = snapshot.originals @ probe.astype(np.float32)  # X @ q: q @ X.T is 3x slower
        return Scan(scores, 1.0, error_bound(len(probe)))
