"""What each stage costs: the ports, wrapped so that the core needs no stopwatch."""

from __future__ import annotations

import time
from statistics import median
from typing import TYPE_CHECKING

from edge.domain import FIRST_LOOK_SHARE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import ParamSpec, TypeVar

    from edge.domain import Embedding, Face, Image, Landmarks, Match, OperatingPoint, Probe
    from edge.ports import Detector, Identifier, ProbeEmbedder

    P = ParamSpec("P")
    R = TypeVar("R")


class Stopwatch:
    """CPU seconds of this process per call of each stage, in order. One thread."""

    def __init__(self) -> None:
        self.calls: dict[str, list[float]] = {}

    def time(self, stage: str, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what `call` returns and note what it cost."""
        begun = time.process_time()
        result = call(*args, **kwargs)
        self.calls.setdefault(stage, []).append(time.process_time() - begun)
        return result

    def count(self, stage: str) -> int:
        """Return how often the stage ran."""
        return len(self.calls.get(stage, ()))

    def total(self, stage: str) -> float:
        """Return the stage's CPU seconds in all."""
        return sum(self.calls.get(stage, ()))

    def median_ms(self) -> dict[str, float]:
        """Return the median CPU milliseconds per call of every stage that ran."""
        return {stage: round(median(spent) * 1e3, 4) for stage, spent in self.calls.items()}


class TimedDetector:
    """A detector on the stopwatch; also counts the faces it saw."""

    def __init__(self, detector: Detector, watch: Stopwatch) -> None:
        self._detector = detector
        self._watch = watch

    def detect(self, image: Image) -> Sequence[Face]:
        """Return the faces in `image`."""
        return self._watch.time("detect", self._detector.detect, image)


class TimedEmbedder:
    """An embedder on the stopwatch."""

    def __init__(self, embedder: ProbeEmbedder, watch: Stopwatch) -> None:
        self._embedder = embedder
        self._watch = watch

    @property
    def model_id(self) -> str:
        """The model behind it."""
        return self._embedder.model_id

    def embed(self, image: Image, landmarks: Landmarks) -> Embedding:
        """Return the unit embedding of the face with these landmarks."""
        return self._watch.time("embed", self._embedder.embed, image, landmarks)

    def probe(self, image: Image, landmarks: Landmarks) -> Probe:
        """Return the face with these landmarks as the network sees it."""
        return self._watch.time("embed", self._embedder.probe, image, landmarks)


class TimedIdentifier:
    """A matcher on the stopwatch."""

    def __init__(self, identifier: Identifier, watch: Stopwatch) -> None:
        self._identifier = identifier
        self._watch = watch

    @property
    def model_id(self) -> str:
        """The model whose embeddings the gallery holds."""
        return self._identifier.model_id

    def identify(self, probe: Embedding) -> Match:
        """Return the best resident and the best other resident."""
        return self._watch.time("match", self._identifier.identify, probe)

    def operating_point(self, share: float = FIRST_LOOK_SHARE) -> OperatingPoint:
        """Return threshold and margin at this share of the error rate."""
        return self._identifier.operating_point(share)
