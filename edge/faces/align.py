"""From five landmarks to a square chip: one aligner for enrolment and for the door.

Two aligners give two different embeddings of one picture, so the aligner's name is part of
`model_id` and there is only this one way to cut a chip.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, hypot
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.errors import FrameRefused, ModelCorrupt

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.domain import Image, Landmarks

HALVE_BELOW = 0.5  # a linear warp reads 2x2 pixels: below half size it skips some and aliases
LEAST_SIDE_PX, MOST_SIDE_PX = 48, 512
LEAST_SPREAD_PX = 1.0  # five landmarks within a pixel of each other are not a face


@dataclass(frozen=True, slots=True)
class Aligner:
    """Where the five landmarks go in a chip of `size_px` x `size_px` pixels.

    `points` are (x, y) in the order of `edge.domain.Landmarks`.
    """

    name: str
    size_px: int
    points: tuple[tuple[float, float], ...]


ALIGNERS = {
    aligner.name: aligner
    for aligner in (
        # The 112-pixel template of ArcFace, which SFace was trained on (OpenCV's FaceRecognizerSF).
        Aligner(
            "arcface112",
            112,
            (
                (38.2946, 51.6963),
                (73.5318, 51.5014),
                (56.0252, 71.7366),
                (41.5493, 92.3655),
                (70.7299, 92.2041),
            ),
        ),
        # dlib's mean face, padding 0.25, at 150 pixels: eye = mean of its 6 points, nose 30, mouth 48 and 54.
        Aligner(
            "dlib150",
            150,
            ((47.55, 46.60), (100.48, 46.60), (74.01, 76.56), (50.41, 103.02), (97.61, 103.02)),
        ),
    )
}


def aligner(name: str) -> Aligner:
    """Return the aligner called `name`; `arcface160` is `arcface112` enlarged to 160 pixels.

    Raises `ModelCorrupt` when there is none.
    """
    if name in ALIGNERS:
        return ALIGNERS[name]
    side = name.removeprefix("arcface")
    if not (name.startswith("arcface") and side.isdecimal() and LEAST_SIDE_PX <= int(side) <= MOST_SIDE_PX):
        known = f"{', '.join(ALIGNERS)}, arcface{LEAST_SIDE_PX} to arcface{MOST_SIDE_PX}"
        raise ModelCorrupt(f"no aligner is called {name!r}: there are {known}")
    base = ALIGNERS["arcface112"]
    scale = int(side) / base.size_px
    return Aligner(name, int(side), tuple((x * scale, y * scale) for x, y in base.points))


def similarity_transform(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (2, 3) rotation, scale and shift that takes `source` closest to `target`.

    Both are (n, 2) points; least squares in closed form, never a mirror image. Raises
    `FrameRefused` when the points are not finite or all in one place.
    """
    if not np.isfinite(source).all():
        raise FrameRefused("landmarks are not finite numbers: the face cannot be aligned")
    a, b = source - source.mean(0), target - target.mean(0)
    spread = float((a * a).sum())
    if spread < LEAST_SPREAD_PX**2:
        raise FrameRefused("landmarks lie in one place: the face cannot be aligned")
    # As complex numbers: the factor that takes a closest to b is the sum of b * conj(a) over that of |a|**2.
    c = float((a * b).sum()) / spread
    d = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    rotation = np.array([[c, -d], [d, c]])
    shift = target.mean(0) - rotation @ source.mean(0)
    return np.column_stack([rotation, shift])


def align(image: Image, landmarks: Landmarks, to: Aligner) -> Image:
    """Return the (size, size, 3) uint8 BGR chip of the face with these landmarks.

    What lies outside the picture is black. Big faces are halved by area first, so that no
    pixel is skipped. Raises `FrameRefused` when the landmarks make no sense or lie outside.
    """
    points = np.asarray(landmarks, dtype=np.float64).reshape(-1, 2)
    target = np.array(to.points)
    if points.shape != target.shape:
        raise FrameRefused(f"{len(points)} landmarks given, {len(target)} needed: the face cannot be aligned")
    transform = similarity_transform(points, target)
    # Fitted again after each step: cutting and halving move the points, the fit is all that knows of it.
    image, points = _cut(image, points, transform, to.size_px)
    transform = similarity_transform(points, target)
    while hypot(*transform[:, 0]) < HALVE_BELOW and min(image.shape[:2]) >= 2:
        image, points = _halve(image, points)
        transform = similarity_transform(points, target)
    return cv2.warpAffine(image, transform, (to.size_px, to.size_px), flags=cv2.INTER_LINEAR)  # type: ignore[no-any-return]


def _cut(
    image: Image, points: NDArray[np.float64], transform: NDArray[np.float64], size: int
) -> tuple[Image, NDArray[np.float64]]:
    """Cut the part the chip is made of, so that a big picture costs no more than a small one."""
    inverse = np.linalg.inv(np.vstack([transform, [0, 0, 1]]))[:2]
    corners = np.array([[0, 0, 1], [size, 0, 1], [0, size, 1], [size, size, 1]]) @ inverse.T
    height, width = image.shape[:2]
    margin = 2 + 2 / hypot(*transform[:, 0])  # what a linear warp and the halving read beyond the edge
    left, top = (max(floor(low - margin), 0) for low in corners.min(0))
    right, bottom = (ceil(high + margin) for high in corners.max(0))
    part = image[top : min(bottom, height), left : min(right, width)]
    if part.size == 0:
        raise FrameRefused("landmarks lie outside the picture: the face cannot be aligned")
    return part, points - (left, top)


def _halve(image: Image, points: NDArray[np.float64]) -> tuple[Image, NDArray[np.float64]]:
    height, width = image.shape[0] // 2, image.shape[1] // 2
    even = image[: 2 * height, : 2 * width]
    half = cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA)
    return half, (points + 0.5) / 2 - 0.5  # pixel centres: 0 and 1 become 0
