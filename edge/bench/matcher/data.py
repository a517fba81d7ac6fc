"""Galleries to measure the matcher with: clustered noise, or real people padded with likenesses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge.errors import EvaluationRefused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import ArrayLike, NDArray

    Rows = NDArray[np.float32]

MOST_TEMPLATES = 10
"""Templates per synthetic resident are 1 to this many, and so are the k of k-nearest peers."""

ALIKE = 0.65
"""Cosine between two pictures of one synthetic person."""

PROBES = 64


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """(n, D) unit `rows`, (n,) `ident` with the rows of one person together, (P, D) `probes`."""

    rows: Rows
    ident: NDArray[np.int32]
    probes: Rows
    origin: str


def synthetic(templates: int, dim: int, seed: int = 1) -> Crowd:
    """Return isotropic people with 1 to 10 templates each; half the probes are strangers."""
    rng = np.random.default_rng(seed)
    ident = _identities(rng, templates)
    centres = _unit(rng.standard_normal((int(ident[-1]) + 1, dim), dtype=np.float32))
    return Crowd(_alike(rng, centres[ident]), ident, _half_strangers(rng, centres), "synthetic, isotropic")


def padded(residents: Mapping[str, Sequence[ArrayLike]], templates: int, seed: int = 1) -> Crowd:
    """Return real residents plus synthetic people of the same statistics, `templates` rows in all.

    The synthetic people's centres have mean and covariance of the real people's, and their
    templates spread around them as real shots of one person do. Probes are drawn likewise: half
    of them new pictures of people in the gallery, half strangers. Raises `EvaluationRefused` for one
    person alone: they have no statistics.
    """
    if len(residents) < 2:
        raise EvaluationRefused(f"{len(residents)} people, at least 2 are needed to make more like them")
    rng = np.random.default_rng(seed)
    real = [np.array(rows, np.float32) for rows in residents.values()]
    centres, spread = _statistics(real)
    extra = _identities(rng, max(1, templates - sum(map(len, real))))
    people = _like(rng, centres, int(extra[-1]) + 1 + PROBES)
    rows = _unit(people[extra] + _like(rng, spread, len(extra)))
    ident = np.concatenate([np.repeat(np.arange(len(real)), [len(r) for r in real]), extra + len(real)])
    known = _unit(centres[rng.integers(len(centres), size=PROBES // 2)] + _like(rng, spread, PROBES // 2))
    probes = rng.permutation(np.concatenate([known, _unit(people[-PROBES // 2 :])]))
    origin = f"{len(real)} real people, padded with synthetic ones of the same statistics"
    return Crowd(np.concatenate([*real, rows]), ident.astype(np.int32), probes, origin)


def _identities(rng: np.random.Generator, templates: int) -> NDArray[np.int32]:
    counts = rng.integers(1, MOST_TEMPLATES + 1, size=templates)
    return np.repeat(np.arange(templates, dtype=np.int32), counts)[:templates]


def _half_strangers(rng: np.random.Generator, centres: Rows) -> Rows:
    strangers = _unit(rng.standard_normal((PROBES, centres.shape[1]), dtype=np.float32))
    known = _alike(rng, centres[rng.integers(len(centres), size=PROBES)])
    return np.where(rng.random((PROBES, 1)) < 0.5, known, strangers).astype(np.float32)


def _alike(rng: np.random.Generator, centres: Rows) -> Rows:
    own = _unit(rng.standard_normal(centres.shape, dtype=np.float32))
    return _unit(np.float32(ALIKE**0.5) * centres + np.float32((1 - ALIKE) ** 0.5) * own)


def _statistics(real: Sequence[Rows]) -> tuple[Rows, Rows]:
    """Return the people's mean embeddings and the deviations of their shots from these."""
    centres = np.stack([rows.mean(axis=0) for rows in real])
    several = [rows - rows.mean(axis=0) for rows in real if len(rows) > 1]
    return centres, np.concatenate(several) if several else 0.5 * (centres - centres.mean(axis=0))


def _like(rng: np.random.Generator, examples: Rows, count: int) -> Rows:
    """Return (count, D) normal vectors with the mean and covariance of `examples`."""
    mean = examples.mean(axis=0)
    factor = (examples - mean) / np.float32(max(len(examples) - 1, 1) ** 0.5)
    drawn: Rows = mean + rng.standard_normal((count, len(examples)), dtype=np.float32) @ factor
    return drawn


def _unit(rows: Rows) -> Rows:
    unit: Rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit.astype(np.float32)
