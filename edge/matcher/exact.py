"""The one definition of similarity, and the rule that breaks ties.

Every backend may only *preselect* rows; the number that is reported or compared with a threshold
always comes from `exact_similarities`. It works row by row, so it does not depend on how many rows
or probes are asked at once, and no BLAS is involved, so it does not depend on the machine: the
product of two float32 is exact in float64, and numpy adds each row pairwise in one fixed order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

Rows = NDArray[np.float32]
"""(k, D) float32, unit rows."""

Probe64 = NDArray[np.float64]
"""(D,) float64, a float32 probe widened without rounding."""


def exact_similarities(rows: Rows, probe: Probe64) -> NDArray[np.float64]:
    """Return (k,) float64: the cosine similarity of each row with `probe`. Any thread."""
    similarities: NDArray[np.float64] = np.multiply(rows, probe, dtype=np.float64).sum(axis=1)
    return similarities


def first_by_name(similarities: NDArray[np.float64], names: Sequence[str]) -> int:
    """Return the position of the highest similarity; equal ones go to the smallest resident id.

    The smallest id in code-point order: unlike row order it survives removal, replacement,
    compaction and a restart, so two boards with the same residents always agree.
    """
    ties = np.flatnonzero(similarities == similarities.max())
    return min(ties.tolist(), key=lambda position: names[position])
