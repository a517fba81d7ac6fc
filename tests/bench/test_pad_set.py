"""What counts as a presentation, in each of the layouts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.bench.pad.set import load_presentations
from edge.errors import EvaluationRefused

if TYPE_CHECKING:
    from pathlib import Path


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


class TestLayouts:
    def test_species_person_clip(self, tmp_path):
        for name in ("phone/07/b.avi", "live/07/a.avi", "phone/07/readme.txt", "phone/stray.avi"):
            touch(tmp_path / name)

        found = load_presentations(tmp_path)

        assert [(one.species, one.person, one.path.name) for one in found] == [
            ("live", "07", "a.avi"),
            ("phone", "07", "b.avi"),
        ]
        assert [one.is_attack for one in found] == [False, True]

    def test_a_list_with_parts_of_clips(self, tmp_path):
        touch(tmp_path / "x.mp4")
        (tmp_path / "presentations.csv").write_text("path,person,species,start,end\nx.mp4,zub,phone,2.0,\n")

        (one,) = load_presentations(tmp_path)

        assert (one.person, one.species, one.start, one.end) == ("zub", "phone", 2.0, float("inf"))

    def test_a_list_given_by_name_goes_before_what_lies_there(self, tmp_path):
        touch(tmp_path / "x.mp4")
        touch(tmp_path / "live/1/y.mp4")
        listing = tmp_path / "mine.csv"
        listing.write_text("path,person,species\nx.mp4,1,print\n")

        assert [one.path.name for one in load_presentations(tmp_path, listing)] == ["x.mp4"]

    def test_an_index_gives_clips_of_one_person_each(self, tmp_path):
        (tmp_path / "index.csv").write_text(
            "path,kind,identity,label\n"
            "a.mp4,video,ann,live\nb.mp4,video,ann,replay\nc.mp4,video,ann;bob,live\nd.mp4,video,none,live\ne.jpg,photo,ann,\n"
        )

        found = load_presentations(tmp_path)

        assert [(one.path.name, one.species) for one in found] == [("a.mp4", "live"), ("b.mp4", "replay")]

    def test_an_index_of_something_else_is_no_list(self, tmp_path):
        (tmp_path / "index.csv").write_text("path,label\na.mp4,live\n")
        touch(tmp_path / "phone/07/b.avi")

        assert [one.path.name for one in load_presentations(tmp_path)] == ["b.avi"]


class TestMistakes:
    def test_an_empty_folder_says_what_to_do(self, tmp_path):
        with pytest.raises(EvaluationRefused, match="facegate pad record"):
            load_presentations(tmp_path)

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("path,person\nx.mp4,1\n", "columns"),
            ("path,person,species,start\nx.mp4,1,phone,soon\n", "columns"),
            ("path,person,species\ngone.mp4,1,phone\n", "not there"),
            ("path,person,species\nx.mp4,1\n", "no person, or no species"),
            ("path,person,species,start,end\nx.mp4,1,phone,nan,5\n", "no part of a clip"),
            ("path,person,species,start,end\nx.mp4,1,phone,5,5\n", "no part of a clip"),
        ],
    )
    def test_a_wrong_list_names_the_mistake(self, tmp_path, text, says):
        touch(tmp_path / "x.mp4")
        (tmp_path / "presentations.csv").write_text(text)

        with pytest.raises(EvaluationRefused, match=says):
            load_presentations(tmp_path)

    def test_a_list_that_is_not_there_is_an_error(self, tmp_path):
        with pytest.raises(EvaluationRefused, match="cannot be read"):
            load_presentations(tmp_path, tmp_path / "no.csv")
