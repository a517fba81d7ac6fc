"""From pictures to a resident's templates, or a refusal that says what to do differently.

The gates are those of a good reference: one face, near, facing, sharp, and shots that agree
with each other. A poor template is refused here, because at the door it would let strangers in
and keep its owner out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.domain import Box, Face, Flaw
from edge.errors import EnrolmentRefused
from edge.faces.looking import SURELY_UPRIGHT, TURNS, Looker
from edge.faces.quality import QualityLimits, face_scale_px, measure

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge.domain import Embedding, Frame, Image, Quality
    from edge.ports import Detector, Embedder

ENROL_LIMITS = QualityLimits(
    min_interocular_px=24.0,
    max_yaw_deg=30.0,
    max_pitch_deg=30.0,
    min_score=0.75,
    min_brightness=40.0,
    min_sharpness=0.1,
)
"""Stricter than at the door. 24 px between the eyes is a face of about 55 px; crops of 22 px gave
another product 92 to 100 % false matches. Sharpness: 150 LFW photos have 0.16 and more, live clips
0.12 and more; blurred by 4 % of the face's width they have 0.09 in the median, and the median
similarity of a photo to itself is down to 0.64 then (SFace)."""

RIVAL_RATIO = 0.6
"""Another face at least this prominent beside the main one makes a picture ambiguous. Of 300 LFW
portraits, a fifth of which show somebody behind the subject, it refuses about one in thirty."""

AGREEMENT = 0.45
"""Least similarity of a shot to the mean of the others: far above strangers (under 0.35)."""

CLIP_LOOKS_PER_SECOND = 5.0
"""How often a clip is looked at for enrolment; neighbouring frames teach nothing new."""

MAX_CLIP_SHOTS = 5
"""Templates kept from a clip: the gain from three to five was within noise."""

CANDIDATES_PER_SHOT = 3
"""Pictures kept for choosing from, per template wanted."""

ADVICE = {
    Flaw.TOO_FAR: "come closer or use a larger picture",
    Flaw.NOT_FACING: "look straight at the camera",
    Flaw.BLURRED: "hold still or use a sharper picture",
    Flaw.TOO_DARK: "put light in front of the face",
    Flaw.TOO_BRIGHT: "reduce the light on the face",
    Flaw.AT_EDGE: "move the whole face into the picture",
    Flaw.OUTSIDE_ZONE: "stand in the marked zone",
    Flaw.LOW_SCORE: "show the whole face, without mask or hand before it",
    Flaw.NOT_UPRIGHT: "turn the picture until the face is upright (for a camera: camera.rotate)",
}


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One good reference picture, reduced to what is kept: embedding and quality."""

    embedding: Embedding
    quality: Quality
    source: str


@dataclass(slots=True)
class Harvest:
    """What a set of pictures gave: shots, and for every refused picture the reason."""

    shots: list[Shot] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


