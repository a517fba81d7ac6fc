"""The face that was judged must be the face that is recognised.

Somebody could show their own living face until it passes, and then slide a phone with a
resident's picture over it without the tracker losing sight. So the oldest, the middle and the
newest judged frame are compared with each other before a verdict counts; the newest is the
frame that recognition is about to decide on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.faces.liveness.window import Witness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.domain import Embedding, Face, Image
    from edge.ports import Embedder

SAME_FACE_SIMILARITY = 0.4
"""The rule of the evidence on a visit: shots of two people stayed under 0.35."""

REACH = 0.8
"""Half the witness's side in face sizes: all that the aligner reads."""


def witness(image: Image, face: Face) -> Witness:
    """Return a copy of `face` and its surroundings, with its landmarks moved along."""
    # Cut and copied: the whole frames of ten samples would be 9 MB a visitor at 640x480.
    x, y = face.box.centre
    reach = REACH * max(face.box.width, face.box.height)
    left, top = max(int(x - reach), 0), max(int(y - reach), 0)
    cut = image[top : max(int(y + reach), top + 1), left : max(int(x + reach), left + 1)].copy()
    return Witness(cut, (face.landmarks - np.array([left, top], np.float32)).astype(np.float32))


def is_one_face(witnesses: Sequence[Witness], embedder: Embedder) -> bool:
    """Return whether all `witnesses` show the face of the last one.

    Raises `FrameRefused` when one of them cannot be embedded.
    """
    embeddings = np.stack([embedded(one, embedder) for one in witnesses])
    return bool((embeddings @ embeddings[-1] >= SAME_FACE_SIMILARITY).all())


def embedded(one: Witness, embedder: Embedder) -> Embedding:
    """Return the embedding of a witness, worked out at most once. Raises `FrameRefused`."""
    if one.embedding is None:
        one.embedding = embedder.embed(one.cut, one.landmarks)
    return one.embedding
