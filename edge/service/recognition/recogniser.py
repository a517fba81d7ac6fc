"""Models, gallery and threshold put together: what every door, live or replayed, recognises with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.faces.detector import load_detector
from edge.faces.embedder import load_embedder
from edge.faces.looking import Looker
from edge.faces.manifest import load_manifest
from edge.faces.quality import QualityLimits
from edge.matcher.calibration import calibration_of
from edge.matcher.gallery import LiveGallery
from edge.matcher.matcher import Matcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from edge.domain import Embedding, OperatingPoint
    from edge.faces.detector import YuNet
    from edge.faces.embedder import OnnxEmbedder
    from edge.faces.looking import Closer
    from edge.matcher.calibration import Calibration

DEFAULT_MODEL = "sface"


@dataclass(frozen=True, slots=True)
class ErrorRate:
    """How sure a door wants to be: an error rate per visit, or (experts) a bare similarity."""

    fpir: float = 1e-3
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class Models:
    """The checked models a door sees with."""

    detector: YuNet
    embedder: OnnxEmbedder
    calibration: Calibration

    def closer(self, limits: QualityLimits | None = None) -> Closer:
        """Return how a pipeline with these models and limits looks closely at a face."""
        return Looker(self.detector, (limits or QualityLimits()).min_interocular_px).close_up


def open_models(name: str = DEFAULT_MODEL) -> Models:
    """Return detector, embedder and its calibration, every file checked against the manifest.

    Raises `ModelMissing` or `ModelCorrupt`, which say how to repair it, and `ConfigError` naming a model
    that is not calibrated.
    """
    calibration = calibration_of(name, load_manifest().model(name).calibration)
    return Models(load_detector(), load_embedder(name), calibration)


def threshold_rule(
    calibration: Calibration, sureness: ErrorRate
) -> Callable[[int, int, float], OperatingPoint]:
    """Return the rule (residents, templates, share of the error rate) -> operating point."""

    def rule(residents: int, templates: int, share: float) -> OperatingPoint:
        if sureness.similarity is not None:
            return calibration.fixed(sureness.similarity, residents)
        return calibration.operating_point(sureness.fpir, residents, templates, share)

    return rule


def build_matcher(
    models: Models, sureness: ErrorRate, residents: Mapping[str, Iterable[Embedding]]
) -> Matcher:
    """Return a matcher over a new gallery of these residents' rows."""
    embedder = models.embedder
    gallery = LiveGallery(embedder.model_id, embedder.dim)
    for resident_id, rows in residents.items():
        gallery.replace(resident_id, list(rows), embedder.model_id)
    return Matcher(gallery, threshold_rule(models.calibration, sureness))