class ShotTaker:
    """Takes reference shots from pictures with the door's own detector and embedder. One thread."""

    def __init__(self, detector: Detector, embedder: Embedder, limits: QualityLimits = ENROL_LIMITS) -> None:
        self._looker = Looker(detector, limits.min_interocular_px)
        self._embedder = embedder
        self._limits = limits

    def from_image(self, image: Image, source: str) -> Shot:
        """Return the shot of the one person in `image`.

        A picture that lies on its side or stands on its head is turned first. Raises
        `EnrolmentRefused` naming `source` and the reason: no face, two faces, or a flaw.
        """
        image = self._upright(image)
        face, quality = self._pick(image, source)
        return Shot(reference_embedding(self._embedder, image, face), quality, source)

    def _upright(self, image: Image) -> Image:
        """Return the picture turned so that its main face is upright; as it is where there is doubt."""
        seen = self._main_score(image)
        if seen >= SURELY_UPRIGHT:
            return image
        turned = [np.ascontiguousarray(cv2.rotate(image, code)) for code in TURNS.values()]
        best, way = max(((self._main_score(one), way) for way, one in enumerate(turned)), key=_first)
        return turned[way] if best > seen else image

    def _main_score(self, image: Image) -> float:
        faces = self._looker.glance(image)
        main = max(faces, key=lambda face: prominence(face, image), default=None)
        close = None if main is None else self._looker.close_up(image, main)
        return 0.0 if close is None else close.score

    def from_clip(self, frames: Iterable[Frame], source: str) -> Harvest:
        """Return up to five good, varied shots of the one person in a recording.

        Raises `EnrolmentRefused` with the commonest reason when no frame was good enough.
        """
        candidates, refusals = self._candidates(frames, source)
        if not candidates:
            reason = max(sorted(set(refusals)), key=refusals.count, default=f"{source}: no frames")
            raise EnrolmentRefused(
                f"{reason} (no frame of {max(len(refusals), 1)} looked at was good enough)"
            )
        chosen = _spread(candidates, MAX_CLIP_SHOTS)
        return Harvest(
            [
                Shot(reference_embedding(self._embedder, image, face), quality, source)
                for image, face, quality in chosen
            ]
        )

    def _candidates(
        self, frames: Iterable[Frame], source: str
    ) -> tuple[list[tuple[Image, Face, Quality]], list[str]]:
        found: list[tuple[Image, Face, Quality]] = []
        refusals: list[str] = []
        next_look = float("-inf")
        for frame in frames:
            if frame.time < next_look:
                continue
            next_look = frame.time + 1 / CLIP_LOOKS_PER_SECOND
            try:
                face, quality = self._pick(frame.image, source)
                found.append((*_cut_out(frame.image, face), quality))
            except EnrolmentRefused as refusal:
                refusals.append(str(refusal))
            if len(found) >= 2 * CANDIDATES_PER_SHOT * MAX_CLIP_SHOTS:
                found = found[::2]  # a long clip: thin out, keep the spread, bound the memory
        return found, refusals

    def _pick(self, image: Image, source: str) -> tuple[Face, Quality]:
        ranked = sorted(((prominence(face, image), face) for face in self._looker.glance(image)), key=_first)
        faces = [face for _, face in reversed(ranked)]
        if not faces:
            raise EnrolmentRefused(f"{source}: no face found: use a picture that shows the whole face")
        if len(faces) > 1 and ranked[-2][0] >= RIVAL_RATIO * ranked[-1][0]:
            raise EnrolmentRefused(
                f"{source}: two faces of similar size: use a picture of one person, or cut it"
            )
        face = self._looker.close_up(image, faces[0])
        if face is None:
            raise EnrolmentRefused(f"{source}: no face when seen close up: use another picture")
        quality = measure(image, face, self._limits)
        if self._looker.turn_of(image, face):
            quality = replace(quality, flaws=(Flaw.NOT_UPRIGHT,))
        if quality.flaws:
            raise EnrolmentRefused(f"{source}: {_describe(quality, self._limits)}")
        return face, quality


def reference_embedding(embedder: Embedder, image: Image, face: Face) -> Embedding:
    """Return the embedding averaged with that of the mirrored picture: steadier, and free at the door."""
    both = embedder.embed(image, face.landmarks) + mirrored_embedding(embedder, image, face)
    return np.asarray(both / np.linalg.norm(both), np.float32)


def mirrored_embedding(embedder: Embedder, image: Image, face: Face) -> Embedding:
    """Return the embedding of the face as a mirror would show it."""
    landmarks = face.landmarks.copy()
    landmarks[:, 0] = image.shape[1] - 1 - landmarks[:, 0]
    landmarks = landmarks[[1, 0, 2, 4, 3]]  # right and left change places
    return embedder.embed(np.ascontiguousarray(cv2.flip(image, 1)), landmarks)


def agreeing(harvest: Harvest) -> Harvest:
    """Return `harvest` without the shots that do not resemble the others.

    Raises `EnrolmentRefused` when nothing is left, or when no two of several shots agree: then
    nobody can say which of them is the resident.
    """
    shots = list(harvest.shots)
    refused = list(harvest.refused)
    while len(shots) > 1:
        scores = [_similarity_to_others(shots, index) for index in range(len(shots))]
        worst = int(np.argmin(scores))
        if scores[worst] >= AGREEMENT:
            break
        if len(shots) == 2:
            raise EnrolmentRefused(
                f"{shots[0].source} and {shots[1].source}: similarity {scores[0]:.2f}, at least {AGREEMENT}"
                " is needed: these look like two people; use pictures of one person"
            )
        refused.append(f"{shots[worst].source}: does not resemble the other pictures ({scores[worst]:.2f})")
        del shots[worst]
    if not shots:
        raise EnrolmentRefused("; ".join(refused) or "no pictures: give at least one")
    return Harvest(shots, refused)


