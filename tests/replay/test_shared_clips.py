"""Recorded people walk up: the enrolled are let in by name, nobody else is, at the default setting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from edge.domain import Verdict
from edge.enrol.shots import ShotTaker
from edge.replay.door import Recognition, replay_clip
from edge.replay.gallery import default_cache, load_folders
from edge.service.recognition.recogniser import ErrorRate, build_matcher, open_models
from tests.places import need_models, shared_data

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.models, pytest.mark.shared, pytest.mark.slow]
PADDING = 150

ENROLLED_FROM = {
    "asl_A": "video/asl_A/asl_A_brother.mkv",
    "asl_B": "video/asl_B/asl_B_bird.mkv",
    "intel_w1": "video/intel_headpose_female.mp4",
    "lin_manuel_miranda": "photos/lin_manuel_miranda",
}
CLIPS = [
    ("video/asl_A/asl_A_again.mkv", {"asl_A"}),
    ("video/asl_A/asl_A_help.mkv", {"asl_A"}),
    ("video/asl_A/asl_A_no.mkv", {"asl_A"}),
    ("video/asl_A/asl_A_student.mkv", {"asl_A"}),
    ("video/asl_A/asl_A_yes.mkv", {"asl_A"}),
    ("video/asl_B/asl_B_milk.mkv", {"asl_B"}),
    ("video/asl_B/asl_B_please.mkv", {"asl_B"}),
    ("video/asl_B/asl_B_sorry.mkv", {"asl_B"}),
    ("video/asl_B/asl_B_thanks.mkv", {"asl_B"}),
    ("video/intel_walking_and_pause.mp4", {"intel_w1"}),
    ("video/hamilton_short.mp4", {"lin_manuel_miranda"}),
    ("video/intel_headpose_male.mp4", set()),
    ("video/lp_d9.mp4", set()),
    ("video/zub_live.mov", set()),
]


@pytest.fixture(scope="module")
def models():
    need_models()
    shared_data("index.csv")
    return open_models()


@pytest.fixture(scope="module")
def gallery(models, tmp_path_factory) -> Path:
    """Folders of links: the four who are enrolled, and LFW people to fill the house."""
    root = tmp_path_factory.mktemp("gallery")
    for name, source in ENROLLED_FROM.items():
        (root / name).mkdir()
        path = shared_data(source)
        for picture in [path] if path.is_file() else sorted(path.iterdir()):
            (root / name / picture.name).symlink_to(picture)
    for person in sorted(shared_data("lfw").iterdir())[:PADDING]:
        (root / person.name).mkdir()
        picture = min(person.iterdir())
        (root / person.name / picture.name).symlink_to(picture)
    return root


def grants(models, gallery: Path, clip: str, *, without: tuple[str, ...] = ()) -> set[str | None]:
    folders = load_folders(
        [gallery],
        models.embedder.model_id,
        lambda: ShotTaker(models.detector, models.embedder),
        default_cache(),
    )
    residents = {name: rows for name, rows in folders.residents.items() if name not in without}
    matcher = build_matcher(models, ErrorRate(), residents)
    recognition = Recognition(models.detector, models.embedder, matcher)
    _, decisions = replay_clip(shared_data(clip), recognition, lambda _: None)
    return {d.resident_id for d in decisions if d.verdict is Verdict.GRANT}


@pytest.mark.parametrize(("clip", "expected"), CLIPS)
def test_the_enrolled_are_let_in_and_nobody_else(models, gallery, clip, expected):
    assert grants(models, gallery, clip) == expected


@pytest.mark.parametrize("clip", [clip for clip, who in CLIPS if who & {"asl_A", "asl_B"}])
def test_who_is_not_enrolled_stays_outside_and_is_not_taken_for_another(models, gallery, clip):
    assert grants(models, gallery, clip, without=("asl_A", "asl_B")) == set()
