"""One bad row must be impossible: it is refused with a reason and the gallery stays as it was."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge.domain import Template
from edge.errors import FacegateError, ModelMismatch, ProbeRefused, TemplateRefused
from edge.matcher.gallery import LiveGallery
from edge.matcher.matcher import Matcher
from tests.matcher.galleries import MODEL, forced, noise, point

DIM = 16
RNG = np.random.default_rng(0)
GOOD = noise(RNG, 2, DIM)


def with_component(value: float) -> np.ndarray:
    rows = GOOD.copy()
    rows[1, 3] = value
    return rows


BAD_ROWS = {
    "NaN": (with_component(np.nan), "norm nan"),
    "infinite": (with_component(np.inf), "norm inf"),
    "zero": (np.zeros((1, DIM), np.float32), "norm 0"),
    "scaled by 1000": (GOOD * 1000, "norm 1000"),
    "scaled by 1.03": (GOOD * 1.03, "norm 1.03"),
    "beyond float32": (np.full((1, DIM), 1e300), "norm inf"),
    "wrong dimension": (noise(RNG, 2, DIM + 1), "shape (2, 17)"),
    "one row, not a stack": (GOOD[0], "shape (16,)"),
    "no rows": (np.zeros((0, DIM), np.float32), "0 templates"),
    "10,000 templates": (noise(RNG, 10_000, DIM), "10000 templates"),
    "ragged": ([[1.0], [1.0, 2.0]], "not numbers"),
    "words": ([["a"] * DIM], "not numbers"),
}


def filled() -> LiveGallery:
    gallery = LiveGallery(MODEL, DIM)
    gallery.add("resident", GOOD, MODEL)
    return gallery


@pytest.mark.parametrize(("rows", "reason"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_bad_rows_are_refused_and_change_nothing(rows: np.ndarray, reason: str) -> None:
    gallery = filled()
    for change in (gallery.add, gallery.replace):
        with pytest.raises(TemplateRefused) as refused:
            change("resident2", rows, MODEL)
        assert reason in str(refused.value)
        assert "'resident2'" in str(refused.value)
    assert (gallery.version, gallery.residents, gallery.templates) == (1, 1, 2)


@pytest.mark.parametrize("resident_id", ["", "x" * 129, "a\n", "a\x00", "\ud800", 7, None])
def test_bad_ids_are_refused(resident_id: str) -> None:
    gallery = filled()
    with pytest.raises(TemplateRefused, match="resident id"):
        gallery.replace(resident_id, GOOD, MODEL)
    assert gallery.version == 1


def test_another_model_is_refused() -> None:
    gallery = filled()
    with pytest.raises(ModelMismatch, match="'other'"):
        gallery.replace("resident", GOOD, "other")
    assert gallery.version == 1


def test_an_enrolled_id_cannot_be_added_again() -> None:
    gallery = filled()
    with pytest.raises(TemplateRefused, match="enrolled already"):
        gallery.add("resident", GOOD, MODEL)
    assert gallery.version == 1


def test_nearly_unit_rows_are_normalised_and_unit_rows_kept_bit_for_bit() -> None:
    gallery = LiveGallery(MODEL, DIM)
    gallery.add("rounded", GOOD * np.float32(1.015), MODEL)
    assert np.linalg.norm(gallery.snapshot.originals, axis=1) == pytest.approx(1.0, abs=1e-6)
    once = gallery.snapshot.originals.copy()
    gallery.replace("rounded", once, MODEL)
    assert np.array_equal(gallery.snapshot.originals[2:], once)


def test_the_caller_keeps_their_array() -> None:
    rows = GOOD * np.float32(1.01)
    before, gallery = rows.copy(), LiveGallery(MODEL, DIM)
    gallery.add("resident", rows, MODEL)
    assert np.array_equal(rows, before)
    rows[:] = 7
    assert np.abs(gallery.snapshot.originals).max() <= 1


def template(resident_id: str, row: np.ndarray, model_id: str = MODEL) -> Template:
    return Template(resident_id, row, model_id, datetime(2026, 1, 1, tzinfo=UTC))


def test_loading_is_all_or_nothing() -> None:
    gallery = filled()
    with pytest.raises(TemplateRefused):
        gallery.load([template("a", GOOD[0]), template("b", GOOD[0] * 9)])
    assert "resident" in gallery
    assert gallery.version == 1


def test_a_damaged_record_locks_nobody_else_out() -> None:
    refused: dict[str, FacegateError] = {}
    gallery = filled()
    gallery.load(
        [
            template("a", GOOD[0]),
            template("b", GOOD[0] * 9),
            template("c", GOOD[1], "old-model"),
            template("a", GOOD[1]),
        ],
        refused.__setitem__,
    )
    assert {name: type(error) for name, error in refused.items()} == {
        "b": TemplateRefused,
        "c": ModelMismatch,
    }
    assert (gallery.residents, gallery.templates) == (1, 2)


def test_loading_nothing_empties_the_gallery() -> None:
    gallery = filled()
    gallery.load([])
    assert (gallery.residents, gallery.templates, len(gallery.snapshot.owner)) == (0, 0, 0)


PROBES = {
    "NaN": (with_component(np.nan)[1], "norm nan"),
    "infinite": (with_component(np.inf)[1], "norm inf"),
    "zero": (np.zeros(DIM, np.float32), "norm 0"),
    "scaled": (GOOD[0] * 2, "norm 4"),
    "wrong dimension": (noise(RNG, DIM + 1), "(17,)"),
    "float64": (GOOD[0].astype(np.float64), "float64"),
    "a stack": (GOOD, "2, 16)"),
}


@pytest.mark.parametrize(("probe", "reason"), PROBES.values(), ids=PROBES)
def test_bad_probes_are_refused(probe: np.ndarray, reason: str) -> None:
    matcher = Matcher(filled(), point, forced("float32"))
    with pytest.raises(ProbeRefused) as refused:
        matcher.identify(probe)
    assert reason in str(refused.value)
    with pytest.raises(ProbeRefused):
        matcher.decide_batch(probe[None], 0.4, 0.05)


@settings(max_examples=150, deadline=None)
@given(
    resident_id=st.one_of(st.text(max_size=70), st.sampled_from(["resident", "new"])),
    model_id=st.sampled_from([MODEL, "other"]),
    rows=hnp.arrays(
        st.sampled_from([np.float32, np.float64, np.int64, np.float16]),
        hnp.array_shapes(min_dims=1, max_dims=3, max_side=DIM + 1) | st.just((1, DIM)),
    ),
)
def test_whatever_enters_is_a_unit_row(resident_id: str, model_id: str, rows: np.ndarray) -> None:
    gallery = filled()
    try:
        gallery.replace(resident_id, rows, model_id)
    except (TemplateRefused, ModelMismatch):
        assert gallery.version == 1
    held = gallery.snapshot.originals
    assert np.isfinite(held).all()
    assert np.abs(np.linalg.norm(held.astype(np.float64), axis=1) - 1).max() <= 2e-6
