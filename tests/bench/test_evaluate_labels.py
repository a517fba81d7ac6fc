"""Wrong names make people strangers to themselves: left out where known, noticed where not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from edge.bench.evaluate.calibrate import TAIL_RATE, People, fit
from edge.bench.evaluate.labels import LabelNotes, read_notes
from edge.errors import EvaluationRefused

if TYPE_CHECKING:
    from pathlib import Path


def test_the_second_of_a_pair_is_left_out_and_relatives_unless_they_are_wanted(tmp_path: Path) -> None:
    file = tmp_path / "notes.csv"
    file.write_text('identity_a,identity_b,note\nA,B,one person\nC,D,"relatives (twins)"\nB,E,mixed up\n')
    notes = read_notes(file)
    people = dict.fromkeys("ABCDE", 0)
    assert set(notes.cleaned(people, with_relatives=False)) == {"A", "C", "E"}
    assert set(notes.cleaned(people, with_relatives=True)) == {"A", "C", "D", "E"}
    assert set(LabelNotes().cleaned(people, with_relatives=False)) == set("ABCDE")


def test_a_file_without_the_columns_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "notes.csv"
    file.write_text("one,other\nA,B\n")
    with pytest.raises(EvaluationRefused, match="identity_a, identity_b, note"):
        read_notes(file)


def crowd(number: int, twice: int = 0) -> People:
    """People of one photo each, `twice` of whom are there again under another name."""
    rng = np.random.default_rng(3)
    owns = rng.standard_normal((number, 24))
    rows = np.concatenate([owns, owns[:twice] + 0.1 * rng.standard_normal((twice, 24))])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return People(rows, rows, np.arange(len(rows)), tuple(f"p{n:04d}" for n in range(len(rows))))


def test_a_dozen_of_people_under_two_names_does_not_move_the_tail() -> None:
    clean, mixed = crowd(900), crowd(900, twice=12)
    kept = [0.0] * 24
    _, without = fit(clean, with_centre=True, kept=kept)
    _, with_them = fit(mixed, with_centre=True, kept=kept)
    assert "12 pairs too alike" in with_them.data
    assert "pairs" not in without.data
    for rate in (1e-2, 1e-3):
        assert with_them.threshold(rate, 300) == pytest.approx(without.threshold(rate, 300), abs=0.012)


def test_a_kept_centre_is_kept_and_everybody_is_compared_with_everybody() -> None:
    people = crowd(600)
    centre, calibration = fit(people, with_centre=True, kept=[0.01] * 24)
    assert centre == [0.01] * 24
    assert calibration.pairs == 600 * 599 // 2
    assert calibration.knee is None  # too few people to tell a second slope
    scores = people.less(centre).references() @ people.less(centre).references().T
    above = (scores[~np.eye(600, dtype=bool)] >= calibration.above).mean()
    assert above == pytest.approx(TAIL_RATE, rel=0.05)
