"""Where templates live: one block of float32 originals and one of int8 codes, append only.

A row, once written, is never written again while anybody can still read it. A resident who is
replaced or removed *dies at a version*; readers of an older version keep seeing them whole. When
the last such reader is gone their rows are zeroed (`Grave`), and the hole is never used again: the
space comes back when the arena is rebuilt.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.matcher.exact import Rows

ALIVE = np.iinfo(np.int64).max
"""Version at which a living owner dies."""

CODE_LIMIT = 127
"""Codes are -127..127: symmetric, and the negation of a code is a code."""


def quantise(rows: NDArray[np.floating], scale: float) -> tuple[NDArray[np.int8], float]:
    """Return int8 codes of (k, D) `rows` and the largest residual norm |row - codes / scale|.

    The residual is measured, not assumed: a component beyond `CODE_LIMIT / scale` is clipped, the
    residual grows, and every bound built on it stays true.
    """
    scaled = rows * np.float64(scale)
    codes = np.rint(scaled)
    np.clip(codes, -CODE_LIMIT, CODE_LIMIT, out=codes)
    scaled -= codes
    residual = float(np.sqrt(np.einsum("ij,ij->i", scaled, scaled).max(initial=0.0))) / scale
    return codes.astype(np.int8), residual


class Arena:
    """A block with room for `capacity` rows. Written by one writer, read by anybody.

    An *owner* is one generation of one resident: a number that is never reused. `owner` maps rows
    to owners; `names`, `spans` and `died` are indexed by owner.
    """

    def __init__(self, capacity: int, dim: int, scale: float) -> None:
        # np.zeros takes untouched pages from the kernel: unused capacity costs no memory.
        self.originals: Rows = np.zeros((capacity, dim), np.float32)
        self.codes: NDArray[np.int8] = np.zeros((capacity, dim), np.int8)
        self.owner: NDArray[np.int32] = np.zeros(capacity, np.int32)
        self.died: NDArray[np.int64] = np.full(capacity, ALIVE, np.int64)
        self.names: list[str] = []
        self.spans: list[tuple[int, int]] = []
        self.scale = scale
        self.residual = 0.0
        self.used = 0

    def append(self, resident_id: str, rows: Rows) -> int:
        """Write `rows` behind the last one and return their owner number. Room must be there."""
        owner, start, stop = len(self.names), self.used, self.used + len(rows)
        codes, residual = quantise(rows, self.scale)
        self.originals[start:stop] = rows
        self.codes[start:stop] = codes
        self.owner[start:stop] = owner
        self.residual = max(self.residual, residual)
        self.names.append(resident_id)
        self.spans.append((start, stop))
        self.used = stop
        return owner

    def has_room(self, rows: int) -> bool:
        """Say whether `rows` more fit without moving the arena."""
        return self.used + rows <= len(self.originals)


@dataclass(slots=True, eq=False, weakref_slot=True)
class Grave:
    """Zeroes biometric data when the last reader that could see it has gone.

    Each snapshot holds its own grave; publishing the next version buries in it what that version
    removed, and links it to the next grave. So a grave lives exactly as long as some snapshot of
    its version or an older one, and CPython's reference count runs `__del__` right then, mostly
    in the writer at once, else in the last reader.
    """

    buried: list[NDArray[np.generic]] = field(default_factory=list)
    later: Grave | None = None

    def __del__(self) -> None:
        for block in self.buried:
            block.fill(0)


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """One version of the gallery, whole and unchanging; the only thing a reader ever looks at.

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

    def is_live(self, row: int) -> bool:
        """Say whether the resident behind `row` is enrolled in this version."""
        return bool(self.arena.died[self.owner[row]] > self.version)

    def live(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return (k,) bool: which of `rows` belong to a resident enrolled in this version."""
        return self.arena.died[self.owner[rows]] > self.version

    def live_rows(self) -> NDArray[np.intp]:
        """Return the indices of every row of this version, O(n)."""
        return np.flatnonzero(self.arena.died[self.owner] > self.version)

    def span(self, row: int) -> tuple[int, int]:
        """Return first and one past the last row of the resident behind `row`."""
        return self.arena.spans[int(self.owner[row])]

    def name(self, row: int) -> str:
        """Return the resident id behind `row`."""
        return self.arena.names[int(self.owner[row])]
