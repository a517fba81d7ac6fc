"""How a model scores strangers, fitted to labelled people: its centre and its calibration.

Every number about strangers is cross-fitted: the people are split in two halves, and a pair is
compared with a centre learned on the other half. Every pair of people counts once, however many
photos they have. Probes are plain, references averaged with their mirror image, as at the door.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from edge.errors import EvaluationRefused
from edge.matcher.calibration import Calibration

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from edge.bench.evaluate.images import Embedded

TAIL_RATE = 3e-4
"""Where the tail begins: of 844 people, 550 pairs lie above it, enough for a slope; nearer the
middle the tail is not yet exponential."""

KNEE_PAIRS = 150
"""From where so many pairs of people are left, they tell the slope by themselves: of 3,300 people it is
0.021 there (1 in 37,000 comparisons) and 0.024 before. With fewer people the tail has one piece."""

LEAST_BEND = 5.0
"""A knee has to lie this many times further out than the tail's beginning to be told from it."""

TOO_ALIKE = 0.05
"""A pair of names that is so alike that the fit expects fewer than this many of all pairs to be is taken
for one person under two names. LFW has a dozen such pairs beside those that are known: one person spelt
two ways, one photo under two names."""

ALIKE = 0.01
"""The share of the comparisons that is looked at for the tail: 30 times as many as it needs."""

BOOTSTRAPS = 1000
MARGIN = 0.05
"""Least lead over the second resident. Of residents recognised with one photo each it refuses one
in a hundred and halves the wrong names (two people under one label, photos labelled wrongly)."""

