"""Galleries of folders: every file that was passed over is named, also the second time."""

from __future__ import annotations

import pytest

from edge.errors import EnrolmentRefused
from edge.replay.gallery import load_folders


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
