"""Photos and clips under any name: what a file is follows from its bytes, and who is refused is named."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.enrol.files import shots_of, shown
from edge.enrol.shots import ShotTaker
from edge.replay.gallery import load_folders
from tests.fakes.scene import Actor, Scene, axis

ANNA = Actor(0, axis(0))


@pytest.fixture
def scene():
    return Scene([ANNA])


@pytest.fixture
def taker(scene):
    return ShotTaker(scene, scene)


@pytest.fixture
def jpeg(scene):
    _, data = cv2.imencode(".png", scene.frame(0, (ANNA, 260, 150, 120)).image)
    return data.tobytes()


@pytest.mark.parametrize("name", ["a.jpg", "a.jfif", "a.jpe", "a.JPEG", "a.mp4", "a.txt", "a", "照片.heic"])
def test_a_picture_is_one_whatever_it_is_called(tmp_path, taker, jpeg, name):
    (tmp_path / name).write_bytes(jpeg)
    assert len(shots_of(taker, tmp_path / name).shots) == 1


@pytest.mark.parametrize("data", [b"", bytes(5000)], ids=["empty", "zeros"])
def test_a_file_of_which_nothing_was_copied_is_told_so(tmp_path, taker, data):
    (tmp_path / "IMG_1.jpg").write_bytes(data)
    (refusal,) = shots_of(taker, tmp_path / "IMG_1.jpg").refused
    assert "IMG_1.jpg" in str(refusal)
    assert "This file is empty" in str(refusal)


def test_where_the_face_is_not_above_the_cut_the_refusal_says_that_there_is_one(tmp_path, taker):
    noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    data = cv2.imencode(".jpg", noise)[1].tobytes()
    for name, part in (("whole.jpg", data), ("cut.jpg", data[: len(data) // 2])):
        (tmp_path / name).write_bytes(part)
        (refusal,) = shots_of(taker, tmp_path / name).refused
        assert ("The end of this file is missing" in str(refusal)) == (name == "cut.jpg")


KINDS = [
    (b"GIF89a", "GIF"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"\x00\x00\x00\x18ftypheic", "HEIC"),
    (b"\x00\x00\x00\x18ftypheix", "HEIC"),
    (b"\x00\x00\x00\x18ftypmif1", "HEIC"),
    (b"\x00\x00\x00\x18ftypavif", "AVIF"),
    (b"\xff\x0a\x00", "JPEG XL"),
    (b"%PDF-1.7", "PDF"),
]


@pytest.mark.parametrize(("head", "kind"), KINDS)
def test_what_is_not_read_is_refused_by_name_with_the_way_out(tmp_path, taker, head, kind):
    (tmp_path / "IMG_1.jpg").write_bytes(head + bytes(40))
    (refusal,) = shots_of(taker, tmp_path / "IMG_1.jpg").refused
    assert "IMG_1.jpg" in str(refusal)
    assert kind in str(refusal)
    assert "save it as JPEG" in str(refusal)


@pytest.mark.parametrize("content", [b"", b"x", b"\xff\xd8\xff", b"not a picture" * 100])
def test_every_refusal_names_the_file(tmp_path, taker, content):
    (tmp_path / "broken.jpg").write_bytes(content)
    (refusal,) = shots_of(taker, tmp_path / "broken.jpg").refused
    assert "broken.jpg" in str(refusal)


def bytes_name(folder, name):
    return Path(os.fsdecode(os.fsencode(folder) + b"/" + name))


def test_names_that_are_no_utf_8_are_read_and_shown_escaped(tmp_path, taker, jpeg):
    good = bytes_name(tmp_path, "照片1.jpg".encode("gbk"))
    good.write_bytes(jpeg)
    assert len(shots_of(taker, good).shots) == 1
    bad = bytes_name(tmp_path, "空.jpg".encode("gbk"))
    bad.write_bytes(b"x")
    (refusal,) = shots_of(taker, bad).refused
    assert "\\xbf\\xd5.jpg" in str(refusal)
    str(refusal).encode()
    shown(bad).encode()


def test_a_gallery_takes_what_is_good_and_names_the_rest(tmp_path, taker, jpeg):
    gallery, cache = tmp_path / "g", tmp_path / "cache"
    for folder, name, content in (
        ("王五", "a.jfif", jpeg),
        ("only-heic", "IMG.HEIC", b"\x00\x00\x00\x18ftypheic"),
        ("zhang", "ok.jpg", jpeg),
    ):
        (gallery / folder).mkdir(parents=True)
        (gallery / folder / name).write_bytes(content)
    bytes_name(gallery / "zhang", "空.jpg".encode("gbk")).write_bytes(b"x")
    nameless = bytes_name(gallery, "张三".encode("gbk"))
    nameless.mkdir()
    (nameless / "a.jpg").write_bytes(jpeg)
    for _ in range(2):  # the second time from the cache
        found = load_folders([gallery], "scene", lambda: taker, cache)
        assert set(found.residents) == {"王五", "zhang"}
        told = "\n".join(found.refused)
        told.encode()
        for part in ("IMG.HEIC", "only-heic: nobody", "\\xbf\\xd5.jpg", "\\xd5\\xc5\\xc8\\xfd"):
            assert part in told
        assert not list(cache.glob("*.tmp"))
