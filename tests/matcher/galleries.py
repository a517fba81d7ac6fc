"""Galleries to search, and a brute force in float64 that says what the answer must be."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge.domain import Match, OperatingPoint
from edge.errors import ConfigError
from edge.matcher.choice import BACKENDS, Choice
from edge.matcher.gallery import LiveGallery
from edge.matcher.matcher import Matcher
from edge.matcher.search import SearchVerdict
from edge.words import message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

MODEL = "test-model"
THRESHOLD, MARGIN = 0.40, 0.05

Residents = dict[str, "NDArray[np.float32]"]


def unit(rows: NDArray[np.floating]) -> NDArray[np.float32]:
    wide = np.asarray(rows, np.float64)
    return (wide / np.linalg.norm(wide, axis=-1, keepdims=True)).astype(np.float32)


def noise(rng: np.random.Generator, *shape: int) -> NDArray[np.float32]:
    return unit(rng.standard_normal(shape))


def point(residents: int, templates: int, share: float) -> OperatingPoint:
    return OperatingPoint(
        THRESHOLD, MARGIN, share, residents, message("basis.fixed", residents=residents, fpir=templates)
    )


def backend_names() -> list[str]:
    return list(BACKENDS)


def forced(name: str) -> Choice:
    """Return this backend, or skip when its package is missing (in CI that is a failure)."""
    try:
        return Choice.forced(name)
    except ConfigError as error:
        if os.environ.get("FACEGATE_CI") == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))


def gallery_of(residents: Mapping[str, NDArray[np.float32]]) -> LiveGallery:
    dim = next(iter(residents.values())).shape[1]
    gallery = LiveGallery(MODEL, dim, templates_per_resident=10_000)
    gallery.fill(residents.items(), MODEL)
    return gallery


def matcher_of(residents: Mapping[str, NDArray[np.float32]], backend: str) -> Matcher:
    return Matcher(gallery_of(residents), point, forced(backend))


def brute_force(residents: Mapping[str, NDArray[np.float32]], probes: NDArray[np.float32]) -> list[Match]:
    """Return the answers by the stated rule: float64, row by row, ties to the smaller resident id."""
    names = sorted(residents)
    if not names:
        return [Match(None, -1.0)] * len(probes)
    rows = np.concatenate([residents[name] for name in names]).astype(np.float64)
    starts = np.cumsum([0, *(len(residents[name]) for name in names[:-1])])
    answers = []
    for probe in probes:
        best = np.maximum.reduceat((rows * probe.astype(np.float64)).sum(axis=1), starts)
        first, *others = np.lexsort((np.arange(len(names)), -best))[:2]
        second = (names[others[0]], float(best[others[0]])) if others else (None, -1.0)
        answers.append(Match(names[first], float(best[first]), *second))
    return answers


def outcome(match: Match, threshold: float = THRESHOLD, margin: float = MARGIN) -> SearchVerdict:
    if match.resident_id is None or match.similarity < threshold:
        return SearchVerdict.STRANGER
    return SearchVerdict.IDENTITY if match.margin >= margin else SearchVerdict.AMBIGUOUS


_TRUTHS: dict[bytes, list[Match]] = {}


def _truth(residents: Mapping[str, NDArray[np.float32]], probes: NDArray[np.float32]) -> list[Match]:
    """Return what `brute_force` finds; once for all backends, for it takes longer than all of them."""
    # Shapes too: two templates and one probe are the same bytes as one template and two probes.
    shapes = [(name, residents[name].shape) for name in sorted(residents)]
    asked = sha256(repr((shapes, probes.shape)).encode())
    for name in sorted(residents):
        asked.update(residents[name].tobytes())
    asked.update(probes.tobytes())
    key = asked.digest()
    if key not in _TRUTHS:
        _TRUTHS[key] = brute_force(residents, probes)
    return _TRUTHS[key]


def assert_exact(
    matcher: Matcher,
    residents: Mapping[str, NDArray[np.float32]],
    probes: NDArray[np.float32],
    threshold: float = THRESHOLD,
    margin: float = MARGIN,
) -> None:
    """Compare full answers bit for bit and decisions one by one, in batches of one and of many."""
    truth = _truth(residents, probes)
    assert [matcher.identify(probe) for probe in probes] == truth
    assert matcher.identify_batch(probes) == truth
    single = [matcher.decide_batch(probe[None], threshold, margin)[0] for probe in probes]
    for findings in (single, matcher.decide_batch(probes, threshold, margin)):
        for found, match in zip(findings, truth, strict=True):
            assert found.outcome is outcome(match, threshold, margin)
            assert found.at_most >= match.similarity
            if match.runner_up_id is not None:
                assert found.others_at_most >= match.runner_up_similarity
            if found.outcome is not SearchVerdict.STRANGER:
                assert found.resident_id == match.resident_id
                assert found.at_least <= match.similarity


def near_duplicates(rng: np.random.Generator, dim: int, people: int = 400) -> Residents:
    """Return residents in pairs that differ by 1e-8 to 1e-3: the runner-up is almost the best."""
    centres = noise(rng, people, dim)
    residents = {}
    for i, centre in enumerate(centres):
        step = 10.0 ** rng.uniform(-8, -3)
        residents[f"a{i:04d}"] = unit(centre + step * rng.standard_normal((2, dim)) / np.sqrt(dim))
        residents[f"b{i:04d}"] = unit(centre + step * rng.standard_normal((1, dim)) / np.sqrt(dim))
    return residents


def crowd(rng: np.random.Generator, dim: int, people: int = 800) -> Residents:
    """Return residents of one to four templates that resemble each other at about 0.65."""
    residents = {}
    for i, centre in enumerate(noise(rng, people, dim)):
        shots = noise(rng, int(rng.integers(1, 5)), dim)
        residents[f"r{i:05d}"] = unit(np.sqrt(0.65) * centre + np.sqrt(0.35) * shots)
    return residents


def skewed(rng: np.random.Generator, dim: int, people: int = 800) -> Residents:
    """Return residents with a common mean, unequal variances and heavy tails."""
    spread = np.geomspace(1.0, 0.02, dim)
    common = 0.5 * rng.standard_normal(dim)
    return {
        f"r{i:05d}": unit(common + spread * rng.standard_t(3, (int(rng.integers(1, 4)), dim)))
        for i in range(people)
    }


def probes_near(rng: np.random.Generator, residents: Residents, count: int) -> NDArray[np.float32]:
    """Return probes: half of them other pictures of residents, half strangers."""
    names = list(residents)
    dim = residents[names[0]].shape[1]
    shots = []
    for _ in range(count):
        stranger = noise(rng, dim)
        row = residents[names[rng.integers(len(names))]][0]
        shots.append(stranger if rng.random() < 0.5 else unit(0.8 * row + 0.6 * stranger))
    return np.stack(shots)


def probes_at_threshold(rng: np.random.Generator, residents: Residents, count: int) -> NDArray[np.float32]:
    """Return probes whose similarity to some resident is the threshold +- 1e-8 to 1e-3."""
    names = list(residents)
    shots = []
    for _ in range(count):
        row = residents[names[rng.integers(len(names))]][0].astype(np.float64)
        away = rng.standard_normal(len(row))
        away -= away.dot(row) * row / row.dot(row)
        away /= np.linalg.norm(away)
        want = THRESHOLD + rng.choice([-1, 1]) * 10.0 ** rng.uniform(-8, -3)
        shots.append(unit(want * row + np.sqrt(1 - want**2) * away))
    return np.stack(shots)
