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
from edge.matcher.arena import CODE_LIMIT
from edge.matcher.backends import Scan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.matcher.arena import Snapshot
    from edge.matcher.exact import Rows

EXACT_FLOAT32_DIM = 1040
"""Largest D for which float32 holds every dot product of codes: D * 127**2 < 2**24."""

ROW_NORM = 1.000002
"""No row in the gallery is longer: `UNIT_TOLERANCE` and float32 rounding."""

SLACK = 2e-6
"""Covers float32 rounding while encoding: 127 * 6e-8 * sqrt(D) / t < 1e-6 up to D = 1040."""

TOUCHED_BYTES = 256 << 10
"""A quarter of a core's own cache; 128 kB and 512 kB measured slower or the same."""

WIDEST_RESIDUAL = 0.05
"""A probe that fits the gallery's scale leaves 0.02 at most; beyond this it gets its own scale."""


class CodedProbes(NamedTuple):
    """(Q, D) int8 codes of probes, and per probe its scale t and residual norm |eq|."""

    codes: NDArray[np.int8]
    scales: list[float]
    residuals: list[float]

    def scan(self, snapshot: Snapshot, scores: NDArray[Any]) -> Scan:
        """Return `scores` with the intervals that the equation above gives."""
        error, scale = snapshot.residual, snapshot.arena.scale
        fixed, weight = NORM_HIGH * error + SLACK, ROW_NORM + error
        widths = [fixed + residual * weight for residual in self.residuals]
        return Scan(scores, [t * scale for t in self.scales], widths)


def encode(probes: Rows, scale: float) -> CodedProbes:
    """Return int8 codes of (Q, D) float32 `probes`: the gallery's `scale` where it fits, else their own.

    Few numpy calls on purpose: between two faces the caches are cold and each costs microseconds.
    """
    codes = np.empty(probes.shape, np.int8)
    scales, residuals = [], []
    for row, probe in zip(codes, probes, strict=True):
        own, residual = scale, _encode_one(row, probe, scale)
        if residual > WIDEST_RESIDUAL:
            own = CODE_LIMIT / float(np.abs(probe).max())
            residual = _encode_one(row, probe, own)
        scales.append(own)
        residuals.append(residual)
    return CodedProbes(codes, scales, residuals)


def _encode_one(row: NDArray[np.int8], probe: NDArray[np.float32], scale: float) -> float:
    """Write the codes of `probe` into `row` and return the residual norm, measured on those codes.

    A component beyond the scale wraps around; that shows as an enormous residual.
    """
    scaled = probe * np.float32(scale)
    row[:] = np.rint(scaled)
    scaled -= row
    return math.sqrt(scaled.dot(scaled)) / scale


class Stream:
    """numkong `cdist`, row after row: runs at memory speed for one probe and long rows."""

    name = "int8-stream"

    def scan(self, snapshot: Snapshot, probes: Rows) -> Scan:
        """Return the scores of (Q, D) float32 `probes`. Any thread."""
        coded = encode(probes, snapshot.arena.scale)
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
        self.name = f"int8-fold{columns}"
        self._columns = columns
        self._scratch = threading.local()

    def scan(self, snapshot: Snapshot, probes: Rows) -> Scan:
        """Return the scores of (Q, D) float32 `probes`. Any thread."""
        coded = encode(probes, snapshot.arena.scale)
        count = len(probes)
        fold = max(1, self._columns // count)
        codes = snapshot.folded(fold)
        scratch = self._reused(len(codes), fold, coded.codes.shape)
        scratch.blocks[:] = coded.codes
        packed = numkong.dots_pack(scratch.columns)
        self._multiply(codes, packed, scratch.tensor)
        return coded.scan(snapshot, scratch.scores[: len(snapshot.owner) * count])

    def _multiply(self, codes: NDArray[np.int8], packed: Any, out: Any) -> None:
        numkong.dots_packed(codes, packed, out=out)

    def _reused(self, rows: int, fold: int, shape: tuple[int, ...]) -> Scratch:
        """Return this thread's scratch: fresh pages would cost as much as half a scan."""
        kept: Scratch | None = getattr(self._scratch, "kept", None)
        key = (rows, fold, *shape)
        if kept is None or kept.key != key:
            kept = self._scratch.kept = _scratch(key, rows, fold, shape)
        return kept


class TouchedFold(Fold):
    """The same, a block at a time, each read once before: the kernel alone reads memory slowly.

    It walks many rows at once, which defeats the hardware's prefetching; a plain maximum over the
    block brings it into the core's cache at full memory speed. Pays for long rows beyond the
    caches (1.5 times faster at 100,000 x 512 and four probes).
    """

    def __init__(self, columns: int) -> None:
        super().__init__(columns)
        self.name = f"int8-touch{columns}"

    def _multiply(self, codes: NDArray[np.int8], packed: Any, out: Any) -> None:
        step = max(1, TOUCHED_BYTES // codes.shape[1])
        for start in range(0, len(codes), step):
            stop = min(start + step, len(codes))
            codes[start:stop].max()
            numkong.dots_packed(codes, packed, out=out, start_row=start, end_row=stop)


class Scratch(NamedTuple):
    """One thread's buffers for scans of one shape.

    `columns` (fold * Q, fold * D) int8 is zero outside `blocks`, a (fold, Q, D) view of it in which
    block k lies in columns k*D..(k+1)*D. `scores` is the flat view of numkong's int32 `tensor`.
    """

    key: tuple[int, ...]
    columns: NDArray[np.int8]
    blocks: NDArray[np.int8]
    tensor: Any
    scores: NDArray[np.int32]


def _scratch(key: tuple[int, ...], rows: int, fold: int, shape: tuple[int, ...]) -> Scratch:
    count, dim = shape
    columns = np.zeros((fold, count, fold, dim), np.int8)
    blocks = np.einsum("kqkd->kqd", columns)
    tensor = numkong.empty((rows, fold * count), dtype="int32")
    flat = columns.reshape(fold * count, fold * dim)
    return Scratch(key, flat, blocks, tensor, np.asarray(tensor).ravel())
