"""Fast first passes, each with a proven bound on its own error.

A backend never decides anything. It gives every row an approximate score and says how far that
score can be from the exact similarity; `edge.matcher.search` does the rest. All of them read only
the snapshot they are given, so any thread may scan while a writer changes the gallery.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.matcher.admission import Probes
    from edge.matcher.arena import Snapshot


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """Approximate scores of Q probes against the n rows of a snapshot.

    For every row i and probe j: `|similarity - scores[i, j] / units[j]| <= widths[j]`. `scores` is
    (n, Q), float32 or int32, and belongs to the caller until the same thread scans again.
    """

    scores: NDArray[Any]
    units: list[float]
    widths: list[float]


class Backend(Protocol):
    """One way to scan."""

    @property
    def name(self) -> str:
        """What settings and `facegate matcher info` call it."""

    def scan(self, snapshot: Snapshot, probes: Probes) -> Scan:
        """Return the scores of all `probes`. Any thread."""
