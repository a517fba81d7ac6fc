"""Residents come, change and go while others read; what is gone is gone from memory."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edge.matcher.search import Search
from tests.matcher.galleries import MODEL, assert_exact, crowd, gallery_of, matcher_of, noise, probes_near

if TYPE_CHECKING:
    from edge.matcher.arena import Arena

DIM = 64
RNG = np.random.default_rng(0)


def written(arena: Arena) -> tuple[np.ndarray, np.ndarray]:
    return arena.originals[: arena.used], arena.codes[: arena.used]


def test_removed_templates_are_zeroed_at_once_when_nobody_reads() -> None:
    gallery = gallery_of(crowd(RNG, DIM, 50))
    arena = gallery.snapshot.arena
    start, stop = arena.spans[7]
    assert gallery.remove("r00007")
    assert not any(block[start:stop].any() for block in written(arena))
    assert not gallery.remove("r00007")


def test_replaced_templates_are_zeroed_too() -> None:
    gallery = gallery_of(crowd(RNG, DIM, 50))
    arena = gallery.snapshot.arena
    start, stop = arena.spans[3]
    gallery.replace("r00003", noise(RNG, 5, DIM), MODEL)
    assert not any(block[start:stop].any() for block in written(arena))
    assert gallery.templates == np.count_nonzero(~gallery.snapshot.dead_rows())


def test_a_reader_keeps_what_it_sees_and_erasure_waits_for_exactly_that() -> None:
    gallery = gallery_of(crowd(RNG, DIM, 50))
    early = gallery.snapshot
    start, stop = early.arena.spans[7]
    rows = early.originals[start:stop].copy()
    gallery.remove("r00007")
    late = gallery.snapshot
    gallery.remove("r00008")
    del late
    assert np.array_equal(early.originals[start:stop], rows)
    assert early.is_live(start)
    arena = early.arena
    del early
    assert not any(block[start:stop].any() for block in written(arena))


def test_a_slow_reader_holds_back_thousands_of_erasures_without_harm() -> None:
    gallery = gallery_of({"changing": noise(RNG, 1, DIM)})
    reader = gallery.snapshot
    seen = reader.originals.copy()
    for row in noise(RNG, 20_000, DIM):
        gallery.replace("changing", row[None], MODEL)
    assert np.array_equal(reader.originals, seen)
    arena = reader.arena
    del reader
    assert not any(block.any() for block in written(arena))


def test_growth_moves_everybody_and_wipes_the_old_arena() -> None:
    residents = crowd(RNG, DIM, 300)
    matcher = matcher_of(residents, "float32")
    old = matcher.gallery.snapshot.arena
    newcomers = {f"n{i:05d}": rows for i, rows in enumerate(crowd(RNG, DIM, 2000).values())}
    for name, rows in newcomers.items():
        matcher.gallery.add(name, rows, MODEL)
    assert matcher.gallery.snapshot.arena is not old
    assert not any(block.any() for block in written(old))
    everybody = residents | newcomers
    assert_exact(matcher, everybody, probes_near(RNG, everybody, 20))


def test_compaction_drops_dead_rows_and_fits_the_scale() -> None:
    residents = crowd(RNG, DIM, 200)
    matcher = matcher_of(residents, "float32")
    gallery = matcher.gallery
    gallery.add("spike", np.eye(1, DIM, dtype=np.float32), MODEL)
    clipped = gallery.snapshot.residual
    gallery.remove("spike")
    for name in list(residents)[::3]:
        gallery.remove(name)
        del residents[name]
    gallery.compact()
    assert len(gallery.snapshot.owner) == gallery.templates == sum(map(len, residents.values()))
    assert gallery.snapshot.residual < clipped / 10
    assert_exact(matcher, residents, probes_near(RNG, residents, 20))


def test_the_dead_never_lift_the_bound_above_the_living() -> None:
    """The dead row is the probe itself and not yet zeroed: it must not hide the living best."""
    residents = crowd(RNG, DIM, 100)
    matcher = matcher_of(residents, "float32")
    probe = noise(RNG, DIM)
    matcher.gallery.add("dead", probe[None], MODEL)
    reader = matcher.gallery.snapshot
    matcher.gallery.remove("dead")
    assert reader.originals[-1].any()
    assert_exact(matcher, residents, probe[None], threshold=0.1)
    scores = reader.originals @ probe
    assert Search(reader, probe, 1.0, 1e-5).best_two(scores).resident_id == "dead"


def test_an_old_arena_is_freed_at_once() -> None:
    gallery = gallery_of(crowd(RNG, DIM, 20))
    old = weakref.ref(gallery.snapshot.arena)
    gallery.compact()
    assert old() is None


class GalleryAgainstDictionary(RuleBasedStateMachine):
    """Any order of changes leaves the residents a dictionary would hold, and zeros elsewhere."""

    ids = st.sampled_from([f"r{i}" for i in range(6)])
    seeds = st.integers(0, 1000)

    def __init__(self) -> None:
        super().__init__()
        self.matcher = matcher_of({"r0": noise(RNG, 1, DIM)}, "float32")
        self.matcher.gallery.remove("r0")
        self.expected: dict[str, np.ndarray] = {}

    @rule(name=ids, seed=seeds, count=st.integers(1, 400))
    def replace(self, name: str, seed: int, count: int) -> None:
        self.expected[name] = noise(np.random.default_rng(seed), count, DIM)
        self.matcher.gallery.replace(name, self.expected[name], MODEL)

    @rule(name=ids)
    def remove(self, name: str) -> None:
        assert self.matcher.gallery.remove(name) == (self.expected.pop(name, None) is not None)

    @rule()
    def compact(self) -> None:
        self.matcher.gallery.compact()

    @invariant()
    def agrees(self) -> None:
        gallery = self.matcher.gallery
        assert gallery.residents == len(self.expected)
        assert gallery.templates == sum(map(len, self.expected.values()))
        snapshot = gallery.snapshot
        assert not snapshot.originals[snapshot.dead_rows()].any()
        if self.expected:
            assert_exact(self.matcher, self.expected, noise(np.random.default_rng(1), 2, DIM))


TestGalleryAgainstDictionary = GalleryAgainstDictionary.TestCase
TestGalleryAgainstDictionary.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)
