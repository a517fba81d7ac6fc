"""Whatever the backend, batch or data: the answer of a float64 scan, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.domain import Match
from edge.matcher.matcher import Matcher
from tests.matcher.galleries import (
    MARGIN,
    MODEL,
    THRESHOLD,
    assert_exact,
    backend_names,
    brute_force,
    crowd,
    forced,
    gallery_of,
    matcher_of,
    near_duplicates,
    noise,
    point,
    probes_at_threshold,
    probes_near,
    skewed,
    unit,
)

every_backend = pytest.mark.parametrize("backend", backend_names())
both_dims = pytest.mark.parametrize("dim", [128, 512])


@every_backend
@both_dims
def test_near_duplicates_are_told_apart(backend: str, dim: int) -> None:
    rng = np.random.default_rng(1)
    residents = near_duplicates(rng, dim)
    assert_exact(matcher_of(residents, backend), residents, probes_near(rng, residents, 60))


@every_backend
@both_dims
def test_similarities_at_the_threshold_fall_on_the_right_side(backend: str, dim: int) -> None:
    rng = np.random.default_rng(2)
    residents = crowd(rng, dim)
    assert_exact(matcher_of(residents, backend), residents, probes_at_threshold(rng, residents, 60))


@every_backend
@both_dims
def test_skewed_heavy_tailed_galleries(backend: str, dim: int) -> None:
    rng = np.random.default_rng(3)
    residents = skewed(rng, dim)
    probes = np.concatenate([probes_near(rng, residents, 40), next(iter(skewed(rng, dim, 1).values()))])
    assert_exact(matcher_of(residents, backend), residents, probes)


@every_backend
@pytest.mark.parametrize("people", [1, 2, 3, 7])
def test_a_handful_of_residents(backend: str, people: int) -> None:
    rng = np.random.default_rng(people)
    residents = crowd(rng, 128, people)
    assert_exact(matcher_of(residents, backend), residents, probes_near(rng, residents, 20))


@every_backend
def test_thresholds_and_margins_of_every_size(backend: str) -> None:
    rng = np.random.default_rng(4)
    residents = crowd(rng, 128, 300)
    matcher, probes = matcher_of(residents, backend), probes_near(rng, residents, 30)
    for threshold in (-1.0, 0.0, 0.2, 0.7, 1.0):
        for margin in (0.0, 0.3, 2.0):
            assert_exact(matcher, residents, probes, threshold, margin)


@every_backend
def test_only_negative_similarities(backend: str) -> None:
    rng = np.random.default_rng(5)
    pole = noise(rng, 128)
    residents = {f"r{i}": unit(pole + 0.3 * noise(rng, 2, 128)) for i in range(40)}
    matcher = matcher_of(residents, backend)
    for name in list(residents)[::2]:
        matcher.gallery.remove(name)
        del residents[name]
    assert_exact(matcher, residents, -pole[None], threshold=-0.99)


@every_backend
def test_a_probe_beyond_the_scale_of_the_gallery(backend: str) -> None:
    rng = np.random.default_rng(6)
    residents = crowd(rng, 128, 300)
    spike = unit(np.eye(128)[:4] + 0.01 * rng.standard_normal((4, 128)))
    assert_exact(matcher_of(residents, backend), residents, spike)


@every_backend
def test_a_resident_beyond_the_scale_of_the_gallery(backend: str) -> None:
    rng = np.random.default_rng(7)
    residents = crowd(rng, 128, 300)
    matcher = matcher_of(residents, backend)
    residents["spike"] = unit(np.eye(128)[:1] + 0.001 * rng.standard_normal((1, 128)))
    matcher.gallery.add("spike", residents["spike"], MODEL)
    assert_exact(matcher, residents, np.concatenate([residents["spike"], probes_near(rng, residents, 20)]))


@every_backend
def test_equal_similarities_go_to_the_smaller_id_whatever_the_history(backend: str) -> None:
    rng = np.random.default_rng(8)
    face, other = noise(rng, 1, 128), noise(rng, 1, 128)
    for order in (["m", "b", "x"], ["x", "b", "m"], ["b", "x", "m"]):
        matcher = Matcher(gallery_of({"zz": other}), point, forced(backend))
        for name in order:
            matcher.gallery.add(name, face, MODEL)
        match = matcher.identify(face[0])
        assert (match.resident_id, match.runner_up_id, match.margin) == ("b", "m", 0.0)
        matcher.gallery.remove("b")
        matcher.gallery.compact()
        assert matcher.identify(face[0]).resident_id == "m"


@every_backend
def test_an_empty_gallery_knows_nobody(backend: str) -> None:
    rng = np.random.default_rng(9)
    matcher = matcher_of({"only": noise(rng, 2, 64)}, backend)
    matcher.gallery.remove("only")
    probes = noise(rng, 2, 64)
    assert matcher.identify_batch(probes) == [Match(None, -1.0)] * 2
    assert [found.resident_id for found in matcher.decide_batch(probes, -1.0, 0.0)] == [None, None]


@every_backend
def test_no_probes_no_answers(backend: str) -> None:
    rng = np.random.default_rng(11)
    matcher = matcher_of(crowd(rng, 64, 2000), backend)
    nothing = np.empty((0, 64), np.float32)
    assert matcher.identify_batch(nothing) == []
    assert matcher.decide_batch(nothing, THRESHOLD, MARGIN) == []


@pytest.mark.parametrize("backend", ["compiled", "int8-stream"])
def test_an_int8_bound_spares_almost_every_row(backend: str) -> None:
    rng = np.random.default_rng(10)
    residents = crowd(rng, 512, 3000)
    probes = probes_near(rng, residents, 40)
    full, decide = matcher_of(residents, backend), matcher_of(residents, backend)
    full.identify_batch(probes)
    for probe in probes:
        decide.decide_batch(probe[None], THRESHOLD, MARGIN)
    assert full.rescored / len(probes) <= 40
    assert decide.rescored / len(probes) <= 3


@st.composite
def _cases(draw: st.DrawFn) -> tuple[dict[str, np.ndarray], np.ndarray, float, float]:
    """Galleries of small integers: plenty of ties, zeros, negatives and unequal scales."""
    dim = draw(st.sampled_from([1, 2, 3, 5, 16, 33]))
    rows = st.lists(st.integers(-3, 3), min_size=dim, max_size=dim).filter(any)
    stretch = np.array(draw(st.lists(st.sampled_from([1.0, 1e-3, 40.0]), min_size=dim, max_size=dim)))
    people = draw(st.lists(st.lists(rows, min_size=1, max_size=3), min_size=1, max_size=12))
    residents = {f"r{i:02d}": unit(np.array(shots) * stretch) for i, shots in enumerate(people)}
    probes = unit(np.array(draw(st.lists(rows, min_size=1, max_size=5))) * stretch)
    similarity = brute_force(residents, probes[:1])[0].similarity
    threshold = draw(st.sampled_from([0.4, similarity, float(np.nextafter(similarity, 2.0))]))
    return residents, probes, threshold, draw(st.sampled_from([0.0, 0.05, 1.0]))


def test_galleries_of_the_same_bytes_have_truths_of_their_own() -> None:
    one, two = np.array([[-1.0]], np.float32), np.array([[-1.0], [-1.0]], np.float32)
    assert_exact(matcher_of({"r00": one}, "float32"), {"r00": one}, two)
    assert_exact(matcher_of({"r00": two}, "float32"), {"r00": two}, one)


@every_backend
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=_cases())
def test_any_small_gallery(
    backend: str, case: tuple[dict[str, np.ndarray], np.ndarray, float, float]
) -> None:
    residents, probes, threshold, margin = case
    assert_exact(matcher_of(residents, backend), residents, probes, threshold, margin)
