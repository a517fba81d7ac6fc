"""The compiled search against hostile callers, its own plain C and the tree it was built from."""

from __future__ import annotations

import hashlib
import threading
import weakref
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ProbeRefused
from edge.matcher.arena import Arena, quantise
from edge.matcher.exact import exact_similarities
from edge.matcher.matcher import Matcher
from tests.matcher.galleries import (
    MARGIN,
    MODEL,
    THRESHOLD,
    assert_exact,
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
)
from tests.places import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

DIM = 16
RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _built() -> None:
    forced("compiled")


@pytest.fixture
def scan() -> Iterator[Any]:
    from edge.matcher.backends import _scan  # noqa: PLC0415 - it may not have been built

    yield _scan
    _scan.instructions(False)


def arena_of(rows: np.ndarray) -> Arena:
    return Arena.holding({f"r{i}": row[None] for i, row in enumerate(rows)}, rows.shape[1], spare=0)


def arrays(arena: Arena) -> list[Any]:
    return [
        arena.originals,
        arena.codes,
        arena.owner,
        arena.died,
        arena.names,
        ("no", "yes", "both"),
        arena.scale,
    ]


def test_it_was_built_from_this_tree(scan: Any) -> None:
    folder = REPOSITORY / "edge" / "matcher" / "backends"
    files = [folder / "scan.c", *sorted(folder.glob("scan_*.h"))]
    source = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
    assert source == scan.SOURCE, "scan.c has changed since: python -m pip install --no-deps -e ."


@pytest.mark.parametrize("dim", [128, 129, 512, 33, 8, 7])
def test_plain_c_gives_the_same_answers(scan: Any, dim: int) -> None:
    rng = np.random.default_rng(dim)
    for residents in (near_duplicates(rng, dim, 60), crowd(rng, dim, 150)):
        probes = np.concatenate([probes_near(rng, residents, 20), probes_at_threshold(rng, residents, 20)])
        assert scan.instructions(True) == "plain"
        assert_exact(matcher_of(residents, "compiled"), residents, probes)
        scan.instructions(False)
        assert_exact(matcher_of(residents, "compiled"), residents, probes)


@settings(max_examples=200, deadline=None)
@given(
    dim=st.integers(1, 1040),
    seed=st.integers(0, 2**32 - 1),
    stretch=st.sampled_from([1e-30, 1e-3, 1.0, 1e15]),
)
def test_similarities_add_in_numpys_order(dim: int, seed: int, stretch: float) -> None:
    from edge.matcher.backends import _scan  # noqa: PLC0415 - it may not have been built

    rng = np.random.default_rng(seed)
    row, probe = (rng.standard_normal((2, dim)) * stretch).astype(np.float32)
    expected = exact_similarities(row[None], probe)[0]
    for plain in (True, False):
        _scan.instructions(plain)
        assert _scan.similarity(row, probe) == expected


def test_thousands_of_equal_rows_are_ranked_by_name_and_every_one_is_looked_at(scan: Any) -> None:
    face = noise(RNG, 1, 64)
    residents = {f"r{(i * 7919) % 5000:05d}": face for i in range(5000)}
    matcher = matcher_of(residents, "compiled")
    match = matcher.identify(face[0])
    assert (match.resident_id, match.runner_up_id) == ("r00000", "r00001")
    assert matcher.decide(face[0], THRESHOLD, 0.0).resident_id == "r00000"


@pytest.mark.parametrize("probe", [None, 7, "face", b"\0" * 64, [1.0] + [0.0] * 15, memoryview(b"12")])
def test_what_is_no_array_is_refused(probe: Any) -> None:
    matcher = matcher_of({"r": noise(RNG, 2, DIM)}, "compiled")
    for ask in (matcher.identify, lambda probe: matcher.identify_batch(cast("np.ndarray", [probe]))):
        with pytest.raises((ProbeRefused, AttributeError)):
            ask(probe)


