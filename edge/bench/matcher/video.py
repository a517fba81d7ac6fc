"""The matcher inside recorded video: its share of the work, and the probes as they really come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.bench.peer import point
from edge.camera.file import VideoFile
from edge.domain import FIRST_LOOK_SHARE
from edge.enrol.shots import ShotTaker
from edge.errors import EnrolmentRefused
from edge.faces.detector import load_detector
from edge.faces.embedder import load_embedder
from edge.matcher.choice import AUTO, choose
from edge.matcher.gallery import LiveGallery
from edge.matcher.matcher import Matcher
from edge.replay.door import Recognition, ReplayDoor
from edge.replay.gallery import default_cache, load_folders

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.domain import Embedding, Match, OperatingPoint
    from edge.faces.detector import YuNet
    from edge.faces.embedder import OnnxEmbedder
    from edge.ports import Identifier
    from edge.replay.door import Figures


class Listener:
    """An identifier that keeps the probes it was asked about."""

    def __init__(self, identifier: Identifier) -> None:
        self._identifier = identifier
        self.probes: list[Embedding] = []

    @property
    def model_id(self) -> str:
        """The model whose embeddings this gallery holds."""
        return self._identifier.model_id

    def identify(self, probe: Embedding) -> Match:
        """Return the wrapped identifier's answer."""
        self.probes.append(probe)
        return self._identifier.identify(probe)

    def operating_point(self, share: float = FIRST_LOOK_SHARE) -> OperatingPoint:
        """Return the wrapped identifier's operating point."""
        return self._identifier.operating_point(share)


@dataclass(frozen=True, slots=True, eq=False)
class Recognised:
    """A clip played through the door: its (P, D) probes and where the time went."""

    clip: str
    probes: NDArray[np.float32]
    figures: Figures

    def costs(self) -> dict[str, Any]:
        """Return the matcher's part as JSON."""
        watch = self.figures.watch
        spent = watch.calls.get("match", [])
        whole = sum(self.figures.frame_cpu_s)
        return {
            "clip": self.clip,
            "frames": self.figures.frames,
            "searches": len(spent),
            "identify_us_median": round(float(np.median(spent)) * 1e6, 1) if spent else None,
            "share_percent": round(100 * sum(spent) / whole, 3) if whole else None,
        }


def people(gallery: Path) -> tuple[YuNet, OnnxEmbedder, dict[str, list[Embedding]]]:
    """Return detector, embedder and the residents enrolled from `gallery`, a folder per person."""
    detector, embedder = load_detector(), load_embedder()
    found = load_folders([gallery], embedder.model_id, lambda: ShotTaker(detector, embedder), default_cache())
    return detector, embedder, found.residents


def recognised(
    detector: YuNet, embedder: OnnxEmbedder, residents: dict[str, list[Embedding]], clip: Path
) -> Recognised:
    """Play `clip` through the door once. Raises `EnrolmentRefused` when it never asked the matcher."""
    gallery = LiveGallery(embedder.model_id, embedder.dim)
    gallery.fill(residents.items(), embedder.model_id)
    listener = Listener(Matcher(gallery, point, choose(AUTO, gallery)))
    door = ReplayDoor(Recognition(detector, embedder, listener))
    camera = VideoFile(clip, threads=1)
    for _ in door.play(camera):
        pass
    camera.close()
    if not listener.probes:
        raise EnrolmentRefused(f"{clip.name}: nobody came close enough to be compared; take another clip")
    return Recognised(clip.name, np.stack(listener.probes), door.figures)
