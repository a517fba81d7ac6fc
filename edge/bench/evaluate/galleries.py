"""Open-set error rates against gallery size, and whether the rate that was asked for holds.

Residents are drawn at random from the people with enough photos, again and again; everybody else
is a stranger. Each draw asks what the door would do with one still of each person's photos, at the
threshold it takes for that gallery. Every person counts once. Intervals come from drawing galleries
and people again; where hardly anything happened an interval of a counted rate is wider and is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.bench.evaluate.rates import INTERVAL, Rate, wilson
from edge.domain import FIRST_LOOK_SHARE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edge.bench.evaluate.calibrate import People
    from edge.matcher.calibration import Calibration

WANTED = (0.03, 0.01, 0.003, 0.001)
SHARES = (1.0, FIRST_LOOK_SHARE)
SIZES = (50, 100, 200, 400, 800, 1600)
"""Gallery sizes tried as far as the people reach; the largest possible one is added."""

DRAWS = 200


@dataclass(frozen=True, slots=True)
class GalleryTrial:
    """What a door with `residents`, of `shots` photos each, does when it is asked for `wanted`.

    A still may spend `share` of the rate: all of it, or as much as the door's first look. `wrong` is the
    share of residents' probes let in under another name, part of `fnir`.
    """

    residents: int
    shots: int
    wanted: float
    share: float
    threshold: float
    strangers: int
    fpir: Rate
    fnir: Rate
    wrong: float


@dataclass(frozen=True, slots=True, eq=False)
class _Draw:
    """Per person: the share of their probes let in, missed and named wrongly at each wanted rate."""

    accepted: NDArray[np.float64]
    missed: NDArray[np.float64]
    wrong: NDArray[np.float64]


def sizes_for(people: People, shots: int) -> list[int]:
    """Return the gallery sizes that these people allow when each resident gives `shots` photos.

    Where everybody could be a resident half of them stay strangers.
    """
    able = int((np.bincount(people.owner) > shots).sum())
    most = able if able < len(people.names) else able // 2
    return [*(size for size in SIZES if size < most), most] if most > 1 else []


def try_galleries(
    people: People, calibration: Calibration, residents: int, shots: int, *, draws: int = DRAWS
) -> list[GalleryTrial]:
    """Return two trials per rate of `WANTED` for random galleries of this size: a still, and a first look.

    A resident is the mean of their shots, one row in the gallery, as at the door.
    """
    rng = np.random.default_rng([residents, shots])
    asked = [(rate, share) for share in SHARES for rate in WANTED]
    lines = [calibration.threshold(rate * share, residents) for rate, share in asked]
    decide = _Door(people, shots, calibration.margin, lines)
    found = [decide.draw(rng, residents) for _ in range(draws)]
    return [
        GalleryTrial(
            residents,
            shots,
            rate,
            share,
            line,
            len(found[0].accepted),
            _rate([one.accepted[:, index] for one in found], rng),
            _rate([one.missed[:, index] for one in found], rng),
            float(np.mean([one.wrong[:, index].mean() for one in found])),
        )
        for index, ((rate, share), line) in enumerate(zip(asked, lines, strict=True))
    ]


class _Door:
    """Decides probes of everybody against a drawn gallery, with the rule of one look."""

    def __init__(self, people: People, shots: int, margin: float, lines: Sequence[float]) -> None:
        self._people, self._shots, self._margin = people, shots, margin
        self._lines = np.array(lines)
        self._references = people.references()
        self._photos = np.bincount(people.owner)
        self._first = np.flatnonzero(np.diff(people.owner, prepend=-1))

    def draw(self, rng: np.random.Generator, residents: int) -> _Draw:
        able = np.flatnonzero(self._photos > self._shots)
        chosen = np.sort(rng.choice(able, residents, replace=False))
        enrolled = np.stack([self._enrol(rng, person) for person in chosen])
        # All other photos, of residents and strangers alike.
        probes = np.setdiff1d(np.arange(len(self._people.owner)), enrolled)
        owner = self._people.owner[probes]
        best, similarity, margin = self._search(probes, enrolled)
        granted = (similarity[:, None] >= self._lines) & (margin >= self._margin)[:, None]
        right = granted & (chosen[best] == owner)[:, None]
        is_resident = np.isin(np.arange(len(self._photos)), chosen)
        shares = [self._by_person(outcome, owner) for outcome in (granted, ~right, granted & ~right)]
        return _Draw(shares[0][~is_resident], shares[1][is_resident], shares[2][is_resident])

    def _enrol(self, rng: np.random.Generator, person: int) -> NDArray[np.intp]:
        """Return which photos are enrolled: drawn at random, so that no single photo decides."""
        photos = self._first[person] + rng.choice(self._photos[person], self._shots, replace=False)
        return np.asarray(photos, np.intp)

    def _search(
        self, probes: NDArray[np.intp], enrolled: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
        """Return (position of the best resident, their similarity, their lead over the second)."""
        mean = self._references[enrolled].sum(axis=1)
        rows = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        scores = self._people.probes[probes] @ rows.T
        best = scores.argmax(axis=1)
        top_two = np.partition(scores, -2, axis=1)[:, -2:]
        return best, top_two[:, 1], top_two[:, 1] - top_two[:, 0]

    def _by_person(self, outcome: NDArray[np.bool_], owner: NDArray[np.intp]) -> NDArray[np.float64]:
        total = np.zeros((len(self._photos), outcome.shape[1]))
        np.add.at(total, owner, outcome)
        return np.asarray(total / np.maximum(np.bincount(owner, minlength=len(total)), 1)[:, None])


def _rate(shares: Sequence[NDArray[np.float64]], rng: np.random.Generator) -> Rate:
    """Return the mean over draws of the mean over people, and its interval for one such door."""
    people = len(shares[0])
    drawn = [one[rng.integers(people, size=people)].mean() for one in shares for _ in range(5)]
    low, high = np.quantile(drawn, INTERVAL)
    # Where nobody was ever let in, drawing again finds nobody either; the counted interval is wider then.
    value = float(np.mean([one.mean() for one in shares]))
    counted_low, counted_high = wilson(value, people)
    return Rate(value, min(float(low), counted_low), max(float(high), counted_high))


def held_out(
    people: People, fit: Callable[[People], tuple[Sequence[float], Calibration]], seed: int = 0
) -> list[tuple[People, Calibration]]:
    """Return both halves of the people, each with the centre and calibration fitted to the other.

    The halves get as many people with several photos each, or one gallery would be small.
    """
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(len(people.names)), np.bincount(people.owner) > 1))
    half = np.zeros(len(people.names), bool)
    half[order[::2]] = True
    pairs = []
    for own in (half, ~half):
        centre, calibration = fit(people.some(~own))
        pairs.append((people.some(own).less(centre), calibration))
    return pairs