def test_probes_that_lie_scattered_or_in_another_byte_order_get_the_same_answer() -> None:
    residents = crowd(RNG, DIM, 50)
    matcher = matcher_of(residents, "compiled")
    probes = probes_near(RNG, residents, 8)
    truth = brute_force(residents, probes)
    wide = np.zeros((8, 3 * DIM), np.float32)
    wide[:, ::3] = probes
    assert [matcher.identify(row) for row in wide[:, ::3]] == truth
    assert matcher.identify_batch(wide[:, ::3]) == matcher.identify_batch(np.asfortranarray(probes)) == truth
    assert matcher.identify_batch(probes[::-1]) == truth[::-1]
    assert [matcher.identify(row) for row in probes.astype(">f4")] == truth
    read_only = probes.copy()
    read_only.flags.writeable = False
    assert matcher.identify_batch(read_only) == truth


@pytest.mark.parametrize("backend", ["compiled", "float32"])
@pytest.mark.parametrize(
    ("threshold", "margin"), [(np.nan, 0.05), (0.4, np.nan), (np.inf, 0.0), (0.4, -0.1), (0.4, np.inf)]
)
def test_a_point_that_is_none_opens_nothing(backend: str, threshold: float, margin: float) -> None:
    """NaN compares false with everything: not one door may read that as a yes."""
    residents = crowd(RNG, DIM, 50)
    matcher, probe = matcher_of(residents, backend), residents["r00003"][0]
    with pytest.raises(ValueError, match="finite"):
        matcher.decide(probe, threshold, margin)
    with pytest.raises(ValueError, match="finite"):
        matcher.decide_batch(np.stack([probe, probe]), threshold, margin)


@pytest.mark.parametrize("threshold", [-1e308, -5.0, 5.0, 1e308])
def test_thresholds_far_outside_any_similarity(threshold: float) -> None:
    residents = crowd(RNG, DIM, 50)
    assert_exact(matcher_of(residents, "compiled"), residents, probes_near(RNG, residents, 6), threshold, 0.0)


def test_arrays_that_are_not_those_of_one_arena_are_refused(scan: Any) -> None:
    arena = arena_of(noise(RNG, 9, DIM))
    good = arrays(arena)
    scan.Rows(*good)
    bad: list[tuple[int, Any]] = [
        (0, arena.originals[:5]),
        (0, arena.originals.astype(np.float64)),
        (0, arena.originals[:, ::2]),
        (1, arena.codes[:, :8]),
        (1, arena.codes.view(np.uint8)),
        (2, arena.owner[:5]),
        (2, arena.owner.astype(np.int64)),
        (3, arena.died.astype(np.int32)),
        (3, None),
        (4, tuple(arena.names)),
        (5, None),
        (6, 0.0),
        (6, float("nan")),
    ]
    for place, thing in bad:
        words = [*good]
        words[place] = thing
        with pytest.raises((TypeError, ValueError, BufferError)):
            scan.Rows(*words)
    with pytest.raises(TypeError):
        scan.Rows(*good[:-1])


def test_what_does_not_fit_the_arena_is_refused_before_it_is_read(scan: Any) -> None:
    arena = arena_of(noise(RNG, 9, DIM))
    rows, probe = scan.Rows(*arrays(arena)), noise(RNG, DIM)
    capacity = len(arena.originals)
    for number, version, residual in (
        (-1, 0, 0.1),
        (capacity + 1, 0, 0.1),
        (9, 0, -1.0),
        (9, 0, float("nan")),
    ):
        with pytest.raises(ValueError, match="none of this block"):
            rows.best_two(False, probe, number, version, residual)
    for words in ((), (False, probe), (False, probe, "9", 0, 0.1), (False, probe, 2**80, 0, 0.1)):
        with pytest.raises((TypeError, OverflowError)):
            rows.best_two(*words)
        with pytest.raises((TypeError, OverflowError)):
            rows.decide(*words, 0.4, 0.05)
    with pytest.raises(TypeError):
        scan.similarity(probe, probe.astype(np.float64))
    with pytest.raises(ValueError, match="lengths"):
        scan.similarity(probe, probe[:3])


