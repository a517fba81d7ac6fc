"""One-to-one figures agree with slow references and count every pair."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.bench.evaluate.verification import auc, best_threshold, read_pairs, tar_at, verify
from edge.errors import EvaluationRefused
from tests.bench.photos import Album, photo, unit

if TYPE_CHECKING:
    from edge.bench.evaluate.images import PhotoEmbedder

# A coarse grid, so that ties happen.
SCORES = st.lists(st.integers(-10, 10).map(lambda step: step / 10), min_size=1, max_size=40)


@given(SCORES, SCORES)
def test_area_is_the_chance_that_a_genuine_pair_scores_higher(
    genuine: list[float], impostor: list[float]
) -> None:
    wins = [(g > i) + (g == i) / 2 for g in genuine for i in impostor]
    assert auc(np.array(genuine), np.array(impostor)) == pytest.approx(np.mean(wins))


@given(SCORES, SCORES, st.sampled_from([0.0001, 0.001, 0.1, 0.25, 0.5]))
def test_true_accept_rate_is_taken_where_no_more_impostors_pass_than_allowed(
    genuine: list[float], impostor: list[float], rate: float
) -> None:
    lines = [line for line in impostor if sum(i > line for i in impostor) <= rate * len(impostor)]
    wanted = np.mean([g > min(lines) for g in genuine])
    assert tar_at(np.array(genuine), np.array(impostor), rate) == pytest.approx(wanted, abs=1e-5)


def test_a_rate_too_small_for_the_pairs_is_measured_above_the_highest_impostor() -> None:
    genuine, impostor = np.array([0.9, 0.6, 0.4]), np.array([0.5, 0.4, 0.1, 0.0])
    assert tar_at(genuine, impostor, 1e-4) == pytest.approx(2 / 3, abs=1e-5)


@given(st.lists(st.tuples(st.integers(-10, 10), st.booleans()), min_size=1, max_size=40))
def test_no_other_threshold_tells_more_pairs_right(pairs: list[tuple[int, bool]]) -> None:
    scores = np.array([step / 10 for step, _ in pairs])
    same = np.array([kind for _, kind in pairs])

    def right(line: float) -> int:
        return int(((scores >= line) == same).sum())

    assert right(best_threshold(scores, same)) == max(right(step / 20 - 0.525) for step in range(-11, 33))


def ten_folds(images: Path) -> Path:
    lines = ["10\t1"]
    for fold in range(10):
        photo(images, f"P{fold}", 1)
        photo(images, f"P{fold}", 2)
        lines += [f"P{fold}\t1\t2", f"P{fold}\t1\tP{(fold + 1) % 10}\t2"]
    file = images / "pairs.txt"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_ten_folds_are_told_apart(tmp_path: Path) -> None:
    pairs = read_pairs(ten_folds(tmp_path), tmp_path)
    assert [pair.fold for pair in pairs] == [fold for fold in range(10) for _ in range(2)]
    assert [pair.is_same for pair in pairs] == [True, False] * 10


def test_a_clean_album_is_told_right_in_every_fold(tmp_path: Path) -> None:
    shown = {f"P{n}_{shot:04d}": unit(*np.eye(10)[n]) for n in range(10) for shot in (1, 2)}
    found = verify(read_pairs(ten_folds(tmp_path), tmp_path), cast("PhotoEmbedder", Album(**shown)))
    assert found == {
        "pairs": 20,
        "accuracy": 1.0,
        "accuracy_std": 0.0,
        "auc": 1.0,
        "tar": {"0.001": 1.0, "0.0001": 1.0},
        "failure_to_acquire": 0,
    }


def test_a_photo_without_a_face_is_counted_for_each_of_its_pairs(tmp_path: Path) -> None:
    shown = {f"P{n}_{shot:04d}": unit(*np.eye(10)[n]) for n in range(10) for shot in (1, 2)}
    del shown["P3_0001"]
    found = verify(read_pairs(ten_folds(tmp_path), tmp_path), cast("PhotoEmbedder", Album(**shown)))
    assert (found["pairs"], found["failure_to_acquire"]) == (20, 2)


@pytest.mark.parametrize("lines", ["Ann 1 2\n", "Ann 1 Bob 1\n", "Cyd 1 2\nCyd 1 Dan 1\n"])
def test_pairs_of_one_kind_say_nothing(tmp_path: Path, lines: str) -> None:
    for name in ("Ann", "Bob", "Cyd", "Dan"):
        photo(tmp_path, name, 1)
        photo(tmp_path, name, 2)
    file = tmp_path / "pairs.txt"
    file.write_text(lines)
    album = Album(Ann_0001=unit(1), Ann_0002=unit(1), Bob_0001=unit(0, 1))
    with pytest.raises(EvaluationRefused, match="are both needed"):
        verify(read_pairs(file, tmp_path), cast("PhotoEmbedder", album))


def test_a_photo_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = tmp_path / "pairs.txt"
    file.write_text("Eve 1 2\n")
    with pytest.raises(EvaluationRefused, match=r"Eve_0001\.jpg: the pair file names it"):
        verify(read_pairs(file, tmp_path), cast("PhotoEmbedder", Album()))


@pytest.mark.parametrize("line", ["Ann 1", "Ann x 2", "Ann 1 Bob", "Ann 1 Bob 2 3"])
def test_a_bad_line_is_quoted(tmp_path: Path, line: str) -> None:
    file = tmp_path / "pairs.txt"
    file.write_text(f"1\n{line}\n")
    with pytest.raises(EvaluationRefused, match=f"'{line}' is no pair"):
        read_pairs(file, tmp_path)
