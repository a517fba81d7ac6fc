"""One-to-one error rates of labelled people, each with an interval from drawing people again.

Every person counts once, however many photos they have: the rate of two people is the mean over
their pairs of photos. Probes are plain, references averaged with their mirror image, as at the door.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edge.bench.evaluate.calibrate import People

FALSE_MATCH_RATES = (1e-2, 1e-3, 1e-4, 1e-5)
BOOTSTRAPS = 1000
INTERVAL = (0.025, 0.975)
Z = 1.96  # normal quantile of a 95 % interval
STEPS = np.linspace(-0.5, 1.0, 1501)
"""The similarities at which the curves are drawn: finer than their intervals are wide."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A rate, 0..1, and its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RateLine:
    """The errors at one similarity: strangers taken for one, and one person taken for two.

    `fnmr` is None where nobody has two photos: it is not known then.
    """

    similarity: float
    fmr: Rate
    fnmr: Rate | None


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Both error rates over the similarities `STEPS`; each array is of that length and falls or rises.

    Where nobody has two photos `fnmr` is NaN throughout.
    """

    similarity: NDArray[np.float64]
    fmr: NDArray[np.float64]
    fnmr: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Every photo as a probe against every photo as a reference, (n, n), sorted by person."""

    similarity: NDArray[np.float64]
    owner: NDArray[np.intp]

    @classmethod
    def of(cls, people: People) -> Scores:
        """Return all comparisons of these people. `people.owner` is in rising order, as gathered."""
        return cls(people.probes @ people.references().T, people.owner)

    def shares(self, similarity: float) -> NDArray[np.float64]:
        """Return (people, people): the share of their pairs of photos at or above `similarity`."""
        return _by_person(self.similarity >= similarity, self.owner)

    def genuine(self, similarity: float) -> NDArray[np.float64]:
        """Return, of each person with several photos, the share of pairs of two below `similarity`."""
        photos = np.bincount(self.owner)
        same = self.owner[:, None] == self.owner[None, :]
        np.fill_diagonal(same, val=False)  # a photo is no proof against itself
        below = _by_person(same & (self.similarity < similarity), self.owner).diagonal()
        several = photos > 1
        return np.asarray((below * photos / np.maximum(photos - 1, 1))[several])


def curve(scores: Scores) -> Curve:
    """Return both error rates over all similarities."""
    photos = np.bincount(scores.owner)[scores.owner].astype(np.float64)
    same = scores.owner[:, None] == scores.owner[None, :]
    strangers = 1.0 / (photos[:, None] * photos[None, :])
    own = np.where(photos > 1, 1.0 / (photos * np.maximum(photos - 1, 1)), 0.0)[:, None] * np.ones(
        len(photos)
    )
    np.fill_diagonal(own, 0.0)
    fmr = _share_above(scores.similarity[~same], strangers[~same])
    fnmr = 1.0 - _share_above(scores.similarity[same], own[same])
    return Curve(STEPS, fmr, fnmr)


def lines(scores: Scores, drawn: Curve, seed: int = 0) -> list[RateLine]:
    """Return both error rates, with intervals, where the strangers' rate is each of `FALSE_MATCH_RATES`.

    Rates that fewer than one pair of people stands behind are left out.
    """
    number = int(scores.owner.max()) + 1
    wanted = [rate for rate in FALSE_MATCH_RATES if rate * number * (number - 1) / 2 >= 1]
    at = [float(drawn.similarity[int(np.argmax(drawn.fmr <= rate))]) for rate in wanted]
    return [_line(scores, similarity, np.random.default_rng(seed)) for similarity in at]


def interval(draw: Callable[[], float]) -> tuple[float, float]:
    """Return the 95 % interval of what `draw` gives, from `BOOTSTRAPS` calls."""
    low, high = np.quantile([draw() for _ in range(BOOTSTRAPS)], INTERVAL)
    return float(low), float(high)


def wilson(rate: float, trials: int) -> tuple[float, float]:
    """Return the 95 % interval of a rate seen in `trials` people (Wilson 1927); holds at a rate of 0."""
    spread = Z * math.sqrt(rate * (1 - rate) / trials + Z**2 / (4 * trials**2))
    middle, scale = rate + Z**2 / (2 * trials), 1 + Z**2 / trials
    return max((middle - spread) / scale, 0.0), min((middle + spread) / scale, 1.0)


def rate_of_people(value: float, drawn: tuple[float, float], people: int) -> Rate:
    """Return a rate with the interval that was drawn; where no draw differs, with that of a counted rate.

    Nobody who was never missed is missed in a draw: an interval without width would be promised for it.
    """
    low, high = drawn
    return Rate(value, *(wilson(value, people) if low == high else drawn))


def _line(scores: Scores, similarity: float, rng: np.random.Generator) -> RateLine:
    shares = scores.shares(similarity)
    np.fill_diagonal(shares, 0.0)
    number, missed = len(shares), scores.genuine(similarity)

    def false_matches() -> float:
        drawn = np.bincount(rng.integers(number, size=number), minlength=number).astype(np.float64)
        return float(drawn @ shares @ drawn / (number**2 - (drawn**2).sum()))

    def misses() -> float:
        return float(missed[rng.integers(len(missed), size=len(missed))].mean())

    fmr = rate_of_people(float(shares.sum() / (number * (number - 1))), interval(false_matches), number)
    fnmr = rate_of_people(float(missed.mean()), interval(misses), len(missed)) if len(missed) else None
    return RateLine(similarity, fmr, fnmr)


def _by_person(pairs: NDArray[np.bool_], owner: NDArray[np.intp]) -> NDArray[np.float64]:
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    photos = np.bincount(owner)
    rows = np.add.reduceat(pairs.astype(np.float64), starts, axis=0)
    return np.asarray(np.add.reduceat(rows, starts, axis=1) / np.outer(photos, photos))


def _share_above(similarity: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    counts, _ = np.histogram(similarity, [-np.inf, *STEPS, np.inf], weights=weight)
    total = counts.sum()
    return np.asarray(np.cumsum(counts[:0:-1])[::-1] / (total or np.nan))
