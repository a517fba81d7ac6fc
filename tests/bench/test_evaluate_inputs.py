"""Evaluation reads what people label, counts every photo, and fits what it was made from."""

from pathlib import Path

import numpy as np
import pytest

from edge.bench.evaluate.calibrate import LEAST_PEOPLE, People, fit
from edge.bench.evaluate.images import Embedded
from edge.bench.evaluate.open_set import TrialRole, read_protocol
from edge.bench.evaluate.verification import auc, best_threshold, read_pairs, tar_at
from edge.errors import EvaluationRefused
from tests.bench.photos import photo


def crowd(people: int, seed: int = 0, offset: float = 0.3) -> dict[str, list[Embedded]]:
    """Two photos each of people whose embeddings share a common direction."""
    rng = np.random.default_rng(seed)
    common = np.zeros(64)
    common[0] = offset * 8

    def shot(own: np.ndarray) -> np.ndarray:
        row = own + common + 0.3 * rng.standard_normal(64)
        return np.asarray(row / np.linalg.norm(row), np.float32)

    owns = rng.standard_normal((people, 64))
    return {f"p{n:04d}": [Embedded(shot(own), shot(own)) for _ in range(2)] for n, own in enumerate(owns)}


def test_pairs_of_both_kinds_are_read_fold_by_fold(tmp_path: Path) -> None:
    file = tmp_path / "pairs.txt"
    file.write_text("2\t1\nAnn\t1\t2\nAnn\t1\tBob\t3\nBob\t1\t2\nBob\t2\tCyd\t1\n")
    pairs = read_pairs(file, tmp_path)
    assert [(pair.is_same, pair.fold) for pair in pairs] == [(True, 0), (False, 0), (True, 1), (False, 1)]
    assert pairs[1].other.name == "Bob_0003.jpg"


def test_a_line_that_is_no_pair_is_named(tmp_path: Path) -> None:
    file = tmp_path / "pairs.txt"
    file.write_text("1\nAnn one two\n")
    with pytest.raises(EvaluationRefused, match="'Ann one two' is no pair"):
        read_pairs(file, tmp_path)


@pytest.mark.parametrize("inside", [True, False])
def test_protocol_paths_may_start_at_the_folder_or_above_it(tmp_path: Path, inside: bool) -> None:
    wanted = photo(tmp_path / "lfw", "Ann", 1)
    file = tmp_path / "protocol.csv"
    file.write_text("path,identity,role\nlfw/Ann/Ann_0001.jpg,Ann,enrol\n")
    (row,) = read_protocol(file, tmp_path / "lfw" if inside else tmp_path)
    assert (row.path, row.identity, row.role) == (wanted, "Ann", TrialRole.ENROL)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,identity\nlfw/Ann/Ann_0001.jpg,Ann\n", "needs rows with the columns"),
        ("", "needs rows with the columns"),
        ("path,identity,role\nlfw/Ann/Ann_0001.jpg,Ann,guest\n", "role 'guest'.*use enrol"),
        ("path,identity,role\nlfw/Bob/Bob_0001.jpg,Bob,enrol\n", "Bob_0001.jpg is not under"),
    ],
)
def test_a_wrong_protocol_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    photo(tmp_path / "lfw", "Ann", 1)
    file = tmp_path / "protocol.csv"
    file.write_text(text)
    with pytest.raises(EvaluationRefused, match=said):
        read_protocol(file, tmp_path)


def test_area_and_true_accept_rate_by_hand() -> None:
    genuine, impostor = np.array([0.9, 0.6, 0.4]), np.array([0.5, 0.4, 0.1, 0.0])
    assert auc(genuine, impostor) == pytest.approx((4 + 4 + 2.5) / 12)
    assert tar_at(genuine, impostor, 0.25) == pytest.approx(2 / 3, abs=1e-5)


def test_the_best_threshold_lies_between_the_kinds() -> None:
    scores, same = np.array([0.1, 0.2, 0.6, 0.8]), np.array([False, False, True, True])
    assert best_threshold(scores, same) == pytest.approx(0.4)


def test_the_fit_finds_the_common_direction_and_the_strangers_tail() -> None:
    centre, calibration = fit(People.gather(crowd(300)), with_centre=True)
    assert centre[0] > 0.2
    assert max(abs(value) for value in centre[1:]) < 0.1
    plain = fit(People.gather(crowd(300)), with_centre=False)[1]
    assert calibration.above < plain.above  # strangers look less alike without what all share
    assert calibration.scale_beyond >= calibration.scale
    assert (calibration.people, calibration.pairs) == (300, 150 * 149)


def test_the_stated_rate_holds_on_people_it_was_not_fitted_to() -> None:
    centre, calibration = fit(People.gather(crowd(300)), with_centre=True)
    others = People.gather(crowd(300, seed=7))
    rows = others.probes - np.array(centre)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    first = rows[::2]
    scores = (first @ first.T)[~np.eye(len(first), dtype=bool)]
    fpir, templates = 0.02, 100
    realised = np.mean(scores >= calibration.threshold(fpir, templates)) * templates
    assert realised <= 2 * fpir


def test_too_few_people_are_refused() -> None:
    with pytest.raises(EvaluationRefused, match=f"{LEAST_PEOPLE} are needed"):
        People.gather(crowd(LEAST_PEOPLE - 1))
