"""From an aligned face to a unit embedding, on onnxruntime."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np

from edge.domain import Probe
from edge.errors import FrameRefused, ModelCorrupt
from edge.faces.align import Aligner, align, aligner
from edge.faces.detector import require_picture
from edge.faces.manifest import Model, load_manifest
from edge.faces.weights import checked, open_session

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.domain import Embedding, Image, Landmarks
    from edge.faces.weights import OnnxSession

LEAST_NORM = 1e-6  # a network's output this short has no direction


class _Embedded(NamedTuple):
    """The face that a thread embedded last. A picture is never written to, so the object names it."""

    image: Image
    landmarks: Landmarks
    probe: Probe


class OnnxEmbedder:
    """A face network and its aligner. Any thread, several at once: all it keeps is each thread's last answer.

    Every embedding is float32 of unit length; when the model has a centre (the mean embedding
    of many people) it is subtracted in between, which makes strangers less alike.
    """

    def __init__(self, session: OnnxSession, model: Model) -> None:
        self._session = session
        self._last = threading.local()
        self._input: str = session.get_inputs()[0].name
        self._model_id = model.model_id
        self._dim = model.dim
        self._aligner = aligner(model.aligner)
        self._feed = model
        self._clear_norm = model.clear_norm
        self._centre = np.asarray(model.centre, dtype=np.float32) if model.centre else None
        found = session.get_outputs()[0].shape[-1]
        if found != model.dim:
            raise ModelCorrupt(
                f"{model.name}: embeddings have {found} numbers, the manifest says {model.dim}"
            )

    @property
    def model_id(self) -> str:
        """Network, weights and aligner in one name; embeddings of two names never meet."""
        return self._model_id

    @property
    def dim(self) -> int:
        """How many numbers an embedding has."""
        return self._dim

    @property
    def aligner(self) -> Aligner:
        """How a chip for `embed_aligned` is cut."""
        return self._aligner

    def embed(self, image: Image, landmarks: Landmarks) -> Embedding:
        """Return the unit embedding of the face with these landmarks in `image`; see `probe`."""
        return self.probe(image, landmarks).embedding

    def probe(self, image: Image, landmarks: Landmarks) -> Probe:
        """Return the face with these landmarks in `image` as the network sees it.

        `image` is (H, W, 3) uint8 BGR, `landmarks` (5, 2) pixels in it. Raises `FrameRefused`
        when either makes no sense or the network gives nothing usable. Asked again about the same face
        of the same picture, as liveness does after recognition, it gives the answer it has.
        """
        last: _Embedded | None = getattr(self._last, "face", None)
        if last is not None and last.image is image and np.array_equal(last.landmarks, landmarks):
            return last.probe
        require_picture(image)
        raw = self._run(align(image, landmarks, self._aligner))
        # Of `raw`: once it is a unit, and less the centre, its length tells nothing of how clear the face
        # was.
        probe = self._weighed(self._finish(raw)[0], raw)
        self._last.face = _Embedded(image, np.array(landmarks), probe)  # a copy: theirs may change
        return probe

    def _weighed(self, embedding: Embedding, raw: NDArray[np.float32]) -> Probe:
        """Return the probe, with the norm where the manifest says what it means."""
        if not self._clear_norm:
            return Probe(embedding)
        norm = float(np.linalg.norm(raw.astype(np.float64)))
        return Probe(embedding, norm, is_faint=not norm >= self._clear_norm)

    def embed_aligned(self, chips: Sequence[Image]) -> NDArray[np.float32]:
        """Return (n, dim) unit embeddings of chips cut by `align` with this aligner.

        Raises `FrameRefused` when a chip has another size or an output is not finite.
        """
        side = self._aligner.size_px
        for chip in chips:
            require_picture(chip)
            if chip.shape[:2] != (side, side):
                raise FrameRefused(f"a chip is {chip.shape[1]}x{chip.shape[0]}, {side}x{side} is needed")
        if not chips:
            return np.empty((0, self._dim), dtype=np.float32)
        # One by one: a batch is no faster here, and would be quantised together, so that a face's
        # embedding would depend on its neighbours.
        return self._finish(np.concatenate([self._run(chip) for chip in chips]))

    def _run(self, chip: Image) -> NDArray[np.float32]:
        feed = self._feed
        blob = cv2.dnn.blobFromImage(  # (1, 3, side, side) float32, 0..255 before subtract and divide
            chip, 1 / feed.divide, mean=(feed.subtract,) * 3, swapRB=feed.colour == "rgb"
        )
        if feed.layout == "nhwc":
            blob = np.ascontiguousarray(blob.transpose(0, 2, 3, 1))
        row: NDArray[np.float32] = self._session.run(None, {self._input: blob})[0]
        return row

    def _finish(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        rows = unit(raw.reshape(-1, self._dim))
        return rows if self._centre is None else unit(rows - self._centre)


def unit(rows: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Return (n, D) rows scaled to length 1.

    Raises `FrameRefused` for a row that is not finite or has no length: it must never be
    compared, because a comparison with NaN is false whichever way it is asked.
    """
    rows = rows.astype(np.float64)  # squares of large float32 would overflow
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (np.isfinite(norms).all() and (norms > LEAST_NORM).all()):
        raise FrameRefused("the network gave no usable embedding for this face: not finite or zero")
    return np.asarray(rows / norms, dtype=np.float32)


def load_embedder(name: str = "sface", directory: Path | None = None, threads: int = 1) -> OnnxEmbedder:
    """Return the embedder called `name` in the manifest, its file checked.

    Raises `ModelMissing` or `ModelCorrupt` (both say how to repair it), or `InstallError` when
    the manifest has no such model.
    """
    model = load_manifest().model(name)
    if model.role != "embedder":
        raise ModelCorrupt(f"{name} is a {model.role}, not an embedder: use sface or dlib-resnet")
    return OnnxEmbedder(open_session(checked(model, directory), threads), model)
