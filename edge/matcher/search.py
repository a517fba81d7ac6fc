"""From approximate scores with a proven bound to the exact answer.

Let w be the bound. If two rows of different residents are known to reach exactly a >= b, then no
row with approximate score below b - w can be the best or the runner-up. What remains, a handful of
rows, is compared in float64, so the result equals a float64 scan of everything, bit for bit.

Rows of residents who died before this version are dropped *before* any lower bound is taken: a
dead row's stale codes could otherwise lift the bound above the living best.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge.domain import Match
from edge.matcher.exact import exact_similarities, first_by_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.matcher.arena import Snapshot
    from edge.matcher.backends import Scan
    from edge.matcher.exact import Probe64

HIDDEN = -2_000_000_000
"""Below every score; fits int32 and float32."""

NOBODY = Match(None, -1.0)


def best_two(snapshot: Snapshot, scan: Scan, probe: Probe64) -> Match:
    """Return the best resident and the best other resident, exactly.

    Overwrites `scan.scores`. (D,) float64 probe. Any thread.
    """
    seeds = _two_seeds(snapshot, scan.scores)
    if not seeds:
        return NOBODY
    floor = float(exact_similarities(snapshot.originals[seeds], probe).min())
    rows = _reaching(snapshot, scan, floor)
    return _rank(snapshot, rows, exact_similarities(snapshot.originals[rows], probe))


def _two_seeds(snapshot: Snapshot, scores: NDArray[Any]) -> list[int]:
    """Return the top live row and the top live row of another resident, as far as they exist."""
    first = top_live(snapshot, scores)
    if first is None:
        return []
    start, stop = snapshot.span(first)
    own = scores[start:stop].copy()
    scores[start:stop] = HIDDEN
    second = top_live(snapshot, scores)
    scores[start:stop] = own
    return [first] if second is None else [first, second]


def top_live(snapshot: Snapshot, scores: NDArray[Any]) -> int | None:
    """Return the row with the highest score among living residents, None when there is none."""
    if not len(scores):
        return None
    top = int(scores.argmax())
    if scores[top] > HIDDEN and not snapshot.is_live(top):
        _hide_dead(snapshot, scores)
        top = int(scores.argmax())
    return top if scores[top] > HIDDEN else None


def _hide_dead(snapshot: Snapshot, scores: NDArray[Any]) -> None:
    """Push all dead rows down at once; rare, since zeroed rows score 0."""
    scores[snapshot.arena.died[snapshot.owner] <= snapshot.version] = HIDDEN


def _reaching(snapshot: Snapshot, scan: Scan, floor: float) -> NDArray[np.intp]:
    """Return every live row whose similarity can be `floor` or more."""
    rows = np.flatnonzero(scan.scores >= cut(scan, floor))
    return rows[snapshot.live(rows)]


def cut(scan: Scan, similarity: float) -> np.generic:
    """Return the score, in the scan's own type, below which no row reaches `similarity`.

    Integers are rounded down and one more taken off, so rounding never hides a row.
    """
    score = (similarity - scan.width) * scan.unit
    kind = scan.scores.dtype.type
    return kind(score) if scan.unit == 1.0 else kind(int(score) - 2)  # type: ignore[no-any-return]


def _rank(snapshot: Snapshot, rows: NDArray[np.intp], similarities: NDArray[np.float64]) -> Match:
    owners = snapshot.owner[rows]
    names = [snapshot.arena.names[owner] for owner in owners]
    best = first_by_name(similarities, names)
    others = np.flatnonzero(owners != owners[best])
    if not len(others):
        return Match(names[best], float(similarities[best]))
    other_names = [names[position] for position in others]
    second = int(others[first_by_name(similarities[others], other_names)])
    return Match(names[best], float(similarities[best]), names[second], float(similarities[second]))