@pytest.mark.parametrize("dim", [5, 128, 130])
def test_it_writes_the_codes_that_numpy_writes(scan: Any, dim: int) -> None:
    rows = np.concatenate([noise(RNG, 40, dim), np.eye(dim, dtype=np.float32)[:3]])
    arena = arena_of(noise(RNG, 9, dim))
    arena.originals[9 : 9 + len(rows)] = rows
    codes, residual = quantise(rows, arena.scale)
    assert scan.Rows(*arrays(arena)).encode(9, 9 + len(rows)) == pytest.approx(residual, rel=1e-4)
    assert np.array_equal(arena.codes[9 : 9 + len(rows)], codes)
    assert not arena.codes[9 + len(rows) :].any()
    for start, stop in ((-1, 3), (5, 4), (0, len(arena.originals) + 1)):
        with pytest.raises(ValueError, match="no such rows"):
            scan.Rows(*arrays(arena)).encode(start, stop)


def test_owners_that_nobody_has_are_nobody(scan: Any) -> None:
    """Memory that went bad must not become a name, nor a read outside the arrays."""
    arena = arena_of(noise(RNG, 9, DIM))
    probe = arena.originals[3].copy()
    arena.owner[:9] = [-1, 2**31 - 1, -(2**31), len(arena.died), 10**9, -7, 99999, 88888, 77777]
    rows = scan.Rows(*arrays(arena))
    assert rows.best_two(False, probe, 9, 0, arena.residual) == ([(None, -1.0, None, -1.0)], 0)
    arena.owner[:9] = range(9)
    del arena.names[2:]
    with pytest.raises(IndexError):
        rows.best_two(False, probe, 9, 0, arena.residual)
    arena.names[:] = [1, 2, 3, 4, 5, 6, 7, 8, 9]  # type: ignore[list-item]
    with pytest.raises(TypeError, match="no text"):
        rows.best_two(False, probe, 9, 0, arena.residual)


def test_the_gallery_is_kept_alive_by_nothing_but_its_readers() -> None:
    residents = crowd(RNG, DIM, 40)
    gallery = gallery_of(residents)
    matcher = Matcher(gallery, point, forced("compiled"))
    matcher.identify(residents["r00001"][0])
    arena = gallery.snapshot.arena
    start, stop = arena.spans[1]
    gallery.remove("r00001")
    assert not arena.originals[start:stop].any()
    old = weakref.ref(arena)
    del arena
    gallery.compact()
    assert old() is None


def test_a_probe_that_changes_meanwhile_cannot_mix_two_answers() -> None:
    """The probe is copied first: whatever another thread writes, one probe is answered or refused."""
    rng = np.random.default_rng(5)
    residents = crowd(rng, 128, 3000)
    matcher = matcher_of(residents, "compiled")
    both = np.stack([residents["r00001"][0], residents["r00002"][0]])
    probes, stop = both.copy(), threading.Event()

    def change() -> None:
        while not stop.is_set():
            probes[:] = both[::-1]
            probes[:] = both

    writer = threading.Thread(target=change)
    writer.start()
    try:
        for _ in range(300):
            for finding in matcher.decide_batch(probes, THRESHOLD, MARGIN):
                assert finding.at_least <= finding.at_most
    except ProbeRefused:
        pass  # torn between two copies, and noticed
    finally:
        stop.set()
        writer.join()


def test_a_model_of_the_longest_embedding() -> None:
    residents = crowd(RNG, 1040, 40)
    matcher = matcher_of(residents, "compiled")
    assert_exact(matcher, residents, probes_near(RNG, residents, 10))
    matcher.gallery.add("spike", np.eye(1, 1040, dtype=np.float32), MODEL)
    residents["spike"] = np.eye(1, 1040, dtype=np.float32)
    assert_exact(matcher, residents, residents["spike"])
