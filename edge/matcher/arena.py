"""Where templates live: one block of float32 originals and one of int8 codes, append only.

A row, once written, is never written again while anybody can still read it. A resident who is
replaced or removed *dies at a version*; readers of an older version keep seeing them whole. When
the last such reader is gone their rows are zeroed (`Grave`), and the hole is never used again: the
space comes back when the arena is rebuilt.
"""

from __future__ import annotations

import contextlib
import mmap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge.matcher.exact import Rows

ALIVE = np.iinfo(np.int64).max
"""Version at which a living owner dies."""

CODE_LIMIT = 127
"""Codes are -127..127: symmetric, and the negation of a code is a code."""

MOST_DIM = 1040
"""Largest D for which float32 holds every dot product of codes exactly: D * 127**2 < 2**24."""

FIRST_SCALE = CODE_LIMIT / 0.5
"""For an empty arena; components of face embeddings rarely pass 0.5, and clipping stays sound."""

LEAST_CAPACITY = 1024
GROWTH = 1.5
ENCODED_AT_ONCE = 8192
"""Rows per step when a whole arena is encoded: the scratch stays at tens of megabytes."""

FOLD_LIMIT = 4
"""Codes may be viewed with up to this many rows side by side, so capacity is a multiple of it."""


def quantise(rows: Rows, scale: float) -> tuple[NDArray[np.float32], float]:
    """Return whole-numbered codes of (k, D) `rows` and a bound on |row - codes / scale|.

    The residual is measured, not assumed: a component beyond `CODE_LIMIT / scale` is clipped, the
    residual grows, and every bound built on it stays true. The last factor and term cover the
    float32 rounding of the measurement itself: at most D * 6e-8 of it, and 6e-8 of the row.
    """
    scaled = rows * np.float32(scale)
    codes = np.rint(scaled)
    np.minimum(codes, CODE_LIMIT, out=codes)
    np.maximum(codes, -CODE_LIMIT, out=codes)
    scaled -= codes
    squares = np.einsum("ij,ij->i", scaled, scaled)
    return codes, float(np.maximum.reduce(squares, initial=0.0)) ** 0.5 / scale * 1.0001 + 1e-6


def pages(size: int) -> NDArray[np.uint8]:
    """Return `size` zero bytes of their own pages: aligned, large where the kernel can.

    Unused capacity costs no memory. They stay out of core dumps: this is biometric data. Aligned
    codes scan up to a tenth faster than numpy's own (measured, AVX-512).
    """
    block = mmap.mmap(-1, max(size, 1))
    # Each by itself: a kernel without large pages still has to keep this out of core dumps.
    for advice in (mmap.MADV_HUGEPAGE, mmap.MADV_DONTDUMP):
        with contextlib.suppress(OSError):  # a kernel without large pages
            block.madvise(advice)
    return np.frombuffer(block, np.uint8)


