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


_IDENTITY, _STRANGER = SearchVerdict.IDENTITY, SearchVerdict.STRANGER


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


_finding = tuple.__new__
"""Makes a `Finding` in half the time of calling it."""


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
        # All rows of one resident: the runner-up is the best of the others, not a second photo.
        scores[start:stop] = HIDDEN
        second = self._top_live(scores)
        if second is None:
            return self._rank(np.arange(start, stop))
        reached, other = self._exact(np.array((first, second))).tolist()
        # What the first reaches exactly is above all that the second's score can mean: the winner is certain.
        if reached - self.width > scores.item(second) / self.unit:
            # Of several photos of the winner, another one than the best score may be the most alike.
            if stop - start > 1:
                reached = self._best_of(start + (own >= self.cut(reached, own)).nonzero()[0], reached)
            return self._led_by(first, reached, scores, second, other)
        # The bounds overlap: every row that can still be first or second is compared.
        scores[start:stop] = own  # in play again
        rows = (scores >= self.cut(min(reached, other), scores)).nonzero()[0]
        return self._rank(self.snapshot.only_live(rows))

    def _led_by(self, first: int, reached: float, scores: NDArray[Any], second: int, other: float) -> Match:
        """Return the match when the resident of row `first` is the best for certain, and hidden in `scores`.

        Row `second` scores best of the others, and reaches `other`.
        """
        snapshot = self.snapshot
        names, owner = snapshot.arena.names, snapshot.owner
        rows = (scores >= self.cut(other, scores)).nonzero()[0]
        if len(rows) == 1:  # which is `second`
            return Match(names[owner.item(first)], reached, names[owner.item(second)], other)
        runner_up = self._rank(snapshot.only_live(rows))
        return Match(names[owner.item(first)], reached, runner_up.resident_id, runner_up.similarity)

    def _best_of(self, rows: NDArray[np.intp], reached: float) -> float:
        """Return the highest similarity of `rows`, one of which has `reached` its own."""
        return reached if len(rows) == 1 else float(self._exact(rows).max())

    def decide(self, scores: NDArray[Any], threshold: float, margin: float) -> Finding:
        """Return the decision at `threshold` and `margin`, comparing exactly what `at_once` left open."""
        rows = (scores >= self.cut(threshold - margin, scores)).nonzero()[0]
        return self.decide_among(rows, scores[rows], threshold, margin)

    def decide_among(
        self, rows: NDArray[np.intp], scores: NDArray[Any], threshold: float, margin: float
    ) -> Finding:
        """Return the decision when only `rows` can reach `threshold - margin`; `scores` are theirs."""
        # First: the score of somebody who was removed must not raise the bound above the living.
        live = self.snapshot.live(rows)
        rows, scores = rows[live], scores[live]
        if not len(rows):
            return stranger(threshold)
        top = int(scores.argmax())
        reached = float(self._exact(rows[top : top + 1])[0])
        if reached < threshold:
            # The best score need not be the best similarity: all that can reach the threshold are asked.
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
        # A unit of 1 stands for scores that are similarities (float32), whose bound covers rounding.
        score = (similarity - self.width) * self.unit
        kind = scores.dtype.type
        return kind(score) if self.unit == 1.0 else kind(int(score) - 2)

    def _top_live(self, scores: NDArray[Any]) -> int | None:
        """Return the row with the highest score among the living, None when there is none."""
        top = int(scores.argmax())
        snapshot = self.snapshot
        # Looked at only when the winner is dead: to strike out the dead for every probe would cost a pass.
        if snapshot.templates != len(snapshot.owner) and not snapshot.is_live(top):
            scores[snapshot.dead_rows()] = HIDDEN  # rare, since zeroed rows score 0
            top = int(scores.argmax())
        return top if scores.item(top) > HIDDEN else None

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
        owners = self.snapshot.owner.take(rows).tolist()
        return best_two(self._exact(rows).tolist(), owners, self.snapshot.arena.names)


def at_once(
    snapshot: Snapshot, scores: NDArray[Any], unit: float, width: float, threshold: float, margin: float
) -> Finding | None:
    """Return the decision where intervals alone prove it, as they nearly always do, else None.

    The scores are as before where it is None. One function and no `Search`: at a few hundred rows a call
    of Python costs as much as a tenth of the product.
    """
    top = scores.argmax()
    # A similarity lies within `width` of its score, so these two enclose it.
    at_most = scores.item(top) / unit + width
    if at_most < threshold:
        return stranger(at_most)
    at_least = at_most - 2 * width  # the same score, less the width instead of more
    if at_least < threshold:
        return None
    owner = snapshot.owner.item(top)
    start, stop = snapshot.arena.spans[owner]
    own = scores[start:stop].copy()
    scores[start:stop] = HIDDEN
    others_at_most = max(-1.0, scores.item(scores.argmax()) / unit + width)
    # Left to the exact comparison: a lead too close to tell, and residents removed before this version.
    if at_least - others_at_most <= margin or snapshot.arena.died.item(owner) <= snapshot.version:
        scores[start:stop] = own
        return None
    name = snapshot.arena.names[owner]
    return _finding(Finding, (_IDENTITY, name, at_least, at_most, others_at_most))


def stranger(at_most: float) -> Finding:
    """Return the finding that no resident exceeds `at_most`, which is below the threshold."""
    return _finding(Finding, (_STRANGER, None, -1.0, at_most, at_most))


def _classify(match: Match, margin: float, unseen: float) -> Finding:
    """Return what `margin` makes of a match above the threshold; nobody outside it exceeds `unseen`."""
    outcome = SearchVerdict.IDENTITY if match.margin >= margin else SearchVerdict.AMBIGUOUS
    others_at_most = max(match.runner_up_similarity, unseen)
    return Finding(outcome, match.resident_id, match.similarity, match.similarity, others_at_most)
