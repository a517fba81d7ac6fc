"""Galleries of folders: every file that was passed over is named, also the second time."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
import pytest

from edge.domain import Quality
from edge.enrol.shots import Shot
from edge.errors import EnrolmentRefused
from edge.replay.gallery import load_folders

if TYPE_CHECKING:
    from edge.enrol.shots import ShotTaker


def nobody_looks():
    return None  # what is refused here is refused before a face is looked for


def test_one_broken_picture_of_two_people_is_named_for_each_with_and_without_the_cache(tmp_path):
    for person in ("anna", "王五"):
        (tmp_path / "g" / person).mkdir(parents=True)
        (tmp_path / "g" / person / f"{person}.gif").write_bytes(b"GIF89a" + bytes(40))
    for _ in range(2):
        with pytest.raises(EnrolmentRefused) as refused:
            load_folders([tmp_path / "g"], "model", nobody_looks, tmp_path / "cache")
        assert str(tmp_path / "g" / "anna" / "anna.gif") in str(refused.value)
        assert str(tmp_path / "g" / "王五" / "王五.gif") in str(refused.value)


def test_pictures_that_lie_beside_the_folders_are_named(tmp_path):
    """Who put 李伟.jpg where the folders belong was told that there are no pictures."""
    (tmp_path / "g").mkdir()
    picture = cv2.imencode(".jpg", np.zeros((64, 64, 3), np.uint8))[1].tobytes()
    for name in ("李伟.jpg", *(f"p{n}.jpg" for n in range(9)), ".hidden.jpg"):
        (tmp_path / "g" / name).write_bytes(picture)
    (tmp_path / "g" / "list.csv").write_text("id,name\n")
    with pytest.raises(EnrolmentRefused, match="folder that is named after its person") as refused:
        load_folders([tmp_path / "g"], "model", nobody_looks, None)
    assert "p0.jpg, p1.jpg" in str(refused.value)
    assert "hidden" not in str(refused.value)
    assert "list.csv" not in str(refused.value)


class Taker:
    """Takes the same shot of every picture and counts."""

    def __init__(self) -> None:
        self.taken = 0

    def from_image(self, _picture, source: str) -> Shot:
        self.taken += 1
        row = np.random.default_rng(3).normal(size=128)
        return Shot((row / np.linalg.norm(row)).astype(np.float32), Quality(60, 1, 2, 3, 4, 120), source)


@pytest.fixture
def gallery(tmp_path):
    (tmp_path / "g" / "anna").mkdir(parents=True)
    cv2.imwrite(str(tmp_path / "g" / "anna" / "a.png"), np.zeros((120, 160, 3), np.uint8))
    taker = Taker()

    def load() -> bytes:
        found = load_folders([tmp_path / "g"], "model", lambda: cast("ShotTaker", taker), tmp_path / "cache")
        return found.residents["anna"][0].tobytes()

    return load, taker, tmp_path / "cache"


def test_a_picture_is_looked_at_once_and_remembered_to_the_last_bit(gallery) -> None:
    load, taker, _ = gallery
    assert load() == load()
    assert taker.taken == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda kept: b"",
        lambda kept: kept[:-1],
        lambda kept: kept[:-8],
        lambda kept: kept[:100],
        lambda kept: kept.replace(b"<f8", b"<f4"),
        lambda kept: kept.replace(b"False", b"True "),
        lambda kept: kept.replace(b"(1, 134)", b"(1, 133)"),
        lambda kept: b"\x93NUMPY" + bytes(200),
    ],
)
def test_what_is_remembered_and_damaged_is_looked_at_again(gallery, damage) -> None:
    load, taker, cache = gallery
    first = load()
    (kept,) = cache.glob("*.npy")
    kept.write_bytes(damage(kept.read_bytes()))
    assert load() == first
    assert taker.taken == 2


def test_a_refusal_that_is_remembered_and_damaged_is_looked_at_again(tmp_path) -> None:
    (tmp_path / "g" / "anna").mkdir(parents=True)
    (tmp_path / "g" / "anna" / "anna.gif").write_bytes(b"GIF89a" + bytes(40))
    for _ in range(2):
        with pytest.raises(EnrolmentRefused, match=r"anna\.gif"):
            load_folders([tmp_path / "g"], "model", nobody_looks, tmp_path / "cache")
        (kept,) = (tmp_path / "cache").glob("*.txt")
        kept.write_bytes(b"\xff\xfe" + kept.read_bytes())