class Arena:
    """A block with room for `capacity` rows. Written by one writer, read by anybody.

    An *owner* is one generation of one resident: a number that is never reused. `owner` maps rows
    to owners; `names`, `spans` and `died` are indexed by owner.
    """

    def __init__(self, capacity: int, dim: int) -> None:
        capacity += -capacity % FOLD_LIMIT
        self.originals: Rows = pages(capacity * dim * 4).view(np.float32).reshape(capacity, dim)
        self.codes: NDArray[np.int8] = pages(capacity * dim).view(np.int8).reshape(capacity, dim)
        self.owner: NDArray[np.int32] = np.zeros(capacity, np.int32)
        self.died: NDArray[np.int64] = np.full(capacity, ALIVE, np.int64)
        self.names: list[str] = []
        self.spans: list[tuple[int, int]] = []
        self.scale = FIRST_SCALE
        self.residual = 0.0
        self.used = 0
        self.compiled: Any = None
        """These arrays as compiled code sees them, once it has searched them; it also encodes faster."""

    @classmethod
    def holding(cls, residents: Mapping[str, Rows], dim: int, spare: int) -> Arena:
        """Return an arena with these residents and room for `spare` rows more, plus half of all.

        Its scale clips none of their components.
        """
        counts = [len(rows) for rows in residents.values()]
        used, stops = sum(counts), np.cumsum(counts).tolist()
        # Half as much again for enrolments to come: what nobody has written to costs no memory (`pages`).
        arena = cls(max(LEAST_CAPACITY, int((used + spare) * GROWTH)), dim)
        if used:
            np.concatenate(list(residents.values()), out=arena.originals[:used])
        arena.owner[:used] = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
        arena.names = list(residents)
        arena.spans = list(zip([0, *stops[:-1]], stops, strict=True)) if counts else []
        arena.used = used
        arena.fit()
        return arena

    def fit(self) -> None:
        """Choose the scale for the rows in use and encode them all, a few thousand at a time."""
        rows = self.originals[: self.used]
        # The largest component of all, so that no code is clipped and the residual is the rounding alone.
        peak = max(float(rows.max(initial=0.0)), -float(rows.min(initial=0.0)))
        self.scale = CODE_LIMIT / peak if peak else FIRST_SCALE
        for start in range(0, self.used, ENCODED_AT_ONCE):
            self._encode(start, min(start + ENCODED_AT_ONCE, self.used))

    def append(self, resident_id: str, rows: Rows) -> int:
        """Write `rows` behind the last one and return their owner number. Room must be there."""
        # Names and spans before `used`: the next snapshot, which is cut at `used`, finds the owner's entries
        # there. Readers of older snapshots look at none of these rows.
        owner, start, stop = len(self.names), self.used, self.used + len(rows)
        self.originals[start:stop] = rows
        self.owner[start:stop] = owner
        self._encode(start, stop)
        self.names.append(resident_id)
        self.spans.append((start, stop))
        self.used = stop
        return owner

    def _encode(self, start: int, stop: int) -> None:
        if self.compiled is not None:
            residual = self.compiled.encode(start, stop)
        else:
            codes, residual = quantise(self.originals[start:stop], self.scale)
            self.codes[start:stop] = codes
        # It only grows: every row in use must lie within it, also the one that fitted the scale worst.
        self.residual = max(self.residual, residual)

    def erase(self, start: int, stop: int) -> None:
        """Zero the originals and codes of rows start..stop. Nobody may be reading them."""
        self.originals[start:stop] = 0
        self.codes[start:stop] = 0

    def has_room(self, rows: int) -> bool:
        """Return whether `rows` more fit without moving the arena."""
        return self.used + rows <= len(self.originals)


@dataclass(slots=True, eq=False)
class Grave:
    """Zeroes biometric data when the last reader that could see it has gone.

    Each snapshot holds its own grave; publishing the next version buries in it what that version
    removed, and links it to the next grave. So a grave lives exactly as long as some snapshot of
    its version or an older one, and CPython's reference count runs `__del__` right then, mostly
    in the writer at once, else in the last reader.
    """

    buried: tuple[Arena, int, int] | None = None
    later: Grave | None = None

    def __del__(self) -> None:
        if self.buried is not None:
            arena, start, stop = self.buried
            arena.erase(start, stop)


class Snapshot(NamedTuple):
    """One version of the gallery, whole and unchanging; the only thing a reader ever looks at.

    (A named tuple: every change makes one, and a frozen dataclass takes four times as long.)

    `originals` (n, D) float32, `codes` (n, D) int8, `owner` (n,) int32. `residual` bounds
    |original - code / scale| over the n rows. `residents` and `templates` count the living.
    """

    arena: Arena
    originals: Rows
    codes: NDArray[np.int8]
    owner: NDArray[np.int32]
    residual: float
    version: int
    residents: int
    templates: int
    grave: Grave

    def folded(self, fold: int) -> NDArray[np.int8]:
        """Return the codes as (ceil(n / fold), fold * D).

        The last row may reach into rows that this version does not have; ignore their scores.
        """
        codes = self.arena.codes
        return codes.reshape(-1, fold * codes.shape[1])[: -(-len(self.codes) // fold)]

    def first(self, rows: int) -> Snapshot:
        """Return a view of the first `rows` rows, for measuring."""
        cut = slice(0, rows)
        return self._replace(
            originals=self.originals[cut], codes=self.codes[cut], owner=self.owner[cut], templates=rows
        )

    def is_live(self, row: int) -> bool:
        """Return whether the resident behind `row` is enrolled in this version."""
        return bool(self.arena.died[self.owner[row]] > self.version)

    def live(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return (k,) bool: which of `rows` belong to a resident enrolled in this version."""
        return self.arena.died[self.owner[rows]] > self.version

    def only_live(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return those of `rows` that belong to a resident enrolled in this version."""
        # As many templates as rows: nobody has died in this version, the ordinary case.
        return rows if self.templates == len(self.owner) else rows[self.live(rows)]

    def dead_rows(self) -> NDArray[np.bool_]:
        """Return (n,) bool: which rows belong to nobody any more. O(n)."""
        return self.arena.died[self.owner] <= self.version

    def span(self, row: int) -> tuple[int, int]:
        """Return first and one past the last row of the resident behind `row`."""
        return self.arena.spans[int(self.owner[row])]

    def name(self, row: int) -> str:
        """Return the resident id behind `row`."""
        return self.arena.names[int(self.owner[row])]
