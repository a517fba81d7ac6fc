"""The open-set run counts everybody: let in, missed, taken for another, without a face, sent away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edge.bench.evaluate.enrolment import AsTheyAre
from edge.bench.evaluate.open_set import Enrolled, Photo, TrialRole, enrol, identify
from edge.errors import EnrolmentRefused, EvaluationRefused
from edge.matcher.calibration import Calibration
from edge.service.recognition.recogniser import ErrorRate, Models
from tests.bench.photos import Album, photo, unit

if TYPE_CHECKING:
    from pathlib import Path

    from edge.domain import Embedding

CALIBRATION = Calibration("made up", 100, 4950, 9900, 0.35, 3e-4, 0.03, 0.04, 1.2, 0.05)


class Embedder:
    model_id = "made-up"
    dim = 128


MODELS = Models(None, Embedder(), CALIBRATION)  # type: ignore[arg-type]


class Strict:
    """Sends away the photos it was told to."""

    def __init__(self, album: Album, *bad: str) -> None:
        self._plain, self._bad = AsTheyAre(album.embed), bad

    def reference(self, path: Path) -> Embedding | None:
        if path.stem in self._bad:
            raise EnrolmentRefused(f"{path.name}: too blurred")
        return self._plain.reference(path)


def protocol(images: Path) -> list[Photo]:
    rows = [
        ("Ann", 1, TrialRole.ENROL),
        ("Bob", 1, TrialRole.ENROL),
        ("Cyd", 1, TrialRole.ENROL),
        ("Ann", 2, TrialRole.GENUINE),
        ("Bob", 2, TrialRole.GENUINE),
        ("Cyd", 2, TrialRole.GENUINE),
        ("Dan", 1, TrialRole.UNKNOWN),
        ("Eve", 1, TrialRole.UNKNOWN),
    ]
    return [Photo(photo(images, who, number), who, role) for who, number, role in rows]


def album() -> Album:
    return Album(
        Ann_0001=unit(1, 0, 0),
        Bob_0001=unit(0, 1, 0),
        Cyd_0001=unit(0, 0, 1),
        Ann_0002=unit(1, 0.1, 0),  # himself
        Bob_0002=unit(1, 0.2, 0),  # looks like Ann
        # Cyd_0002 shows no face
        Dan_0001=unit(0.1, 0, 1),  # a stranger who looks like Cyd
        Eve_0001=unit(0, 0, 0, 1),
    )


def run(images: Path, enroller: Any) -> dict[str, Any]:
    photos = protocol(images)
    return identify(photos, enrol(photos, enroller), album(), MODELS, ErrorRate(0.01))  # type: ignore[arg-type]


def test_every_outcome_is_counted_once(tmp_path: Path) -> None:
    found = run(tmp_path, AsTheyAre(album().embed))
    assert (found["enrolled"], found["enrolment_refused"]) == (3, 0)
    assert (found["unknown_probes"], found["false_accepts"], found["fpir"]) == (2, 1, 0.5)
    # Bob was taken for Ann, Cyd's probe shows no face: both are missed, one of them is a wrong name.
    assert (found["genuine_probes"], found["misses"], found["wrong_identity"]) == (3, 2, 1)
    assert found["failure_to_acquire"] == 1


def test_errors_of_nobody_are_no_rate(tmp_path: Path) -> None:
    photos = [one for one in protocol(tmp_path) if one.role is TrialRole.ENROL]
    found = identify(photos, enrol(photos, AsTheyAre(album().embed)), album(), MODELS, ErrorRate(0.01))  # type: ignore[arg-type]
    assert (found["fpir"], found["fnir"], found["first_look"]["fnir"]) == (None, None, None)


def test_who_was_sent_away_is_counted_and_not_tried(tmp_path: Path) -> None:
    found = run(tmp_path, Strict(album(), "Cyd_0001"))
    assert (found["enrolled"], found["enrolment_refused"]) == (2, 1)
    assert found["genuine_probes"] == 2
    assert found["false_accepts"] == 0  # whoever looks like Cyd looks like nobody now


def test_a_person_with_one_good_photo_was_not_sent_away(tmp_path: Path) -> None:
    photos = [*protocol(tmp_path), Photo(photo(tmp_path, "Ann", 3), "Ann", TrialRole.ENROL)]
    found = enrol(photos, Strict(album(), "Ann_0003"))
    assert isinstance(found, Enrolled)
    assert found.refused == frozenset()
    assert np.allclose(found.rows["Ann"][0], unit(1, 0, 0))


def test_an_enrolment_photo_without_a_face_is_a_failure_to_acquire(tmp_path: Path) -> None:
    photos = protocol(tmp_path)
    seen = album()
    del seen.shown["Bob_0001"]
    found = enrol(photos, AsTheyAre(seen.embed))
    assert (sorted(found.rows), found.unacquired) == (["Ann", "Cyd"], 1)


def test_a_gallery_of_nobody_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvaluationRefused, match="nobody could be enrolled"):
        enrol(protocol(tmp_path), AsTheyAre(Album().embed))
