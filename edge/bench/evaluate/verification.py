"""One-to-one verification on labelled pairs, in the manner of LFW: folds, accuracy, ROC."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.bench.lists import read_lines
from edge.errors import EvaluationRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from edge.bench.evaluate.images import PhotoEmbedder

FALSE_MATCH_RATES = (1e-3, 1e-4)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two photos and whether they show one person; `fold` counts from 0."""

    one: Path
    other: Path
    is_same: bool
    fold: int


def read_pairs(file: Path, images: Path) -> list[Pair]:
    """Return the pairs of an LFW pair file: "name n m" is one person, "name n name m" two.

    The first line may hold "folds pairs-per-fold" or one number; each fold has that many pairs
    of each kind. Raises `EvaluationRefused` naming the line that is not a pair.
    """
    rows = [line.split() for line in read_lines(file) if line.strip()]
    per_fold = None
    if rows and all(word.isdecimal() for word in rows[0]):
        per_fold = 2 * int(rows[0][-1]) or None
        rows = rows[1:]
    pairs = []
    for number, words in enumerate(rows):
        fold = 0 if per_fold is None else number // per_fold
        pairs.append(_pair(words, fold, images, file))
    return pairs


def verify(pairs: Sequence[Pair], embedder: PhotoEmbedder) -> dict[str, Any]:
    """Return accuracy over folds, AUC and true accept rates; pairs without a face count as failures.

    The threshold of a fold is the best one on the other folds; with a single fold it is the best
    one on itself. Raises `EvaluationRefused` unless pairs of both kinds could be compared.
    """
    scored = [(pair, _similarity(pair, embedder)) for pair in pairs]
    usable = [(pair, score) for pair, score in scored if score is not None]
    scores = np.array([score for _, score in usable])
    same = np.array([pair.is_same for pair, _ in usable], bool)
    if same.all() or not same.any():
        rule = "pairs of one person and pairs of two are both needed, with a face in each photo"
        raise EvaluationRefused(f"{same.sum()} and {(~same).sum()} of {len(pairs)} pairs are usable: {rule}")
    folds = np.array([pair.fold for pair, _ in usable])
    accuracies = _accuracies(scores, same, folds)
    return {
        "pairs": len(pairs),
        "accuracy": round(float(np.mean(accuracies)), 5),
        "accuracy_std": round(float(np.std(accuracies)), 5),
        "auc": round(auc(scores[same], scores[~same]), 6),
        "tar": {str(rate): tar_at(scores[same], scores[~same], rate) for rate in FALSE_MATCH_RATES},
        "failure_to_acquire": len(pairs) - len(usable),
    }


def auc(genuine: NDArray[np.float64], impostor: NDArray[np.float64]) -> float:
    """Return the area under the ROC curve: the chance that a genuine pair scores higher; ties half."""
    ordered = np.sort(impostor)
    below = np.searchsorted(ordered, genuine, side="left")
    ties = np.searchsorted(ordered, genuine, side="right") - below
    return float(np.mean(below + ties / 2) / len(impostor))


def tar_at(genuine: NDArray[np.float64], impostor: NDArray[np.float64], rate: float) -> float:
    """Return the share of genuine pairs above the similarity that `rate` of impostors exceed.

    Below one in the number of impostor pairs it is the share above the highest of them: the
    strictest that these pairs can show, not a measurement at that rate.
    """
    line = np.sort(impostor)[::-1][int(rate * len(impostor))]
    return round(float(np.mean(genuine > line)), 5)


def _pair(words: Sequence[str], fold: int, images: Path, file: Path) -> Pair:
    if len(words) == 3 and words[1].isdecimal() and words[2].isdecimal():
        name, first, second = words
        return Pair(_photo(images, name, first), _photo(images, name, second), is_same=True, fold=fold)
    if len(words) == 4 and words[1].isdecimal() and words[3].isdecimal():
        one, other = _photo(images, words[0], words[1]), _photo(images, words[2], words[3])
        return Pair(one, other, is_same=False, fold=fold)
    raise EvaluationRefused(
        f"{file}: {' '.join(words)!r} is no pair: write 'name n m' or 'name n other-name m'"
    )


def _photo(images: Path, name: str, number: str) -> Path:
    path = Path(name) / f"{name}_{int(number):04d}.jpg"
    return images / path if (images / path).exists() else images / "lfw" / path


def _similarity(pair: Pair, embedder: PhotoEmbedder) -> float | None:
    try:
        one, other = embedder.embed(pair.one), embedder.embed(pair.other)
    except FileNotFoundError as error:
        raise EvaluationRefused(f"{error.filename}: the pair file names it, but it is not there") from error
    if one is None or other is None:
        return None
    return float(np.dot(one.probe.astype(np.float64), other.probe.astype(np.float64)))


def _accuracies(scores: NDArray[np.float64], same: NDArray[np.bool_], folds: NDArray[np.intp]) -> list[float]:
    numbers = np.unique(folds)
    result = []
    for number in numbers:
        held_out = folds == number
        train = ~held_out if len(numbers) > 1 else held_out
        line = best_threshold(scores[train], same[train])
        result.append(float(np.mean((scores[held_out] >= line) == same[held_out])))
    return result


def best_threshold(scores: NDArray[np.float64], same: NDArray[np.bool_]) -> float:
    """Return the similarity that tells most of these pairs right: the middle of the best range."""
    order = np.argsort(scores)
    ranked, truth = scores[order], same[order]
    # Right answers when everything from position k on is called "same".
    right = np.concatenate([[truth.sum()], truth.sum() + np.cumsum(np.where(truth, -1, 1))])
    parts = np.concatenate([[True], ranked[1:] > ranked[:-1], [True]])  # no line runs through a tie
    best = int(np.argmax(np.where(parts, right, -1)))
    low = ranked[best - 1] if best else ranked[0] - 1e-3
    high = ranked[best] if best < len(ranked) else ranked[-1] + 1e-3
    return float((low + high) / 2)