def mean_of(embeddings: Sequence[Embedding]) -> Embedding:
    """Return the unit mean of unit embeddings, (D,) float32."""
    total = np.sum(np.stack(embeddings), axis=0, dtype=np.float64)
    return np.asarray(total / np.linalg.norm(total), np.float32)


def resident_rows(shots: Sequence[Shot]) -> list[Embedding]:
    """Return what is stored of one resident: every shot, and their mean when there are several."""
    rows = [shot.embedding for shot in shots]
    return rows if len(rows) == 1 else [*rows, mean_of(rows)]


def matched_row(rows: Sequence[Embedding]) -> Embedding:
    """Return what probes are compared with for one resident: the mean of the stored shots.

    One row instead of the best of several: of 69 people with three photos each, the lowest 1 % of
    residents then scored .468 against .430, the threshold was .353 against .372, and fewer
    templates lower it by another .03.
    """
    return mean_of(rows)


def _similarity_to_others(shots: Sequence[Shot], index: int) -> float:
    others = [shot.embedding for position, shot in enumerate(shots) if position != index]
    return float(mean_of(others) @ shots[index].embedding)


def prominence(face: Face, image: Image) -> float:
    """Return how much a picture is about `face`: its size, less the farther it is from the centre."""
    height, width = image.shape[:2]
    x, y = face.box.centre
    away = math.hypot(x - width / 2, y - height / 2) / math.hypot(width / 2, height / 2)
    return face_scale_px(face) * max(1.0 - away, 0.0)


def _first(pair: tuple[float, object]) -> float:
    return pair[0]


def _cut_out(image: Image, face: Face) -> tuple[Image, Face]:
    """Return a copy of the picture around `face`, and the face in it: thirty whole frames are much memory."""
    height, width = image.shape[:2]
    reach = 1.5 * max(face.box.width, face.box.height)
    x, y = face.box.centre
    left, top = max(int(x - reach), 0), max(int(y - reach), 0)
    cut = image[top : min(int(y + reach), height), left : min(int(x + reach), width)].copy()
    box = face.box
    moved = Box(box.left - left, box.top - top, box.right - left, box.bottom - top)
    return cut, Face(moved, face.landmarks - np.array((left, top), np.float32), face.score)


def _spread(
    candidates: Sequence[tuple[Image, Face, Quality]], count: int
) -> list[tuple[Image, Face, Quality]]:
    """Return `count` candidates spread over the head poses seen, the sharper of two alike."""
    by_yaw = sorted(candidates, key=lambda row: row[2].yaw_deg)
    groups = np.array_split(np.arange(len(by_yaw)), min(count, len(by_yaw)))
    return [
        max((by_yaw[index] for index in group), key=lambda row: row[2].sharpness * row[2].interocular_px)
        for group in groups
    ]


def _describe(quality: Quality, limits: QualityLimits) -> str:
    numbers = {
        Flaw.TOO_FAR: f"{quality.interocular_px:.0f} px between the eyes, at least"
        f" {limits.min_interocular_px:.0f} needed",
        Flaw.NOT_FACING: f"turned (yaw {quality.yaw_deg:.0f}, pitch {quality.pitch_deg:.0f} degrees)",
        Flaw.BLURRED: f"blurred (sharpness {quality.sharpness:.3f}, at least {limits.min_sharpness} needed)",
        Flaw.NOT_UPRIGHT: "the face is not upright",
        Flaw.TOO_DARK: f"too dark (brightness {quality.brightness:.0f} of 255)",
        Flaw.TOO_BRIGHT: f"too bright (brightness {quality.brightness:.0f} of 255)",
    }
    return "; ".join(f"{numbers.get(flaw, str(flaw))}: {ADVICE[flaw]}" for flaw in quality.flaws)
