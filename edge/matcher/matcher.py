"""The port: who is this probe, in the gallery as it is now."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from edge.domain import FIRST_LOOK_SHARE
from edge.matcher.backends.float32 import Float32
from edge.matcher.choice import Choice
from edge.matcher.search import NOBODY, Finding, Search, at_once, stranger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edge.domain import Embedding, Match, OperatingPoint
    from edge.matcher.arena import Snapshot
    from edge.matcher.backends import Backend, Scanner
    from edge.matcher.gallery import LiveGallery

A = TypeVar("A")

PLAIN = Float32()

FEW_ROWS = 2048
"""Up to here probes are decided one by one: sorting out a common scan costs more (46 us a probe
against 12 us at 500 x 128)."""


class Matcher:
    """Searches a live gallery exactly; implements `edge.ports.Identifier`. Any thread.

    Identify first, authorise second: nothing here narrows the search to those who may pass, or a
    look-alike would become a match because the real person is not permitted.
    """

    def __init__(
        self,
        gallery: LiveGallery,
        operating_point: Callable[[int, int, float], OperatingPoint],
        choice: Choice | None = None,
    ) -> None:
        """Take `operating_point(residents, templates)`; without `choice`, what suits a small gallery."""
        self.gallery = gallery
        self.use(choice or Choice.unmeasured())
        self.rescored = 0
        """Rows compared in float64 so far; a few per probe, or the bound has become too wide.

        Added to by any thread without a lock: one that misses a few still shows a bound that grew.
        """
        self._operating_point = operating_point

    @property
    def model_id(self) -> str:
        """The model whose embeddings this gallery holds."""
        return self.gallery.model_id

    def operating_point(self, share: float = FIRST_LOOK_SHARE) -> OperatingPoint:
        """Return threshold and margin for the gallery as it is now, at this share of the error rate."""
        # Read once: residents and templates of two versions would not belong together.
        snapshot = self.gallery.snapshot
        return self._operating_point(snapshot.residents, snapshot.templates, share)

    def identify(self, probe: Embedding) -> Match:
        """Return the best resident and the best other resident, exactly.

        `probe` is (D,) float32 of unit length; raises `ProbeRefused` for anything else. Equal
        similarities go to the smallest resident id.
        """
        # One version for the whole search: enrolments go on meanwhile.
        snapshot = self.gallery.snapshot
        backend = self.choice.backend(len(snapshot.owner), 1)
        # Compiled code gives the whole answer or none: then what follows answers, or refuses with a reason.
        if backend.answers and (answered := backend.best_two(snapshot, probe)):
            self.rescored += answered[1]
            return answered[0]
        probe = np.asarray(probe)
        self.gallery.admission.check_probe(probe)
        if not snapshot.templates:
            return NOBODY
        scores, unit, width = _scanner(backend).score(snapshot, probe)
        search = Search(snapshot, probe, unit, width)
        match = search.best_two(scores)
        self.rescored += search.rescored
        return match

    def use(self, choice: Choice) -> None:
        """Search with `choice` from now on; a matter of speed, never of answers."""
        self.choice = choice

    def identify_batch(self, probes: NDArray[np.float32]) -> list[Match]:
        """Return one match per row of (Q, D) float32 `probes`, all from one gallery version."""
        # One probe has a way with fewer calls, and a backend of its own (`Choice.table`).
        if len(probes) == 1 and probes.ndim == 2:
            return [self.identify(probes[0])]
        snapshot = self.gallery.snapshot
        backend = self.choice.backend(len(snapshot.owner), len(probes))
        if backend.answers and (answered := backend.best_two_each(snapshot, probes)):
            self.rescored += answered[1]
            return answered[0]
        self.gallery.admission.check_probes(probes)
        if not snapshot.templates or not len(probes):
            return [NOBODY] * len(probes)
        searches, scores = _scan(_scanner(backend), snapshot, probes)
        # Scores lie template by template; a search wants its own probe's in one piece.
        columns = np.ascontiguousarray(scores.reshape(-1, len(probes)).T)
        matches = [search.best_two(column) for search, column in zip(searches, columns, strict=True)]
        return self._counted(searches, matches)

    def decide(self, probe: Embedding, threshold: float, margin: float) -> Finding:
        """Return the decision about one (D,) float32 probe, with as little work as it allows.

        Identity: similarity >= `threshold` and the lead over the best other resident >= `margin`,
        which is not negative. Raises `ProbeRefused`, and `ValueError` for a point that is none. Any thread.
        """
        snapshot = self.gallery.snapshot
        backend = self.choice.backend(len(snapshot.owner), 1)
        if backend.answers and (answered := backend.decide(snapshot, probe, threshold, margin)):
            self.rescored += answered[1]
            return answered[0]
        # Compiled code checks both itself and answers nothing where they are wrong; here it is said why.
        self.gallery.admission.check_probe(probe)
        _check_point(threshold, margin)
        return self._decide(_scanner(backend), snapshot, probe, threshold, margin)

    def _decide(
        self,
        backend: Scanner,
        snapshot: Snapshot,
        probe: NDArray[np.float32],
        threshold: float,
        margin: float,
    ) -> Finding:
        if not snapshot.templates:
            return stranger(-1.0)
        scores, unit, width = backend.score(snapshot, probe)
        certain = at_once(snapshot, scores, unit, width, threshold, margin)
        if certain is not None:
            return certain
        search = Search(snapshot, probe, unit, width)
        return self._counted([search], [search.decide(scores, threshold, margin)])[0]

    def decide_batch(self, probes: NDArray[np.float32], threshold: float, margin: float) -> list[Finding]:
        """Return one decision per row of (Q, D) float32 `probes`, from one gallery version."""
        if len(probes) == 1 and probes.ndim == 2:
            return [self.decide(probes[0], threshold, margin)]
        snapshot = self.gallery.snapshot
        backend = self.choice.backend(len(snapshot.owner), len(probes))
        if backend.answers and (answered := backend.decide_each(snapshot, probes, threshold, margin)):
            self.rescored += answered[1]
            return answered[0]
        self.gallery.admission.check_probes(probes)
        _check_point(threshold, margin)
        if not len(probes) or len(snapshot.owner) <= FEW_ROWS:
            return [self._decide(_scanner(backend), snapshot, probe, threshold, margin) for probe in probes]
        searches, scores = _scan(_scanner(backend), snapshot, probes)
        return self._counted(searches, _decide_together(searches, scores, threshold, margin))

    def _counted(self, searches: Sequence[Search], answers: list[A]) -> list[A]:
        for search in searches:
            self.rescored += search.rescored
        return answers


def _scanner(backend: Backend) -> Scanner:
    """Return who scores what compiled code would not take: mostly a probe that is refused, with a reason."""
    return PLAIN if backend.answers else backend


def _check_point(threshold: float, margin: float) -> None:
    if not (math.isfinite(threshold) and 0.0 <= margin < math.inf):  # written so that NaN is refused
        raise ValueError(f"threshold {threshold} and margin {margin} must be finite, the margin not negative")


def _scan(
    backend: Scanner, snapshot: Snapshot, probes: NDArray[np.float32]
) -> tuple[list[Search], NDArray[Any]]:
    scores, units, widths = backend.scan(snapshot, probes)
    return [Search(snapshot, *one) for one in zip(probes, units, widths, strict=True)], scores


def _decide_together(
    searches: list[Search], scores: NDArray[Any], threshold: float, margin: float
) -> list[Finding]:
    """Decide for all probes after one flat compare: column by column would cost as much as the scan."""
    # The lowest of all probes' cuts: a row too many for one of them is sorted out by `decide_among`.
    lowest = min(search.cut(threshold - margin, scores) for search in searches)
    hits = (scores >= lowest).nonzero()[0]
    rows, columns = np.divmod(hits, len(searches))
    findings = []
    for column, search in enumerate(searches):
        mine = columns == column
        findings.append(search.decide_among(rows[mine], scores[hits[mine]], threshold, margin))
    return findings
