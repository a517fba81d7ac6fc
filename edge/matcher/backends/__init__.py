"""Fast first passes, each with a proven bound on its own error.

A backend never decides anything. It gives every row an approximate score and says how far that
score can be from the exact similarity; `edge.matcher.search` does the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.matcher.arena import Snapshot
    from edge.matcher.exact import Probe64


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """Approximate scores of one probe against every row of a snapshot.

    For each row: `|similarity - scores[row] / unit| <= width`. `scores` is (n,), float32 or int32,
    and belongs to the caller, who may overwrite it.
    """

    scores: NDArray[Any]
    unit: float
    width: float


class Backend(Protocol):
    """One way to scan. Stateless towards the gallery: everything it needs is in the snapshot."""

    name: str

    def scan(self, snapshot: Snapshot, probe: Probe64) -> Scan:
        """Return the scores of one (D,) float64 probe. Any thread."""
