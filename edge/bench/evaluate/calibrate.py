"""How a model scores strangers, fitted to labelled people: its centre and its calibration.

Every number about strangers is cross-fitted: the people are split in two halves, and a pair is
compared with a centre learned on the other half. Every pair of people counts once, however many
photos they have. Probes are plain, references averaged with their mirror image, as at the door.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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


@dataclass(frozen=True, slots=True, eq=False)
class Tail:
    """The strangers' comparisons above `TAIL_RATE`: similarity, weight and the two people of each."""

    above: float
    similarity: NDArray[np.float64]
    weight: NDArray[np.float64]
    left: NDArray[np.intp]
    right: NDArray[np.intp]
    comparisons: int
    pairs: int


def fit(people: People, *, with_centre: bool, seed: int = 0) -> tuple[list[float], Calibration]:
    """Return the centre (empty without one) and the calibration of a model on these people."""
    rng = np.random.default_rng(seed)
    half = rng.permutation(len(people.names)) % 2 == 0
    tail = _tail(people, half, with_centre=with_centre)
    slope, rate = _bootstrap(tail, half, rng)
    excess = tail.similarity - tail.above
    everybody = np.ones(len(people.names), bool)
    centre = people.centre(everybody).astype(np.float32) if with_centre else np.empty(0, np.float32)
    calibration = Calibration(
        data="labelled photos, one or more per person",
        people=len(people.names),
        pairs=tail.pairs,
        comparisons=tail.comparisons,
        above=round(tail.above, 4),
        fraction=TAIL_RATE,
        scale=round(float(np.average(excess, weights=tail.weight)), 4),
        scale_beyond=round(slope, 4),
        spread=round(rate, 2),
        margin=MARGIN,
    )
    return [round(float(value), 6) for value in centre], calibration


def table(centre: Sequence[float], calibration: Calibration, name: str) -> str:
    """Return the manifest's lines for this model."""
    lines = [f"centre = [{', '.join(str(value) for value in centre)}]", ""] if centre else []
    lines.append(f"[models.{name}.calibration]")
    values: dict[str, Any] = {field: getattr(calibration, field) for field in Calibration.__slots__}
    lines += [f'{key} = "{value}"' if key == "data" else f"{key} = {value}" for key, value in values.items()]
    return "\n".join(lines)


def _tail(people: People, half: NDArray[np.bool_], *, with_centre: bool) -> Tail:
    photos = np.bincount(people.owner)
    parts = []
    for side in (half, ~half):
        own = np.flatnonzero(side[people.owner])
        centre = people.centre(~side) if with_centre else np.zeros(people.probes.shape[1])
        probes = _unit(people.probes[own] - centre)
        references = _unit(probes + _unit(people.mirrored[own] - centre))
        scores, owners = probes @ references.T, people.owner[own]
        left, right = np.broadcast_arrays(owners[:, None], owners[None, :])
        strangers = left != right
        parts.append((scores[strangers], left[strangers], right[strangers]))
    similarity, left, right = (np.concatenate(column) for column in zip(*parts, strict=True))
    weight = 1.0 / (photos[left] * photos[right])
    order = np.argsort(-similarity)
    share = np.cumsum(weight[order]) / weight.sum()
    kept = order[: int(np.searchsorted(share, TAIL_RATE))]
    above = float(similarity[order[len(kept)]])
    pairs = sum(int(side.sum()) * (int(side.sum()) - 1) // 2 for side in (half, ~half))
    return Tail(above, similarity[kept], weight[kept], left[kept], right[kept], len(similarity), pairs)


def _bootstrap(tail: Tail, half: NDArray[np.bool_], rng: np.random.Generator) -> tuple[float, float]:
    """Return (upper 95 % slope, how many times greater the rate at `above` may be), over people."""
    sides = [np.flatnonzero(side) for side in (half, ~half)]
    excess = tail.similarity - tail.above
    slopes, rates = [], []
    for _ in range(BOOTSTRAPS):
        drawn = np.zeros(len(half), np.intp)
        possible = 0
        for side in sides:
            counts = np.bincount(rng.choice(side, len(side)), minlength=len(half))
            drawn += counts
            possible += len(side) ** 2 - int((counts**2).sum())
        weight = tail.weight * drawn[tail.left] * drawn[tail.right]
        if weight.any():  # a draw may miss every pair of a thin tail: that says nothing of its slope
            slopes.append(float((weight * excess).sum() / weight.sum()))
        rates.append(float(weight.sum() / possible))
    return float(np.quantile(slopes, 0.95)), float(np.quantile(rates, 0.95)) / TAIL_RATE


def _unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))
