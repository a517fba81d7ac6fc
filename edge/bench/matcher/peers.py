"""What people search embeddings with today, asked the same question: best and best other person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge.bench.matcher.data import MOST_TEMPLATES

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Rows = NDArray[np.float32]
    Query = Callable[[Rows], object]

NEAREST = MOST_TEMPLATES + 1
"""k that always reaches a second person: k = 2 would return two templates of the first."""


def numpy_product(rows: Rows, ident: NDArray[np.int32]) -> Query:
    """Matrix product and two arg max, float32."""

    def query(probes: Rows) -> list[tuple[int, int]]:
        columns = np.ascontiguousarray((rows @ probes.T).T) if len(probes) > 1 else (rows @ probes[0])[None]
        return [_two(scores, ident) for scores in columns]

    return query


def face_recognition_loop(rows: Rows, ident: NDArray[np.int32]) -> Query:
    """Follow the idiom of the package face_recognition: float64 norms and a Python list of booleans."""
    known, names = rows.astype(np.float64), ident.tolist()

    def one(probe: NDArray[np.float64]) -> tuple[int, int]:
        distances = np.linalg.norm(known - probe, axis=1)
        best: dict[int, float] = {}
        for i, close in enumerate(list(distances <= 1.1)):
            if close:
                best[names[i]] = min(best.get(names[i], 9.0), distances[i])
        return _two(1 - distances * distances / 2, ident)

    return lambda probes: [one(probe) for probe in probes.astype(np.float64)]


def faiss_flat(rows: Rows, ident: NDArray[np.int32]) -> Query:
    """FAISS IndexFlatIP, one thread."""
    import faiss  # noqa: PLC0415 - optional

    faiss.omp_set_num_threads(1)
    return _faiss(faiss.IndexFlatIP(rows.shape[1]), rows, ident)


def faiss_sq8(rows: Rows, ident: NDArray[np.int32]) -> Query:
    """FAISS scalar quantiser, 8 bit: close, not exact."""
    import faiss  # noqa: PLC0415 - optional

    faiss.omp_set_num_threads(1)
    kind = faiss.ScalarQuantizer.QT_8bit
    return _faiss(faiss.IndexScalarQuantizer(rows.shape[1], kind, faiss.METRIC_INNER_PRODUCT), rows, ident)


def usearch_exact(rows: Rows, ident: NDArray[np.int32]) -> Query:
    """Usearch exact search, float32."""
    from usearch.index import MetricKind, search  # noqa: PLC0415 - optional

    def query(probes: Rows) -> list[tuple[int, int]]:
        found = search(rows, probes, min(NEAREST, len(rows)), MetricKind.IP, exact=True, threads=1)
        return [_first_two(keys, ident) for keys in np.atleast_2d(found.keys).astype(np.int64)]

    return query


PEERS: dict[str, Callable[[Rows, NDArray[np.int32]], Query]] = {
    "faiss-flat": faiss_flat,
    "faiss-sq8": faiss_sq8,
    "numpy": numpy_product,
    "usearch": usearch_exact,
    "face_recognition": face_recognition_loop,
}


def _faiss(index: Any, rows: Rows, ident: NDArray[np.int32]) -> Query:
    index.train(rows[:20_000])
    index.add(rows)
    return lambda probes: [_first_two(keys, ident) for keys in index.search(probes, NEAREST)[1]]


def _first_two(keys: NDArray[np.int64], ident: NDArray[np.int32]) -> tuple[int, int]:
    best = int(ident[keys[0]])
    others = (int(ident[key]) for key in keys[1:].tolist() if key >= 0)
    return best, next((other for other in others if other != best), -1)


def _two(scores: NDArray[Any], ident: NDArray[np.int32]) -> tuple[int, int]:
    """Return the best two people, given scores that may be overwritten."""
    best = int(ident[int(scores.argmax())])
    start, stop = np.searchsorted(ident, [best, best + 1])
    scores[start:stop] = -9
    return best, int(ident[int(scores.argmax())])
