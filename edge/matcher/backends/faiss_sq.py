"""FAISS's scalar quantiser over our own codes: for one probe and short rows the fastest.

It reads codes in order at memory speed and returns the k best rows only. The probe goes in as codes
too: then the scores are integers, exact in float32, and the interval is that of `codes`.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Literal

import faiss
import numpy as np

from edge.matcher.backends import Ranking
from edge.matcher.backends.codes import encode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge.matcher.arena import Snapshot

Vector: Any = faiss.MaybeOwnedVectorUInt8
UNOWNED = Vector()
"""Lends its empty owner: FAISS must not free the memory it is shown. Kept, or the owner dangles."""


class FaissNearest:
    """Asks FAISS for the k best rows. Needs the gallery's shifted codes."""

    ranks: Literal[True] = True
    name = "faiss-sq8"

    def __init__(self) -> None:
        faiss.omp_set_num_threads(1)
        self._kept = threading.local()

    def rank(self, snapshot: Snapshot, probe: NDArray[np.float32]) -> Ranking:
        """Return the ranking of a (D,) float32 probe. Any thread."""
        coded = encode(probe[None], snapshot.arena.scale)
        index, query = self._index(snapshot), coded.codes.astype(np.float32)

        def nearest(k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
            scores, rows = index.search(query, min(k, len(snapshot.owner)))
            return rows[0], scores[0]

        _, units, widths = coded.scan(snapshot, query)
        return Ranking(units[0], widths[0], nearest)

    def _index(self, snapshot: Snapshot) -> Any:
        """Return this thread's FAISS index over the snapshot's codes; nothing is copied.

        It is kept with the array it points into, not with the snapshot: that would keep removed
        residents from being erased.
        """
        codes, rows = snapshot.arena.shifted, len(snapshot.owner)
        kept: tuple[Any, int, Any] | None = getattr(self._kept, "index", None)
        if kept is None or kept[0] is not codes or kept[1] != rows:
            kept = self._kept.index = (codes, rows, _index_over(codes, rows))
        return kept[2]


def _index_over(codes: NDArray[np.uint8] | None, rows: int) -> Any:
    assert codes is not None, "the gallery keeps no shifted codes"  # noqa: S101 - Matcher asks for them
    kind = faiss.ScalarQuantizer.QT_8bit_direct_signed
    index = faiss.IndexScalarQuantizer(codes.shape[1], kind, faiss.METRIC_INNER_PRODUCT)
    index.codes = Vector.create_view(faiss.swig_ptr(codes), rows * codes.shape[1], UNOWNED.owner)
    index.ntotal, index.is_trained = rows, True
    return index
