"""What the enrolment gates are worth: photos enrolled as they are, spoilt, or only when they are good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import cv2

from edge.bench.evaluate.images import LEAST_INTEROCULAR_PX, subject
from edge.camera.image import decode_image
from edge.enrol.shots import ShotTaker, reference_embedding
from edge.errors import FrameRefused
from edge.faces.looking import Looker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.bench.evaluate.images import Embedded
    from edge.domain import Embedding, Image
    from edge.ports import Detector, Embedder


class Enroller(Protocol):
    """What makes a gallery's row of one photo."""

    def reference(self, path: Path) -> Embedding | None:
        """Return the row, or None when there is no face to see. Raises `EnrolmentRefused` by its gates."""


class AsTheyAre:
    """Enrols every photo with a face, whatever it is worth."""

    def __init__(self, embed: Callable[[Path], Embedded | None]) -> None:
        self._embed = embed

    def reference(self, path: Path) -> Embedding | None:
        """Return the photo's row, or None without a face."""
        found = self._embed(path)
        return None if found is None else found.reference


class Spoilt:
    """Enrols photos of which every second was shrunk until its face is `face_px` wide. One thread.

    With `gates` a photo has to be as good as enrolment asks for; without, any face will do. Faces of
    22 pixels are what made a door that took them match strangers nine times in ten.
    """

    def __init__(self, detector: Detector, embedder: Embedder, face_px: int | None, *, gates: bool) -> None:
        self._looker = Looker(detector, LEAST_INTEROCULAR_PX)
        self._embedder = embedder
        self._taker = ShotTaker(detector, embedder) if gates else None
        self._face_px = face_px
        self._count = 0

    def reference(self, path: Path) -> Embedding | None:
        """Return the photo's row, or None without a face. Raises `EnrolmentRefused` by the gates."""
        try:
            image = self._spoilt(decode_image(path.read_bytes()))
        except FrameRefused:
            return None
        if self._taker is not None:
            return self._taker.from_image(image, path.name).embedding
        face = subject(self._looker, image)
        return None if face is None else reference_embedding(self._embedder, image, face)

    def _spoilt(self, image: Image) -> Image:
        self._count += 1
        if self._face_px is None or self._count % 2:
            return image
        face = subject(self._looker, image)
        if face is None or face.box.width <= self._face_px:
            return image
        scale = self._face_px / face.box.width
        small: Image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        return small
