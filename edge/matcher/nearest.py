"""The same exact answers from a backend that returns only its k best rows.

A row that was not returned scores no more than the last one that was. So the k rows suffice as soon
as that last score is below the cut; until then k grows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.matcher.search import NOBODY, Finding, Search, SearchVerdict, leads, stranger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from edge.domain import Match

FIRST_K = 32
"""Enough for nearly every probe: 17 rows were compared per full answer at 100,000 x 128."""

WIDER = 8


@dataclass(slots=True, eq=False, kw_only=True)
class NearestSearch(Search):
    """One probe in one snapshot; `nearest(k)` gives rows and scores, best first."""

    nearest: Callable[[int], tuple[NDArray[np.int64], NDArray[np.float32]]]

    def best_two_near(self) -> Match:
        """Return the best resident and the best other resident, exactly."""
        for rows, scores, complete in self._growing():
            seeds = self._seeds(self.snapshot.only_live(rows))
            if len(seeds) < 2 and not complete:
                continue
            if not len(seeds):
                break
            cut = self.cut(float(self._exact(seeds).min()), scores)
            if complete or scores[-1] < cut:
                return self._rank(self.snapshot.only_live(rows[scores >= cut]))
        return NOBODY

    def decide_near(self, threshold: float, margin: float) -> Finding:
        """Return the decision at `threshold` and `margin`, stopping as soon as it is certain."""
        for rows, scores, complete in self._growing():
            at_most = scores.item(0) / self.unit + self.width
            if at_most < threshold:
                return stranger(at_most)
            owners = self.snapshot.owner[rows].tolist()
            other = next((i for i, owner in enumerate(owners) if owner != owners[0]), -1)
            at_least, others = at_most - 2 * self.width, scores.item(other) / self.unit + self.width
            if at_least >= threshold and leads(self.snapshot, owners[0], at_least, others, margin):
                name = self.snapshot.arena.names[owners[0]]
                return Finding(SearchVerdict.IDENTITY, name, at_least, at_most, others)
            cut = self.cut(threshold - margin, scores)
            if complete or scores[-1] < cut:
                enough = scores >= cut
                return self.decide_among(rows[enough], scores[enough], threshold, margin)
        return stranger(-1.0)

    def _seeds(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the first of `rows` and the first that belongs to another resident, if they exist."""
        owners = self.snapshot.owner[rows]
        others = rows[owners != owners[:1]]
        return np.concatenate([rows[:1], others[:1]])

    def _growing(self) -> Iterator[tuple[Any, Any, bool]]:
        """Yield ever more rows, and whether they are all rows there are."""
        k, count = FIRST_K, len(self.snapshot.owner)
        while True:
            rows, scores = self.nearest(k)
            yield rows, scores, k >= count
            if k >= count:
                return
            k *= WIDER
