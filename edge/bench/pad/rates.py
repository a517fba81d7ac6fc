"""Error rates and how far they can be trusted."""

from __future__ import annotations

import math
from random import Random
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIDENCE = 0.95
RESAMPLES = 2000


def clopper_pearson(errors: int, trials: int) -> tuple[float, float]:
    """Return the exact 95 % interval of a rate of which `errors` in `trials` were seen, each 0..1.

    Without trials everything is possible: (0, 1).
    """
    if not 0 <= errors <= trials:
        raise ValueError(f"{errors} errors in {trials} trials")
    tail = (1.0 - CONFIDENCE) / 2
    low = 0.0 if errors == 0 else _solve(lambda rate: _at_least(errors, trials, rate) - tail)
    high = 1.0 if errors == trials else _solve(lambda rate: tail - _at_most(errors, trials, rate))
    return low, high


def _solve(rising: object) -> float:
    """Return where `rising`, a function of a rate that rises through zero, is zero."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if rising(middle) < 0:  # type: ignore[operator]
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _at_most(errors: int, trials: int, rate: float) -> float:
    return sum(
        math.comb(trials, count) * rate**count * (1 - rate) ** (trials - count) for count in range(errors + 1)
    )


def _at_least(errors: int, trials: int, rate: float) -> float:
    return 1.0 - _at_most(errors - 1, trials, rate)


def bootstrap_mean(values: Sequence[float], seed: int = 1) -> tuple[float, float]:
    """Return the 95 % interval of the mean of `values`, one per person, by drawing people again."""
    if not values:
        return 0.0, 1.0
    random = Random(seed)  # noqa: S311 - resampling, repeatable
    means = sorted(fmean(random.choices(values, k=len(values))) for _ in range(RESAMPLES))
    edge = round((1.0 - CONFIDENCE) / 2 * RESAMPLES)
    return means[edge], means[-edge - 1]


def trials_for_claim(rate: float) -> int:
    """Return how many error-free presentations support "at most `rate`" at 95 %, one-sided."""
    return math.ceil(math.log(1.0 - CONFIDENCE) / math.log(1.0 - rate))
