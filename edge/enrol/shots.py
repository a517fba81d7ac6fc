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
from edge.words import Message, message

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


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One good reference picture, reduced to what is kept: embedding and quality."""

    embedding: Embedding
    quality: Quality
    source: str | Message


@dataclass(slots=True)
class Harvest:
    """What a set of pictures gave: shots, and for every refused picture the reason."""

    shots: list[Shot] = field(default_factory=list)
    refused: list[Message | str] = field(default_factory=list)


class ShotTaker:
    """Takes reference shots from pictures with the door's own detector and embedder. One thread."""

    def __init__(self, detector: Detector, embedder: Embedder, limits: QualityLimits = ENROL_LIMITS) -> None:
        self._looker = Looker(detector, limits.min_interocular_px)
        self._embedder = embedder
        self._limits = limits

    def from_image(self, image: Image, source: str | Message) -> Shot:
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
        if not candidates and not refusals:
            raise EnrolmentRefused(message("photo.no_frames", source=source))
        if not candidates:
            told = [str(refusal) for refusal in refusals]
            reason = max(sorted(refusals, key=str), key=lambda one: told.count(str(one)))
            raise EnrolmentRefused(message("photo.clip", reason=reason, looked=len(refusals)))
        chosen = _spread(candidates, MAX_CLIP_SHOTS)
        return Harvest(
            [
                Shot(reference_embedding(self._embedder, image, face), quality, source)
                for image, face, quality in chosen
            ]
        )

    def _candidates(
        self, frames: Iterable[Frame], source: str
    ) -> tuple[list[tuple[Image, Face, Quality]], list[Message]]:
        found: list[tuple[Image, Face, Quality]] = []
        refusals: list[Message] = []
        next_look = float("-inf")
        for frame in frames:
            if frame.time < next_look:
                continue
            next_look = frame.time + 1 / CLIP_LOOKS_PER_SECOND
            try:
                face, quality = self._pick(frame.image, source)
                found.append((*_cut_out(frame.image, face), quality))
            except EnrolmentRefused as refusal:
                refusals.append(refusal.message)
            if len(found) >= 2 * CANDIDATES_PER_SHOT * MAX_CLIP_SHOTS:
                found = found[::2]  # a long clip: thin out, keep the spread, bound the memory
        return found, refusals

    def _pick(self, image: Image, source: str | Message) -> tuple[Face, Quality]:
        # By `_first` alone: two faces as prominent as each other cannot be put in order.
        ranked = sorted(((prominence(face, image), face) for face in self._looker.glance(image)), key=_first)
        faces = [face for _, face in reversed(ranked)]
        if not faces:
            raise EnrolmentRefused(message("photo.no_face", source=source))
        if len(faces) > 1 and ranked[-2][0] >= RIVAL_RATIO * ranked[-1][0]:
            raise EnrolmentRefused(message("photo.two_faces", source=source))
        face = self._looker.close_up(image, faces[0])
        if face is None:
            raise EnrolmentRefused(message("photo.no_close_up", source=source))
        quality = measure(image, face, self._limits)
        if self._looker.turn_of(image, face):
            quality = replace(quality, flaws=(Flaw.NOT_UPRIGHT,))
        if quality.flaws:
            raise EnrolmentRefused(
                message("photo.flawed", source=source, flaws=_flaws(quality, self._limits))
            )
        return face, quality


def reference_embedding(embedder: Embedder, image: Image, face: Face) -> Embedding:
    """Return the embedding averaged with that of the mirrored picture: steadier, and free at the door."""
    both = embedder.embed(image, face.landmarks) + mirrored_embedding(embedder, image, face)
    return np.asarray(both / np.linalg.norm(both), np.float32)


def mirrored_embedding(embedder: Embedder, image: Image, face: Face) -> Embedding:
    """Return the embedding of the face as a mirror would show it."""
    landmarks = face.landmarks.copy()
    # Pixel centres: column 0 becomes the last one, width - 1.
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
    # One at a time: without the worst shot the others may agree.
    while len(shots) > 1:
        scores = [_similarity_to_others(shots, index) for index in range(len(shots))]
        worst = int(np.argmin(scores))
        if scores[worst] >= AGREEMENT:
            break
        if len(shots) == 2:
            first, second = (shot.source for shot in shots)
            similarity = f"{scores[0]:.2f}"
            raise EnrolmentRefused(
                message(
                    "photo.two_people", first=first, second=second, similarity=similarity, least=AGREEMENT
                )
            )
        refused.append(message("photo.unlike", source=shots[worst].source, similarity=f"{scores[worst]:.2f}"))
        del shots[worst]
    if not shots:
        raise EnrolmentRefused(
            message("photo.all_refused", refused=refused) if refused else message("photo.none")
        )
    return Harvest(shots, refused)


def mean_of(embeddings: Sequence[Embedding]) -> Embedding:
    """Return the unit mean of unit embeddings, (D,) float32."""
    # In double precision: the result must not depend on the order of the shots.
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


def _flaws(quality: Quality, limits: QualityLimits) -> list[Message]:
    """Return every flaw with its numbers and what to do about it."""
    numbers = {
        "eyes": f"{quality.interocular_px:.0f}",
        "yaw": f"{quality.yaw_deg:.0f}",
        "pitch": f"{quality.pitch_deg:.0f}",
        "sharpness": f"{quality.sharpness:.3f}",
        "brightness": f"{quality.brightness:.0f}",
    }
    least = {Flaw.TOO_FAR: f"{limits.min_interocular_px:.0f}", Flaw.BLURRED: limits.min_sharpness}
    return [message(f"photo.flaw.{flaw}", **numbers, least=least.get(flaw, "")) for flaw in quality.flaws]
