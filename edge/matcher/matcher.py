"""The port: who is this probe, in the gallery as it is now."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from edge.matcher.backends.float32 import Float32
from edge.matcher.search import best_two

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from edge.domain import Embedding, Match, OperatingPoint
    from edge.matcher.backends import Backend
    from edge.matcher.gallery import LiveGallery


class Outcome(StrEnum):
    """What a threshold and a margin make of a probe."""

    IDENTITY = "identity"
    STRANGER = "stranger"
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, slots=True)
class Finding:
    """A decision about one probe, reached with as little work as it allowed.

    `resident_id` is the best resident, None for a stranger. `similarity` is exact for an identity
    and an ambiguous probe; for a stranger it is a bound no resident exceeds. No other resident
    exceeds `runner_up_at_most`.
    """

    outcome: Outcome
    resident_id: str | None
    similarity: float
    runner_up_at_most: float


class Matcher:
    """Searches a live gallery exactly; implements `edge.ports.Identifier`. Any thread.

    Identify first, authorise second: nothing here narrows the search to those who may pass, or a
    look-alike would become a match because the real person is not permitted.
    """

    def __init__(
        self,
        gallery: LiveGallery,
        operating_point: Callable[[int, int], OperatingPoint],
        backend: Backend | None = None,
    ) -> None:
        """Take `operating_point(residents, templates)`, asked again whenever the gallery changed."""
        self.gallery = gallery
        self._operating_point = operating_point
        self._backend = backend or Float32()

    @property
    def model_id(self) -> str:
        """The model whose embeddings this gallery holds."""
        return self.gallery.model_id

    def operating_point(self) -> OperatingPoint:
        """Return the threshold and margin for the gallery as it is now."""
        snapshot = self.gallery.snapshot
        return self._operating_point(snapshot.residents, snapshot.templates)

    def identify(self, probe: Embedding) -> Match:
        """Return the best resident and the best other resident, exactly.

        `probe` is (D,) float32 of unit length; raises `ProbeRefused` for anything else. Equal
        similarities go to the smallest resident id.
        """
        snapshot = self.gallery.snapshot
        wide = self.gallery.admission.probe(probe)
        return best_two(snapshot, self._backend.scan(snapshot, wide), wide)

    def identify_batch(self, probes: NDArray[np.float32]) -> list[Match]:
        """Return one match per row of (Q, D) float32 `probes`, all from one gallery version."""
        snapshot = self.gallery.snapshot
        wide = [self.gallery.admission.probe(probe) for probe in probes]
        return [best_two(snapshot, self._backend.scan(snapshot, probe), probe) for probe in wide]

    def decide_batch(self, probes: NDArray[np.float32], threshold: float, margin: float) -> list[Finding]:
        """Return one decision per row of (Q, D) float32 `probes`, from one gallery version.

        Identity: similarity >= `threshold` and the lead over the best other resident >= `margin`.
        """
        return [classify(match, threshold, margin) for match in self.identify_batch(probes)]


def classify(match: Match, threshold: float, margin: float) -> Finding:
    """Return what `threshold` and `margin` make of an exact match."""
    if match.resident_id is None or match.similarity < threshold:
        return Finding(Outcome.STRANGER, None, match.similarity, match.similarity)
    outcome = Outcome.IDENTITY if match.margin >= margin else Outcome.AMBIGUOUS
    return Finding(outcome, match.resident_id, match.similarity, match.runner_up_similarity)
