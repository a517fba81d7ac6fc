"""Int8 codes through numkong: a quarter of the bytes, exact integers, the interval of `codes`."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numkong
import numpy as np

from edge.matcher.backends.codes import encode, encode_one, interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.matcher.arena import Snapshot
    from edge.matcher.backends import Scan, Scores
    from edge.matcher.exact import Rows

TOUCHED_BYTES = 256 << 10
"""A quarter of a core's own cache; 128 kB and 512 kB measured slower or the same."""


class Stream:
    """numkong `cdist`, row after row: runs at memory speed for one probe and long rows."""

    answers: Literal[False] = False
    name = "int8-stream"

    def scan(self, snapshot: Snapshot, probes: Rows) -> Scan:
        """Return the scores of (Q, D) float32 `probes`. Any thread."""
        coded = encode(probes, snapshot.arena.scale)
        # float32, not the kernel's own int32: that would take the packed route, 3x slower here.
        scores = numkong.cdist(snapshot.codes, coded.codes, "dot", out_dtype="f32")
        return coded.scan(snapshot, np.asarray(scores).ravel())

    def score(self, snapshot: Snapshot, probe: NDArray[np.float32]) -> Scores:
        """Return the scores of one (D,) float32 probe. Any thread."""
        row = np.empty((1, len(probe)), np.int8)
        scale, residual = encode_one(row[0], probe, snapshot.arena.scale)
        scores = numkong.cdist(snapshot.codes, row, "dot", out_dtype="f32")
        return np.asarray(scores).ravel(), scale * snapshot.arena.scale, interval(snapshot, residual)


class Fold:
    """numkong `dots_packed` with `columns` columns, several short rows folded into a long one.

    The kernel works on tiles of four columns and likes long rows. For one probe and `columns` = 4
    the gallery is viewed as (n/4, 4 D) and the probe becomes four columns, each holding it in
    another quarter and zeros elsewhere: same bytes read, all four columns used, and the (n/4, 4)
    result is, in memory, the n scores in order.
    """

    answers: Literal[False] = False

    def __init__(self, columns: int) -> None:
        self.name = f"int8-fold{columns}"
        self._columns = columns
        self._scratch = threading.local()

    def scan(self, snapshot: Snapshot, probes: Rows) -> Scan:
        """Return the scores of (Q, D) float32 `probes`. Any thread."""
        coded = encode(probes, snapshot.arena.scale)
        count = len(probes)
        fold = max(1, self._columns // count)  # so many probes fill the tile by themselves: nothing to fold
        codes = snapshot.folded(fold)
        scratch = self._reused(len(codes), fold, coded.codes.shape)
        scratch.blocks[:] = coded.codes
        packed = numkong.dots_pack(scratch.columns)
        self._multiply(codes, packed, scratch.tensor)
        return coded.scan(snapshot, scratch.scores[: len(snapshot.owner) * count])

    def score(self, snapshot: Snapshot, probe: NDArray[np.float32]) -> Scores:
        """Return the scores of one (D,) float32 probe. Any thread."""
        kept: Single | None = getattr(self._scratch, "single", None)
        # By rows and block: a new version with as many rows in the same arena has the same codes to scan.
        if kept is None or kept.rows != len(snapshot.owner) or kept.arena_codes is not snapshot.arena.codes:
            kept = self._scratch.single = _single(snapshot, self._columns)
        # The arena's scale is asked for each time: what is kept here belongs to the block, not to a version.
        own = snapshot.arena.scale
        scale, residual = encode_one(kept.first, probe, own)
        kept.others[:] = kept.first
        self._multiply(kept.folded, numkong.dots_pack(kept.columns), kept.tensor)
        return kept.scores, scale * own, interval(snapshot, residual)

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
            codes[start:stop].max()  # for its reading alone; the result is not wanted
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


class Single(NamedTuple):
    """One thread's buffers for one probe against the codes of one version of the gallery.

    `first` and `others` are the probe's places in `columns`, `folded` the codes as `Fold` reads them,
    `scores` the (rows,) int32 view of numkong's `tensor`. `arena_codes` says whose codes they are: the
    block, not the snapshot, or residents who were removed would not be erased.
    """

    arena_codes: NDArray[np.int8]
    rows: int
    folded: NDArray[np.int8]
    columns: NDArray[np.int8]
    first: NDArray[np.int8]
    others: NDArray[np.int8]
    tensor: Any
    scores: NDArray[np.int32]


def _single(snapshot: Snapshot, fold: int) -> Single:
    rows, folded = len(snapshot.owner), snapshot.folded(fold)
    scratch = _scratch((), len(folded), fold, (1, snapshot.codes.shape[1]))
    blocks = scratch.blocks[:, 0]
    return Single(
        snapshot.arena.codes,
        rows,
        folded,
        scratch.columns,
        blocks[0],
        blocks[1:],
        scratch.tensor,
        scratch.scores[:rows],
    )


def _scratch(key: tuple[int, ...], rows: int, fold: int, shape: tuple[int, ...]) -> Scratch:
    count, dim = shape
    columns = np.zeros((fold, count, fold, dim), np.int8)
    # A view of the diagonal, to be written through: block k of column k is where the probe goes.
    blocks = np.einsum("kqkd->kqd", columns)
    tensor = numkong.empty((rows, fold * count), dtype="int32")
    flat = columns.reshape(fold * count, fold * dim)
    return Scratch(key, flat, blocks, tensor, np.asarray(tensor).ravel())