LEAST_PEOPLE = 300
"""Fewer have under 23,000 pairs within the halves: too few lie above `TAIL_RATE` for a slope."""


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """Photos by person: (n, D) unit rows without a centre; `owner` numbers people from 0."""

    probes: NDArray[np.float64]
    mirrored: NDArray[np.float64]
    owner: NDArray[np.intp]
    names: tuple[str, ...]

    @classmethod
    def gather(cls, photos: Mapping[str, Sequence[Embedded]], least: int = LEAST_PEOPLE) -> People:
        """Return the people who have at least one usable photo, in the order of their names.

        Raises `EvaluationRefused` when they are fewer than `least`.
        """
        names = tuple(sorted(name for name, own in photos.items() if own))
        if len(names) < least:
            raise EvaluationRefused(f"{len(names)} people have a usable photo, {least} are needed")
        rows = [(number, shot) for number, name in enumerate(names) for shot in photos[name]]
        return cls(
            np.array([shot.probe for _, shot in rows], np.float64),
            np.array([shot.mirrored for _, shot in rows], np.float64),
            np.array([number for number, _ in rows]),
            names,
        )

    def some(self, chosen: NDArray[np.bool_]) -> People:
        """Return only the chosen people, numbered anew. `chosen` is (people,)."""
        kept = chosen[self.owner]
        owner = (np.cumsum(chosen) - 1)[self.owner[kept]]
        names = tuple(name for name, is_kept in zip(self.names, chosen, strict=True) if is_kept)
        return People(self.probes[kept], self.mirrored[kept], owner, names)

    def less(self, centre: Sequence[float]) -> People:
        """Return the same people with `centre` subtracted from each row; empty leaves them as they are."""
        if not len(centre):
            return self
        probes, mirrored = _unit(self.probes - centre), _unit(self.mirrored - centre)
        return People(probes, mirrored, self.owner, self.names)

    def references(self) -> NDArray[np.float64]:
        """Return each photo as it would be enrolled, (n, D): averaged with its mirror image."""
        return _unit(self.probes + self.mirrored)

    def centre(self, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the mean embedding of the chosen people, each counting once."""
        means = [self.probes[self.owner == n].mean(axis=0) for n in np.flatnonzero(chosen)]
        return np.asarray(np.mean(means, axis=0))


Side: TypeAlias = "tuple[NDArray[np.bool_], NDArray[np.float64]]"
"""People who are compared with each other, and the centre they are compared with."""


@dataclass(frozen=True, slots=True, eq=False)
class Tail:
    """The most alike comparisons of strangers, falling: all above `above`, with weight and the two people."""

    above: float
    similarity: NDArray[np.float64]
    weight: NDArray[np.float64]
    left: NDArray[np.intp]
    right: NDArray[np.intp]
    comparisons: int
    pairs: int


def fit(
    people: People, *, with_centre: bool, kept: Sequence[float] | None = None, seed: int = 0
) -> tuple[list[float], Calibration]:
    """Return the centre (empty without one) and the calibration of a model on these people.

    With `kept` that centre is taken as it is: nothing is learned from these people but how alike
    strangers are, so everybody is compared with everybody.
    """
    rng = np.random.default_rng(seed)
    everybody = np.ones(len(people.names), bool)
    # Two halves, each compared with a centre of the other: a centre learned from the very people makes
    # strangers among them less alike than those at a door.
    half = rng.permutation(len(people.names)) % 2 == 0
    none = np.zeros(people.probes.shape[1])
    if kept is not None:
        sides = [(everybody, np.asarray(kept) if len(kept) else none)]
    else:
        sides = [(side, people.centre(~side) if with_centre else none) for side in (half, ~half)]
    tail, dropped = _tail(people, sides)
    knee = _knee(tail)
    slope, rate = _bootstrap(tail, knee or tail.above, [np.flatnonzero(side) for side, _ in sides], rng)
    far = None if knee is None else round(_mean_excess(tail, knee), 4)
    learned = people.centre(everybody).astype(np.float32) if with_centre else np.empty(0, np.float32)
    words = f"; {dropped} pairs too alike to be two people left out" if dropped else ""
    calibration = Calibration(
        data=f"labelled photos, one or more per person{words}",
        people=len(people.names),
        pairs=tail.pairs,
        comparisons=tail.comparisons,
        above=round(tail.above, 4),
        fraction=TAIL_RATE,
        scale=round(_mean_excess(tail, tail.above) if knee is None else _slope_to(tail, knee), 4),
        scale_beyond=round(slope, 4),
        spread=round(max(rate, 1.0), 2),  # never a rate below the one that was counted
        margin=MARGIN,
        knee=None if knee is None else round(knee, 4),
        scale_far=far,
    )
    centre = learned if kept is None else kept
    return [round(float(value), 6) for value in centre], calibration


def table(centre: Sequence[float], calibration: Calibration, name: str) -> str:
    """Return the manifest's lines for this model."""
    lines = [f"centre = [{', '.join(str(value) for value in centre)}]", ""] if centre else []
    lines.append(f"[models.{name}.calibration]")
    values: dict[str, Any] = {field: getattr(calibration, field) for field in Calibration.__slots__}
    lines += [
        # As JSON, which TOML reads: a folder's name may hold a quotation mark.
        f"{key} = {json.dumps(value, ensure_ascii=False)}"
        for key, value in values.items()
        if value is not None
    ]
    return "\n".join(lines)


def _tail(people: People, sides: Sequence[Side]) -> tuple[Tail, int]:
    """Return the tail without pairs that are too alike to be two people, and how many of those there are."""
    photos = np.bincount(people.owner)
    parts, comparisons = [], 0
    for side, centre in sides:
        own = np.flatnonzero(side[people.owner])
        probes = _unit(people.probes[own] - centre)
        references = _unit(probes + _unit(people.mirrored[own] - centre))
        scores, owners = probes @ references.T, people.owner[own]
        strangers = owners[:, None] != owners[None, :]
        comparisons += int(strangers.sum())
        scores[~strangers] = -2.0  # below every cosine: one person's photos are no comparison of strangers
        left, right = np.nonzero(scores >= np.quantile(scores, 1 - ALIKE))
        parts.append((scores[left, right], owners[left], owners[right]))
    similarity, left, right = (np.concatenate(column) for column in zip(*parts, strict=True))
    sizes = [int(side.sum()) for side, _ in sides]
    pairs = sum(size * (size - 1) // 2 for size in sizes)
    order = np.argsort(-similarity)
    whole = Tail(
        float(similarity[order[-1]]),
        similarity[order],
        1.0 / (photos[left] * photos[right])[order],
        left[order],
        right[order],
        comparisons,
        pairs,
    )
    return _without_mistakes(_cut(whole, TAIL_RATE), _cut(whole, TAIL_RATE * 1.1))


def _without_mistakes(tail: Tail, more: Tail) -> tuple[Tail, int]:
    """Return the tail at `TAIL_RATE` of `more` without the pairs of people that no tail would hold."""
    start = min(TAIL_RATE, KNEE_PAIRS / tail.pairs)
    cut = _cut(tail, start)
    slope = _median_excess(cut) / math.log(2)  # a few wrong labels do not move the median
    line = cut.above + slope * math.log(start * tail.pairs / TOO_ALIKE)
    names = np.minimum(more.left, more.right) * (1 + more.right.max() + more.left.max()) + np.maximum(
        more.left, more.right
    )
    wrong = np.unique(names[more.similarity > line])
    kept = ~np.isin(names, wrong)
    rest = Tail(
        more.above,
        more.similarity[kept],
        more.weight[kept],
        more.left[kept],
        more.right[kept],
        more.comparisons,
        more.pairs,
    )
    return _cut(rest, TAIL_RATE), len(wrong)


def _cut(tail: Tail, rate: float) -> Tail:
    """Return the part of the tail that is the share `rate` of all comparisons, the most alike first."""
    share = np.cumsum(tail.weight) / (2 * tail.pairs)  # a pair weighs 1 as (probe, reference) and 1 turned
    number = min(int(np.searchsorted(share, rate)), len(share) - 1)
    kept = slice(number)
    return Tail(
        float(tail.similarity[number]),
        tail.similarity[kept],
        tail.weight[kept],
        tail.left[kept],
        tail.right[kept],
        tail.comparisons,
        tail.pairs,
    )


def _knee(tail: Tail) -> float | None:
    rate = KNEE_PAIRS / tail.pairs
    return _cut(tail, rate).above if rate * LEAST_BEND <= TAIL_RATE else None


def _slope_to(tail: Tail, knee: float) -> float:
    return (knee - tail.above) / math.log(TAIL_RATE * tail.pairs / KNEE_PAIRS)


def _mean_excess(tail: Tail, begin: float) -> float:
    beyond = tail.similarity >= begin
    return float(np.average(tail.similarity[beyond] - begin, weights=tail.weight[beyond]))


def _median_excess(tail: Tail) -> float:
    share = np.cumsum(tail.weight)
    return float(tail.similarity[int(np.searchsorted(share, share[-1] / 2))] - tail.above)


def _bootstrap(
    tail: Tail, begin: float, sides: Sequence[NDArray[np.intp]], rng: np.random.Generator
) -> tuple[float, float]:
    """Return (upper 95 % slope beyond `begin`, how many times greater the rate may be), over people."""
    excess = np.maximum(tail.similarity - begin, 0.0)
    number = int(max(side.max() for side in sides)) + 1
    slopes, rates = [], []
    for _ in range(BOOTSTRAPS):
        drawn = np.zeros(number, np.intp)
        # People are drawn, not comparisons: one person's are all alike, and would count as so many proofs.
        possible = 0
        for side in sides:
            counts = np.bincount(rng.choice(side, len(side)), minlength=number)
            drawn += counts
            possible += len(side) ** 2 - int((counts**2).sum())
        weight = tail.weight * drawn[tail.left] * drawn[tail.right]
        beyond = weight[tail.similarity >= begin].sum()
        if beyond > 0:  # a draw may miss every pair of a thin tail: that says nothing of its slope
            slopes.append(float((weight * excess).sum() / beyond))
        rates.append(float(weight.sum() / possible))
    return float(np.quantile(slopes, 0.95)), float(np.quantile(rates, 0.95)) / TAIL_RATE


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))
