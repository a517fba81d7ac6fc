"""Does the rate hold for whole visits: strangers look at the door several times, by the door's own rule.

A visitor is a stranger with six photos or more, and each photo is a look. Photos of different days are
less alike than looks of one visit, so a real visit gives a stranger fewer chances than this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.bench.evaluate.rates import INTERVAL, Rate, rate_of_people
from edge.recognition.evidence import EQUAL_LOOKS, MAX_SHOTS, share_of_look

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from edge.bench.evaluate.calibrate import People
    from edge.matcher.calibration import Calibration

LOOKS = EQUAL_LOOKS
"""Looks of a visit. Later ones spend a twentieth of the rate in all."""

DRAWS = 200


@dataclass(frozen=True, slots=True)
class VisitTrial:
    """Visits of strangers to a door that asks for `wanted`: the share in which any look let them in."""

    residents: int
    shots: int
    wanted: float
    visitors: int
    fpir: Rate


def try_visits(
    people: People,
    calibration: Calibration,
    most: int,
    shots: int,
    wanted: Sequence[float],
    *,
    draws: int = DRAWS,
) -> list[VisitTrial]:
    """Return one trial per wanted rate for random galleries of up to `most` residents of `shots` photos.

    Nobody who could be a visitor is enrolled while there are others. Empty without visitors.
    """
    photos = np.bincount(people.owner)
    visitors = np.flatnonzero(photos >= LOOKS)
    able = np.flatnonzero((photos >= shots) & (photos < LOOKS))
    if not len(visitors) or not len(able):
        return []
    rng = np.random.default_rng([most, shots])
    residents = min(most, len(able))
    lines = np.array(
        [
            [calibration.threshold(rate * share_of_look(look + 1), residents) for look in range(LOOKS)]
            for rate in wanted
        ]
    )
    first = np.flatnonzero(np.diff(people.owner, prepend=-1))
    references, passed = people.references(), np.zeros((len(wanted), draws, len(visitors)), bool)
    for draw in range(draws):
        chosen = rng.choice(able, residents, replace=False)
        rows = _mean([references[first[who] + rng.permutation(photos[who])[:shots]] for who in chosen])
        for place, who in enumerate(visitors):
            seen = people.probes[first[who] + rng.permutation(photos[who])[:LOOKS]]
            best = (np.stack(list(_looks(seen))) @ rows.T).max(axis=1)
            # Any look of the visit: that is what the rate is promised for.
            passed[:, draw, place] = (best >= lines).any(axis=1)
    return [
        VisitTrial(residents, shots, rate, len(visitors), _rate(passed[index], rng))
        for index, rate in enumerate(wanted)
    ]


def _looks(shots: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """Yield what each look compares: the mean of the latest shots."""
    for look in range(len(shots)):
        total = shots[max(0, look + 1 - MAX_SHOTS) : look + 1].sum(axis=0)
        yield total / np.linalg.norm(total)


def _mean(shots: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    rows = np.stack([own.sum(axis=0) for own in shots])
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def _rate(passed: NDArray[np.bool_], rng: np.random.Generator) -> Rate:
    """Return the mean over draws and visitors, with its interval from drawing visitors again."""
    by_visitor = passed.mean(axis=0)
    drawn = [by_visitor[rng.integers(len(by_visitor), size=len(by_visitor))].mean() for _ in range(1000)]
    low, high = np.quantile(drawn, INTERVAL)
    return rate_of_people(float(by_visitor.mean()), (float(low), float(high)), len(by_visitor))
