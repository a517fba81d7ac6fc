"""Labelled photos to embeddings, with the product's own detector, aligner and embedder.

The person meant by a photo is its most prominent face, as at enrolment; the enrolment gates are
not applied, because an error rate over good pictures only would say little. A photo without a
face is a failure to acquire and is counted, never dropped in silence.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edge.camera.file import is_picture
from edge.camera.image import decode_image
from edge.enrol.shots import mean_of, mirrored_embedding, prominence
from edge.errors import FrameRefused
from edge.faces.looking import Looker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.domain import Embedding, Face, Image
    from edge.ports import Detector, Embedder

RULES_VERSION = 2
"""Part of every cache key: raised when the same photo would give another embedding."""

PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
"""What is counted as a photo though nothing in it can be read: a damaged one is a failure to acquire."""

LEAST_INTEROCULAR_PX = 20.0
"""As at the door; smaller faces are still embedded when they are all a photo has."""


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """One photo as the door would compare it (`probe`), and its mirror image."""

    probe: Embedding
    mirrored: Embedding

    @property
    def reference(self) -> Embedding:
        """The photo as it would be enrolled: both averaged, of unit length."""
        return mean_of([self.probe, self.mirrored])


class PhotoEmbedder:
    """Embeds photos, remembering each by its content. One thread."""

    def __init__(self, detector: Detector, embedder: Embedder, cache: Path | None) -> None:
        self._looker = Looker(detector, LEAST_INTEROCULAR_PX)
        self._embedder = embedder
        self._cache = cache

    def embed(self, path: Path) -> Embedded | None:
        """Return the embeddings of the most prominent face, or None when there is none to see."""
        content = path.read_bytes()
        entry = None if self._cache is None else self._cache / f"{self._key(content)}.npy"
        if entry is not None and entry.exists():
            return _unpacked(np.load(entry, allow_pickle=False))
        found = self._take(content)
        if entry is not None:
            _store(entry, found)
        return found

    def _key(self, content: bytes) -> str:
        stamp = f"{RULES_VERSION} {self._embedder.model_id} ".encode()
        return hashlib.sha256(stamp + hashlib.sha256(content).digest()).hexdigest()

    def _take(self, content: bytes) -> Embedded | None:
        try:
            image = decode_image(content)
        except FrameRefused:
            return None
        face = subject(self._looker, image)
        if face is None:
            return None
        probe = self._embedder.embed(image, face.landmarks)
        return Embedded(probe, mirrored_embedding(self._embedder, image, face))


def photos_in(folders: Iterable[Path]) -> dict[str, list[Path]]:
    """Return the photos of each person, each sub-folder being one; a name in two folders is one person."""
    people: dict[str, list[Path]] = {}
    for folder in folders:
        for person in sorted(path for path in folder.iterdir() if path.is_dir()):
            found = sorted(path for path in person.iterdir() if _is_photo(path))
            people.setdefault(person.name, []).extend(found)
    return people


def _is_photo(path: Path) -> bool:
    # Names that begin with a dot are what macOS leaves beside each photo.
    if path.name.startswith(".") or not path.is_file():
        return False
    return path.suffix.lower() in PHOTO_SUFFIXES or is_picture(path)


def subject(looker: Looker, image: Image) -> Face | None:
    """Return the most prominent face of a picture with its landmarks, or None when there is none."""
    faces = looker.glance(image)
    if not faces:
        return None
    face = max(faces, key=lambda found: prominence(found, image))
    return looker.close_up(image, face) or face


def default_cache() -> Path:
    """Return the cache folder (XDG), whether or not it exists yet."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "facegate" / "photos"


def _unpacked(rows: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Embedded | None:
    return Embedded(rows[0], rows[1]) if len(rows) else None


def _store(entry: Path, found: Embedded | None) -> None:
    entry.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    rows = np.empty((0, 0), np.float32) if found is None else np.stack([found.probe, found.mirrored])
    with tempfile.NamedTemporaryFile(dir=entry.parent, suffix=".tmp", delete=False) as file:
        np.save(file, rows)
    Path(file.name).replace(entry)
