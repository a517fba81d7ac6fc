"""Probes as int8 codes, and the proven interval around a score of codes.

With a row x = g/s + ex and a probe q = h/t + eq (g, h integer codes, s, t scales):

    q.x - (g.h)/(s t) = q.ex + eq.(g/s),   so   |q.x - (g.h)/(s t)| <= |q| E + |eq| (|x| + E)

by Cauchy-Schwarz, where E bounds |ex| and was measured when the row was written, and |eq| is
measured per probe. Nothing is assumed about the data: a bad scale only widens the interval, which
costs time, never an answer.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edge.matcher.admission import NORM_HIGH
from edge.matcher.arena import CODE_LIMIT
from edge.matcher.backends import Scan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.matcher.arena import Snapshot
    from edge.matcher.exact import Rows

ROW_NORM = 1.000002
"""No row in the gallery is longer: `UNIT_TOLERANCE` and float32 rounding."""

SLACK = 2e-6
"""Covers float32 rounding while encoding, at most D * 6e-8 of a residual below 0.02 and 6e-8 of the probe."""

WIDEST_RESIDUAL = 0.05
"""A probe that fits the gallery's scale leaves 0.02 at most; beyond this it gets its own scale."""


class CodedProbes(NamedTuple):
    """(Q, D) int8 codes of probes, and per probe its scale t and residual norm |eq|."""

    codes: NDArray[np.int8]
    scales: list[float]
    residuals: list[float]

    def scan(self, snapshot: Snapshot, scores: NDArray[Any]) -> Scan:
        """Return `scores` with the intervals that the equation above gives."""
        scale = snapshot.arena.scale
        widths = [interval(snapshot, residual) for residual in self.residuals]
        return Scan(scores, [t * scale for t in self.scales], widths)


def interval(snapshot: Snapshot, residual: float) -> float:
    """Return the width around a score of codes for a probe with this residual norm |eq|."""
    error = snapshot.residual
    return NORM_HIGH * error + SLACK + residual * (ROW_NORM + error)


def encode(probes: Rows, scale: float) -> CodedProbes:
    """Return int8 codes of (Q, D) float32 `probes`: the gallery's `scale` where it fits, else their own.

    Few numpy calls on purpose: between two faces the caches are cold and each costs microseconds.
    """
    codes = np.empty(probes.shape, np.int8)
    both = [encode_one(row, probe, scale) for row, probe in zip(codes, probes, strict=True)]
    return CodedProbes(codes, [own for own, _ in both], [residual for _, residual in both])


def encode_one(row: NDArray[np.int8], probe: NDArray[np.float32], scale: float) -> tuple[float, float]:
    """Write the codes of one probe into `row`, return their scale and the residual norm |eq|."""
    # The gallery's scale first: most probes fit it, which saves looking for their largest component.
    residual = _write_codes(row, probe, scale)
    if residual <= WIDEST_RESIDUAL:
        return scale, residual
    own = CODE_LIMIT / float(np.abs(probe).max())
    return own, _write_codes(row, probe, own)


def _write_codes(row: NDArray[np.int8], probe: NDArray[np.float32], scale: float) -> float:
    """Write the codes of `probe` into `row` and return the residual norm, measured on those codes.

    A component beyond the scale wraps around; that shows as an enormous residual.
    """
    scaled = probe * scale
    # The residual is taken of what the row holds now, after int8 has had its way with it.
    row[:] = np.rint(scaled)
    scaled -= row
    return math.sqrt(scaled.dot(scaled)) / scale
