"""Evaluation reads what people label, counts every photo, and fits what it was made from."""

import tomllib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.bench.evaluate.calibrate import LEAST_PEOPLE, People, fit, table
from edge.bench.evaluate.images import Embedded, photos_in
from edge.bench.evaluate.labels import read_notes
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
        ("path,identity,role\nlfw/Ann/Ann_0001.jpg\n", "role ''"),
        ("path,identity,role\nlfw/Ann/Ann_0001.jpg,Ann,genuine_probe\n", "Ann, who is not enrolled"),
        (
            "path,identity,role\nlfw/Ann/Ann_0001.jpg,Ann,enrol\nlfw/Ann/Ann_0001.jpg,Ann,unknown_probe\n",
            "is a stranger's, and Ann is enrolled",
        ),
    ],
)
def test_a_wrong_protocol_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    photo(tmp_path / "lfw", "Ann", 1)
    file = tmp_path / "protocol.csv"
    file.write_text(text)
    with pytest.raises(EvaluationRefused, match=said):
        read_protocol(file, tmp_path)


def test_a_protocol_is_read_as_excel_saves_it(tmp_path: Path) -> None:
    photo(tmp_path / "lfw", "Ann", 1)
    file = tmp_path / "protocol.csv"
    file.write_bytes(b"\xef\xbb\xbfpath,identity,role\r\nlfw/Ann/Ann_0001.jpg,Ann,enrol\r\n")
    assert [one.identity for one in read_protocol(file, tmp_path)] == ["Ann"]


def test_a_list_in_another_encoding_is_refused_in_a_line(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes("path,identity,role\n王/1.jpg,王,enrol\n".encode("gb18030"))
    for read in (lambda: read_protocol(file, tmp_path), lambda: read_pairs(file, tmp_path)):
        with pytest.raises(EvaluationRefused, match="no text in UTF-8"):
            read()
    with pytest.raises(EvaluationRefused, match="no text in UTF-8"):
        read_notes(file)


def test_pairs_in_no_folds_are_one_fold(tmp_path: Path) -> None:
    file = tmp_path / "pairs.txt"
    file.write_text("10\t0\nAnn\t1\t2\n")
    assert [pair.fold for pair in read_pairs(file, tmp_path)] == [0]


def test_somebody_in_two_folders_is_one_person_with_the_photos_of_both(tmp_path: Path) -> None:
    for year in ("2024", "2025"):
        photo(tmp_path / year, "Ann", int(year))
    (tmp_path / "2025" / "Ann" / "._Ann_2025.jpg").write_bytes(b"left behind by macOS")
    (tmp_path / "2025" / "Ann" / "folder.jpg").mkdir()
    (tmp_path / "2025" / "Ann" / "scan.bmp").write_bytes(encoded(".bmp"))
    found = photos_in([tmp_path / "2024", tmp_path / "2025"])
    assert [path.name for path in found["Ann"]] == ["Ann_2024.jpg", "Ann_2025.jpg", "scan.bmp"]


def encoded(suffix: str) -> bytes:
    is_done, data = cv2.imencode(suffix, np.zeros((8, 8, 3), np.uint8))
    assert is_done
    return data.tobytes()


def test_a_calibration_is_printed_as_toml_whatever_the_folder_is_called() -> None:
    centre, calibration = fit(People.gather(crowd(300)), with_centre=False)
    calibration = replace(calibration, data='a "quoted" folder\\of 王')
    read = tomllib.loads(table(centre, calibration, "m"))["models"]["m"]["calibration"]
    assert read["data"] == calibration.data
    assert read["scale"] == calibration.scale


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
