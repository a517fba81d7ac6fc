"""Faces with five landmarks: YuNet on onnxruntime, its output decoded with numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.domain import Box, Face
from edge.errors import FrameRefused, ModelCorrupt
from edge.faces.manifest import load_manifest
from edge.faces.weights import checked, open_session

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.domain import Image
    from edge.faces.weights import OnnxSession

STRIDES = (8, 16, 32)  # the three grids of the network, in pixels
BLOCK = 32  # both sides of the input must be multiples of the coarsest grid
NMS_IOU = 0.3  # OpenCV's default for this network
MOST_CANDIDATES = 1000  # before overlapping ones are dropped; nine people in view give about 200
LONGEST_SIDE_PX = 1280  # above this the cost grows and the published accuracy does not


ROUNDING = 1e-6
"""Of a product of two float32 near one: what may reach the threshold is worked out exactly."""

NO_ROWS = np.empty((0, 15), np.float32)


class YuNet:
    """Detector of frontal and half-turned faces from about 10 pixels between the eyes.

    Cost grows with the area: about 2.4 ms of CPU at 320x240 and 7.7 ms at 640x480 on one x86
    core. Any thread, one at a time.
    """

    def __init__(self, session: OnnxSession, score_threshold: float = 0.6) -> None:
        self._session = session
        self._score_threshold = score_threshold
        self._input: str = session.get_inputs()[0].name
        self._outputs: list[str] = [output.name for output in session.get_outputs()]
        wanted = {f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in STRIDES}
        if missing := wanted - set(self._outputs):
            raise ModelCorrupt(f"the detector has no output {', '.join(sorted(missing))}: it is not YuNet")

    def detect(self, image: Image) -> list[Face]:
        """Return the faces in `image`, best score first, in its own pixel coordinates.

        `image` is (H, W, 3) uint8 BGR of any size; above 1280 pixels it is reduced first.
        Raises `FrameRefused` when it is not such a picture.
        """
        require_picture(image)
        scale = min(1.0, LONGEST_SIDE_PX / max(image.shape[:2]))
        if scale < 1.0:
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        rows = self._strongest(self._decode(image))
        rows[:, :14] /= scale  # back to the caller's pixels; the fifteenth is the score
        return [_face(row) for row in rows]

    def _decode(self, image: Image) -> NDArray[np.float32]:
        """Return (n, 15) rows of left, top, right, bottom, five points, score above the threshold."""
        blob = _blob(image)
        found = self._session.run(None, {self._input: blob})
        named = dict(zip(self._outputs, found, strict=True))
        grids = [self._grid(named, stride, blob.shape[3] // stride) for stride in STRIDES]
        rows = np.concatenate(grids)
        return rows[np.isfinite(rows).all(axis=1)]

    def _grid(self, named: dict[str, NDArray[np.float32]], stride: int, columns: int) -> NDArray[np.float32]:
        """Decode one grid: cells in row-major order, offsets in units of the stride."""
        classes, objects = named[f"cls_{stride}"][0, :, 0], named[f"obj_{stride}"][0, :, 0]
        hits = np.flatnonzero(classes * objects >= self._score_threshold**2 - ROUNDING)
        score = np.sqrt(np.clip(classes[hits], 0, 1) * np.clip(objects[hits], 0, 1))
        # By the root, as published: the product above only spares most cells from it.
        hits, score = hits[score >= self._score_threshold], score[score >= self._score_threshold]
        if not hits.size:
            return NO_ROWS
        cell = np.stack([hits % columns, hits // columns], axis=1).astype(np.float32)
        box, points = named[f"bbox_{stride}"][0, hits], named[f"kps_{stride}"][0, hits].reshape(-1, 5, 2)
        centre = (cell + box[:, :2]) * stride
        with np.errstate(over="ignore"):  # an absurd size becomes infinite and is dropped by the caller
            half = np.exp(box[:, 2:4]) * (stride / 2)
        landmarks = ((points + cell[:, None]) * stride).reshape(-1, 10)
        return np.concatenate([centre - half, centre + half, landmarks, score[:, None]], axis=1)

    def _strongest(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Keep one row per face (greedy non-maximum suppression), best score first."""
        # Stable, so that equal scores keep their order and a replay finds the same faces.
        rows = rows[np.argsort(-rows[:, 14], kind="stable")[:MOST_CANDIDATES]]
        boxes = np.column_stack([rows[:, :2], rows[:, 2:4] - rows[:, :2]])
        kept = cv2.dnn.NMSBoxes(boxes.tolist(), rows[:, 14].tolist(), self._score_threshold, NMS_IOU)
        return rows[np.asarray(kept, dtype=np.intp).reshape(-1)]


def require_picture(image: Image) -> None:
    """Raise `FrameRefused` unless `image` is a non-empty (H, W, 3) uint8 array."""
    shape, kind = getattr(image, "shape", None), getattr(image, "dtype", None)
    if kind != np.uint8 or shape is None or len(shape) != 3 or shape[2] != 3 or 0 in shape:
        raise FrameRefused(f"not a picture: shape {shape}, type {kind}; (H, W, 3) uint8 is needed")


def _blob(image: Image) -> NDArray[np.float32]:
    """Return (1, 3, H, W) float32 BGR 0..255, padded with black at the right and the bottom."""
    height, width = image.shape[:2]
    below, beside = -height % BLOCK, -width % BLOCK
    if below or beside:
        image = cv2.copyMakeBorder(image, 0, below, 0, beside, cv2.BORDER_CONSTANT)
    return cv2.dnn.blobFromImage(image)  # type: ignore[no-any-return]


def _face(row: NDArray[np.float32]) -> Face:
    left, top, right, bottom = (float(value) for value in row[:4])
    return Face(Box(left, top, right, bottom), row[4:14].reshape(5, 2).copy(), float(row[14]))


def load_detector(directory: Path | None = None, threads: int = 1) -> YuNet:
    """Return the detector from `directory` (default: the model directory), its file checked.

    Raises `ModelMissing` or `ModelCorrupt`; both say how to repair it.
    """
    path = checked(load_manifest().model("yunet"), directory)
    return YuNet(open_session(path, threads))
