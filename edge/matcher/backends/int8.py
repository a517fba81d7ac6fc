"""Int8 codes through numkong: a quarter of the bytes, exact integers, a proven interval.

With a row x = g/s + ex and a probe q = h/t + eq (g, h integer codes, s, t scales):

    q.x - (g.h)/(s t) = q.ex + eq.(g/s),   so   |q.x - (g.h)/(s t)| <= |q| E + |eq| (|x| + E)

by Cauchy-Schwarz, where E bounds |ex| and was measured when the row was written, and |eq| is
measured per probe. Nothing is assumed about the data: a bad scale only widens the interval, which
costs time, never an answer.
"""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import numkong
import numpy as np

from edge.matcher.admission import NORM_HIGH
from edge.matcher.arena import CODE_LIMIT, FOLD_LIMIT
from edge.matcher.backends import Scan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.matcher.arena import Snapshot
    from edge.matcher.exact import Rows

EXACT_FLOAT32_DIM = 1040
"""Largest D for which float32 holds every dot product of codes: D * 127**2 < 2**24."""

ROW_NORM = 1.000002
"""No row in the gallery is longer: `UNIT_TOLERANCE` and float32 rounding."""

SLACK = 1e-7
"""Covers the float64 rounding of this arithmetic (1e-15) many times over."""


class CodedProbes(NamedTuple):
    """(Q, D) int8 codes of probes, and per probe its scale t and residual norm |eq|."""

    codes: NDArray[np.int8]
    scales: list[float]
    residuals: list[float]

    def scan(self, snapshot: Snapshot, scores: NDArray[Any]) -> Scan:
        """Return `scores` with the intervals that the equation above gives."""
        error, scale = snapshot.residual, snapshot.arena.scale
        fixed = NORM_HIGH * error + SLACK
        widths = [fixed + residual * (ROW_NORM + error) for residual in self.residuals]
        return Scan(scores, [t * scale for t in self.scales], widths)


def encode(probes: Rows) -> CodedProbes:
    """Return int8 codes of (Q, D) float32 `probes`, each scaled by its own largest component."""
    codes = np.empty(probes.shape, np.int8)
    scales, residuals = [], []
    for row, probe in zip(codes, probes.astype(np.float64), strict=True):
        size = np.abs(probe)
        scale = CODE_LIMIT / size.item(size.argmax())
        scaled = probe * scale
        row[:] = rounded = np.rint(scaled)
        scaled -= rounded
        scales.append(scale)
        residuals.append(math.sqrt(scaled.dot(scaled)) / scale)
    return CodedProbes(codes, scales, residuals)


class Stream:
    """numkong `cdist`, row after row: runs at memory speed for one probe and long rows."""

    name = "int8-stream"

    def scan(self, snapshot: Snapshot, probes: Rows) -> Scan:
        """Return the scores of (Q, D) float32 `probes`. Any thread."""
        coded = encode(probes)
        # float32, not the kernel's own int32: that would take the packed route, 3x slower here.
        scores = numkong.cdist(snapshot.codes, coded.codes, "dot", out_dtype="f32")
        return coded.scan(snapshot, np.asarray(scores).ravel())


class Fold:
    """numkong `dots_packed` with `columns` columns, several short rows folded into a long one.

    The kernel works on tiles of four columns and likes long rows. For one probe and `columns` = 4
    the gallery is viewed as (n/4, 4 D) and the probe becomes four columns, each holding it in
    another quarter and zeros elsewhere: same bytes read, all four columns used, and the (n/4, 4)
    result is, in memory, the n scores in order.
    """

    def __init__(self, columns: int) -> None:
        assert columns <= FOLD_LIMIT  # noqa: S101 - constants of this package
        self.name = f"int8-fold{columns}"
        self._columns = columns
        self._reused = threading.local()

    def scan(self, snapshot: Snapshot, probes: Rows) -> Scan:
        """Return the scores of (Q, D) float32 `probes`. Any thread."""
        coded = encode(probes)
        count, rows = len(coded.codes), len(snapshot.codes)
        fold = max(1, self._columns // count)
        codes = snapshot.folded(fold)
        packed = numkong.dots_pack(_fold(coded.codes, fold))
        tensor, scores = self._buffer(len(codes), fold * count)
        numkong.dots_packed(codes, packed, out=tensor)
        return coded.scan(snapshot, scores[: rows * count])

    def _buffer(self, rows: int, columns: int) -> tuple[Any, NDArray[np.int32]]:
        """Return this thread's result buffer: fresh pages would cost as much as half a scan."""
        kept: tuple[Any, NDArray[np.int32]] | None = getattr(self._reused, "buffer", None)
        if kept is None or kept[1].shape != (rows, columns):
            tensor = numkong.empty((rows, columns), dtype="int32")
            kept = self._reused.buffer = (tensor, np.asarray(tensor))
        return kept[0], kept[1].ravel()


def _fold(codes: NDArray[np.int8], fold: int) -> NDArray[np.int8]:
    """Return (fold * Q, fold * D): block k holds the probes in columns k*D..(k+1)*D, else zeros."""
    if fold == 1:
        return codes
    count, dim = codes.shape
    folded = np.zeros((fold, count, fold, dim), np.int8)
    for k in range(fold):
        folded[k, :, k] = codes
    return folded.reshape(fold * count, fold * dim)
