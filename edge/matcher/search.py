"""From approximate scores with a proven bound to the exact answer.

Let w be the bound. If rows of two different residents are known to reach exactly a >= b, then no
row with approximate score below b - w can be the best or the runner-up. What remains, a handful of
rows, is compared in float64, so the result equals a float64 scan of everything, bit for bit.

Rows of residents who died before this version are dropped *before* any lower bound is taken: a
dead row's stale codes could otherwise lift the bound above the living best. Upper bounds need no
such care: the dead can only make them looser.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edge.domain import Match
from edge.matcher.exact import best_two, exact_at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.matcher.arena import Snapshot

HIDDEN = -2_000_000_000
"""Below every score; fits int32 and float32."""

NOBODY = Match(None, -1.0)


class SearchVerdict(StrEnum):
    """What a threshold and a margin make of a probe."""

    IDENTITY = "identity"
    STRANGER = "stranger"
    AMBIGUOUS = "ambiguous"


class Finding(NamedTuple):
    """A decision about one probe, reached with as little work as it allowed.

    The best resident's similarity lies in `at_least`..`at_most`; for a stranger only the latter
    means anything, and `resident_id` is None. No other resident exceeds `others_at_most`.
    (A named tuple: one is made per probe, and a frozen dataclass takes three times as long.)
    """

    outcome: SearchVerdict
    resident_id: str | None
    at_least: float
    at_most: float
    others_at_most: float


@dataclass(slots=True, eq=False)
class Search:
    """One probe in one snapshot: |similarity - scores[i] / unit| <= width for every row i.

    `probe` is (D,) float32. Scores are contiguous float32 or int32 and get overwritten. `rescored`
    counts the rows compared in float64, the price of the bound.
    """

    snapshot: Snapshot
    probe: NDArray[np.float32]
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
        floor = float(self._exact(np.array(seeds)).min())
        rows = (scores >= self.cut(floor, scores)).nonzero()[0]
        return self._rank(self.snapshot.only_live(rows))

    def decide(self, scores: NDArray[Any], threshold: float, margin: float) -> Finding:
        """Return the decision at `threshold` and `margin`, stopping as soon as it is certain."""
        top = int(scores.argmax())
        at_most = scores.item(top) / self.unit + self.width
        if at_most < threshold:
            return stranger(at_most)
        certain = self._certain(scores, top, at_most, threshold, margin)
        if certain is not None:
            return certain
        rows = (scores >= self.cut(threshold - margin, scores)).nonzero()[0]
        return self.decide_among(rows, scores[rows], threshold, margin)

    def decide_among(
        self, rows: NDArray[np.intp], scores: NDArray[Any], threshold: float, margin: float
    ) -> Finding:
        """Return the decision when only `rows` can reach `threshold - margin`; `scores` are theirs."""
        live = self.snapshot.live(rows)
        rows, scores = rows[live], scores[live]
        if not len(rows):
            return stranger(threshold)
        top = int(scores.argmax())
        reached = float(self._exact(rows[top : top + 1])[0])
        if reached < threshold:
            able = (scores >= self.cut(threshold, scores)).nonzero()[0]
            similarities = self._exact(rows[able])
            if not len(able) or float(similarities.max()) < threshold:
                return stranger(threshold)
            top, reached = int(able[similarities.argmax()]), float(similarities.max())
        match = self._rank(rows[self._contenders(rows, scores, top, reached, margin)])
        return _classify(match, margin, unseen=reached - margin)

    def cut(self, similarity: float, scores: NDArray[Any]) -> Any:
        """Return the score, in the scan's own type, below which no row reaches `similarity`.

        Integers are rounded down and two more taken off, so rounding never hides a row.
        """
        score = (similarity - self.width) * self.unit
        kind = scores.dtype.type
        return kind(score) if self.unit == 1.0 else kind(int(score) - 2)

    def _certain(
        self, scores: NDArray[Any], top: int, at_most: float, threshold: float, margin: float
    ) -> Finding | None:
        """Return the identity when intervals alone prove threshold and margin, else None."""
        snapshot = self.snapshot
        owner = snapshot.owner.item(top)
        if at_most - 2 * self.width < threshold:
            return None
        start, stop = snapshot.arena.spans[owner]
        own = scores[start:stop].copy()
        scores[start:stop] = HIDDEN
        others_at_most = max(-1.0, scores.item(scores.argmax()) / self.unit + self.width)
        scores[start:stop] = own
        return self._identity(owner, at_most, others_at_most, threshold, margin)

    def _identity(
        self, owner: int, at_most: float, others_at_most: float, threshold: float, margin: float
    ) -> Finding | None:
        """Return `owner` as identity when they live and the intervals alone prove it, else None."""
        arena, at_least = self.snapshot.arena, at_most - 2 * self.width
        if at_least < threshold or at_least - others_at_most <= margin:
            return None
        if arena.died.item(owner) <= self.snapshot.version:
            return None
        return Finding(SearchVerdict.IDENTITY, arena.names[owner], at_least, at_most, others_at_most)

    def _top_live(self, scores: NDArray[Any]) -> int | None:
        """Return the row with the highest score among the living, None when there is none."""
        top = int(scores.argmax())
        if scores[top] > HIDDEN and not self.snapshot.is_live(top):
            scores[self.snapshot.dead_rows()] = HIDDEN  # rare, since zeroed rows score 0
            top = int(scores.argmax())
        return top if scores[top] > HIDDEN else None

    def _contenders(
        self, rows: NDArray[np.intp], scores: NDArray[Any], top: int, reached: float, margin: float
    ) -> NDArray[np.bool_]:
        """Say which rows can still decide once `rows[top]` has `reached` its similarity.

        The same resident's rows that can beat it, other residents' that can come within `margin`.
        """
        owners = self.snapshot.owner[rows]
        own = (owners == owners[top]) & (scores >= self.cut(reached, scores))
        others = (owners != owners[top]) & (scores >= self.cut(reached - margin, scores))
        contenders: NDArray[np.bool_] = own | others
        return contenders

    def _exact(self, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        self.rescored += len(rows)
        return exact_at(self.snapshot.originals, rows, self.probe)

    def _rank(self, rows: NDArray[np.intp]) -> Match:
        """Return the best two residents among `rows`, ties by the smaller id."""
        owners = self.snapshot.owner[rows].tolist()
        return best_two(self._exact(rows).tolist(), owners, self.snapshot.arena.names)


def stranger(at_most: float) -> Finding:
    """Return the finding that no resident exceeds `at_most`, which is below the threshold."""
    return Finding(SearchVerdict.STRANGER, None, -1.0, at_most, at_most)


def _classify(match: Match, margin: float, unseen: float) -> Finding:
    """Return what `margin` makes of a match above the threshold; nobody outside it exceeds `unseen`."""
    outcome = SearchVerdict.IDENTITY if match.margin >= margin else SearchVerdict.AMBIGUOUS
    others_at_most = max(match.runner_up_similarity, unseen)
    return Finding(outcome, match.resident_id, match.similarity, match.similarity, others_at_most)
