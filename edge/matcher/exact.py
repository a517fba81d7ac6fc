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

from edge.domain import Match

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Rows = NDArray[np.float32]
"""(k, D) float32, unit rows."""

COMPARED_AT_ONCE = 4096
"""Rows widened together: even if every row of a huge gallery must be compared, memory stays small."""


def exact_similarities(rows: Rows, probe: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return (k,) float64: the cosine similarity of each row with a (D,) float32 probe. Any thread."""
    products = np.multiply(rows, probe, dtype=np.float64)  # both widened first, so every product is exact
    similarities: NDArray[np.float64] = np.add.reduce(products, axis=1)
    return similarities


def exact_at(originals: Rows, indices: NDArray[np.intp], probe: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return (k,) float64: the similarities of `originals[indices]`, a bounded number at a time."""
    if len(indices) <= COMPARED_AT_ONCE:
        return exact_similarities(originals.take(indices, axis=0), probe)
    parts = np.array_split(indices, -(-len(indices) // COMPARED_AT_ONCE))
    return np.concatenate([exact_similarities(originals[part], probe) for part in parts])


def best_two(similarities: Iterable[float], owners: Iterable[int], names: Sequence[str]) -> Match:
    """Return the best resident and the best other one; `names` maps owners to resident ids.

    Equal similarities go to the smaller resident id in code-point order: unlike row order that
    survives removal, replacement, compaction and a restart, so two boards with the same residents
    always agree.
    """
    best: dict[int, float] = {}
    for owner, similarity in zip(owners, similarities, strict=True):
        if similarity > best.get(owner, -np.inf):
            best[owner] = similarity
    # Negated, so that one ascending sort gives the highest similarity and, among equals, the smaller id.
    ranked = sorted([(-similarity, names[owner]) for owner, similarity in best.items()])
    (first, name), *others = ranked
    if not others:
        return Match(name, -first)
    return Match(name, -first, others[0][1], -others[0][0])
