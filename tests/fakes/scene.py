"""A tiny world that the whole pipeline can see: actors are coloured cards in real pictures.

The detector finds the cards by colour at any scale, the embedder reads the colour under the
nose, so resizing, close-ups, cropping and tracking all run as in the field.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np

from edge.domain import Box, Embedding, Face, Frame, Image, Landmarks, Match, OperatingPoint, Probe
from edge.words import Message

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
DIM = 16
COLOURS = [(200, 60, 60), (60, 200, 60), (60, 60, 200), (200, 200, 60), (200, 60, 200), (60, 200, 200)]
BACKGROUND = 118

# Landmarks of a frontal face as fractions of its box, mouth 1.16 eye distances under the eyes.
FRONTAL = np.array([(0.29, 0.37), (0.71, 0.37), (0.5, 0.571), (0.34, 0.776), (0.66, 0.776)], np.float32)


def unit(vector: np.ndarray) -> Embedding:
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def axis(index: int) -> Embedding:
    vector = np.zeros(DIM, np.float32)
    vector[index] = 1.0
    return vector


def leaning(index: int, similarity: float, other: int = DIM - 1) -> Embedding:
    """A unit embedding with this similarity to `axis(index)`."""
    return unit(similarity * axis(index) + np.sqrt(1 - similarity**2) * axis(other))


@dataclass
class Actor:
    """Somebody who may walk into the picture: a colour, how he stands, what the network sees in him."""

    colour: int
    embedding: Embedding
    turned: float = 0.0  # the nose's offset in eye distances

    def landmarks(self, box: Box) -> Landmarks:
        shape = FRONTAL.copy()
        shape[2, 0] += self.turned * (shape[1, 0] - shape[0, 0])
        return (shape * (box.width, box.height) + (box.left, box.top)).astype(np.float32)


@dataclass
class Scene:
    """Draws actors into frames; also the detector and the embedder that look at them."""

    actors: list[Actor]
    size: tuple[int, int] = (640, 480)
    fps: float = 15.0
    detections: int = 0
    embedded: list[int] = field(default_factory=list)  # colour under the nose of every embedded face
    model_id: str = "scene"
    embed_noise: float = 0.0
    feature_norm: float | None = None
    clear_norm: float = 0.0

    def frame(self, seq: int, *placed: tuple[Actor, float, float, float]) -> Frame:
        """A frame with actors as (actor, left, top, width), drawn in order."""
        width, height = self.size
        image = np.full((height, width, 3), BACKGROUND, np.uint8)
        for actor, left, top, face_width in placed:
            x, y = round(left), round(top)
            w, h = round(face_width), round(face_width * 1.2)
            x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)
            if x1 > x0 and y1 > y0:
                card = np.empty((y1 - y0, x1 - x0, 3), np.int16)
                card[:] = COLOURS[actor.colour]
                card[::4] += 14
                card[:, ::4] -= 14
                image[y0:y1, x0:x1] = card.astype(np.uint8)
        image.flags.writeable = False
        time = seq / self.fps
        return Frame(image, seq, time, START + timedelta(seconds=time))

    def detect(self, image: Image) -> list[Face]:
        self.detections += 1
        found = []
        for actor in self.actors:
            colour = np.array(COLOURS[actor.colour], np.float64)
            left, top, width, height = cv2.boundingRect(cv2.inRange(image, colour - 44, colour + 44))
            if width < 4 or height < 4:
                continue
            box = Box(float(left), float(top), float(left + width), float(top + height))
            found.append(Face(box, actor.landmarks(box), 0.9))
        return found

    def embed(self, image: Image, landmarks: Landmarks) -> Embedding:
        x, y = landmarks[:2].mean(axis=0) if len(landmarks) else (0, 0)
        pixel = image[min(int(y), image.shape[0] - 1), min(int(x), image.shape[1] - 1)].astype(int)
        for actor in self.actors:
            if np.abs(pixel - COLOURS[actor.colour]).max() < 45:
                self.embedded.append(actor.colour)
                return actor.embedding
        raise AssertionError(f"the pipeline embedded something that is no face: {pixel}")

    def probe(self, image: Image, landmarks: Landmarks) -> Probe:
        norm = self.feature_norm
        is_faint = norm is not None and norm < self.clear_norm
        return Probe(self.embed(image, landmarks), norm, is_faint)


@dataclass
class Residents:
    """An obvious gallery: rows by name, brute force in float64."""

    rows: dict[str, Embedding]
    threshold: float = 0.5
    margin: float = 0.05
    model_id: str = "scene"
    probes: list[Embedding] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)

    def identify(self, probe: Embedding) -> Match:
        self.probes.append(probe)
        scored = sorted(((float(row @ probe), name) for name, row in self.rows.items()), reverse=True)
        if not scored:
            return Match(None, -1.0)
        if len(scored) == 1:
            return Match(scored[0][1], scored[0][0])
        return Match(scored[0][1], scored[0][0], scored[1][1], scored[1][0])

    def operating_point(self, share: float = 1.0) -> OperatingPoint:
        self.shares.append(share)
        return OperatingPoint(self.threshold, self.margin, 1e-3, len(self.rows), Message("basis.benchmark"))
