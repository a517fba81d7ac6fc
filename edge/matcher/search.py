"""From approximate scores with a proven bound to the exact answer.

Let w be the bound. If rows of two different residents are known to reach exactly a >= b, then no
row with approximate score below b - w can be the best or the runner-up. What remains, a handful of
rows, is compared in float64, so the result equals a float64 scan of everything, bit for bit.

Rows of residents who died before this version are dropped *before* any lower bound is taken: a
dead row's stale codes could otherwise lift the bound above the living best.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.domain import Match
from edge.matcher.exact import exact_similarities, first_by_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.matcher.arena import Snapshot
    from edge.matcher.exact import Probe64

HIDDEN = -2_000_000_000
"""Below every score; fits int32 and float32."""

NOBODY = Match(None, -1.0)


class Outcome(StrEnum):
    """What a threshold and a margin make of a probe."""

    IDENTITY = "identity"
    STRANGER = "stranger"
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, slots=True)
class Finding:
    """A decision about one probe, reached with as little work as it allowed.

    `resident_id` is the best resident, None for a stranger. `similarity` is exact for an identity
    and for an ambiguous probe; for a stranger no resident exceeds it. No other resident exceeds
    `runner_up_at_most`.
    """

    outcome: Outcome
    resident_id: str | None
    similarity: float
    runner_up_at_most: float


NO_ONE_THERE = Finding(Outcome.STRANGER, None, -1.0, -1.0)


@dataclass(slots=True, eq=False)
class Search:
    """One probe in one snapshot: |similarity - scores[i] / unit| <= width for every row i.

    Scores are contiguous float32 or int32 and get overwritten. `rescored` counts the rows compared
    in float64, the price of the bound.
    """

    snapshot: Snapshot
    probe: Probe64
    unit: float
    width: float
    rescored: int = 0

    def best_two(self, scores: NDArray[Any]) -> Match:
        """Return the best resident and the best other resident, exactly."""
        first = self._top_live(scores)
        if first is None:
            return NOBODY
        start, stop = self.snapshot.span(first)
        own = scores[start:stop].copy()
        scores[start:stop] = HIDDEN
        second = self._top_live(scores)
        scores[start:stop] = own
        seeds = [first] if second is None else [first, second]
        floor = float(self._exact(seeds).min())
        rows = np.flatnonzero(scores >= self.cut(floor, scores))
        return self._rank(rows[self.snapshot.live(rows)])

    def decide(self, scores: NDArray[Any], threshold: float, margin: float) -> Finding:
        """Return the decision at `threshold` and `margin`, stopping as soon as it is certain."""
        bound = float(scores.max(initial=HIDDEN)) / self.unit + self.width
        if bound < threshold:  # whoever is on top, even the dead
            return Finding(Outcome.STRANGER, None, bound, bound)
        rows = np.flatnonzero(scores >= self.cut(threshold - margin, scores))
        return self.decide_among(rows, scores[rows], threshold, margin)

    def decide_among(
        self, rows: NDArray[np.intp], scores: NDArray[Any], threshold: float, margin: float
    ) -> Finding:
        """Return the decision when only `rows` can reach `threshold - margin`; `scores` are theirs."""
        live = self.snapshot.live(rows)
        rows, scores = rows[live], scores[live]
        if not len(rows):
            return Finding(Outcome.STRANGER, None, threshold - margin, threshold - margin)
        top = int(scores.argmax())
        reached = float(self._exact(rows[top : top + 1])[0])
        if reached >= threshold:
            rows = self._contenders(rows, scores, top, reached, margin)
        unseen = max(reached, threshold) - margin  # every row left out lies below
        return _classify(self._rank(rows), threshold, margin, unseen)

    def cut(self, similarity: float, scores: NDArray[Any]) -> Any:
        """Return the score, in the scan's own type, below which no row reaches `similarity`.

        Integers are rounded down and two more taken off, so rounding never hides a row.
        """
        score = (similarity - self.width) * self.unit
        kind = scores.dtype.type
        return kind(score) if self.unit == 1.0 else kind(int(score) - 2)

    def _top_live(self, scores: NDArray[Any]) -> int | None:
        """Return the row with the highest score among the living, None when there is none."""
        if not len(scores):
            return None
        top = int(scores.argmax())
        if scores[top] > HIDDEN and not self.snapshot.is_live(top):
            scores[self.snapshot.dead_rows()] = HIDDEN  # rare, since zeroed rows score 0
            top = int(scores.argmax())
        return top if scores[top] > HIDDEN else None

    def _contenders(
        self, rows: NDArray[np.intp], scores: NDArray[Any], top: int, reached: float, margin: float
    ) -> NDArray[np.intp]:
        """Return the rows that can still decide once `rows[top]` has `reached` its similarity.

        The same resident's rows that can beat it, other residents' that can come within `margin`.
        """
        owners = self.snapshot.owner[rows]
        own = (owners == owners[top]) & (scores >= self.cut(reached, scores))
        others = (owners != owners[top]) & (scores >= self.cut(reached - margin, scores))
        contenders: NDArray[np.intp] = rows[own | others]
        return contenders

    def _exact(self, rows: list[int] | NDArray[np.intp]) -> NDArray[np.float64]:
        self.rescored += len(rows)
        return exact_similarities(self.snapshot.originals[rows], self.probe)

    def _rank(self, rows: NDArray[np.intp]) -> Match:
        """Return the best two residents among `rows`, ties by the smaller id."""
        similarities = self._exact(rows)
        owners = self.snapshot.owner[rows]
        names = [self.snapshot.arena.names[owner] for owner in owners.tolist()]
        best = first_by_name(similarities, names)
        others = np.flatnonzero(owners != owners[best])
        if not len(others):
            return Match(names[best], float(similarities[best]))
        second = int(others[first_by_name(similarities[others], [names[i] for i in others.tolist()])])
        return Match(names[best], float(similarities[best]), names[second], float(similarities[second]))


def _classify(match: Match, threshold: float, margin: float, unseen: float) -> Finding:
    """Return what `threshold` and `margin` make of `match`; nobody outside it exceeds `unseen`."""
    if match.similarity < threshold:
        bound = max(match.similarity, unseen)
        return Finding(Outcome.STRANGER, None, bound, bound)
    outcome = Outcome.IDENTITY if match.margin >= margin else Outcome.AMBIGUOUS
    runner_up = max(match.runner_up_similarity, unseen)
    return Finding(outcome, match.resident_id, match.similarity, runner_up)
