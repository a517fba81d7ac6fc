"""Embeddings: always finite, always of unit length, never of a mixture of models."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import FrameRefused, InstallError, ModelCorrupt, ModelMissing
from edge.faces.align import align
from edge.faces.detector import load_detector
from edge.faces.embedder import OnnxEmbedder, load_embedder, unit
from edge.faces.manifest import load_manifest
from edge.faces.weights import checked
from tests.places import need_models
from tests.present import present

SFACE = replace(load_manifest().model("sface"), dim=4, centre=())
POINTS = np.array([(38, 52), (74, 52), (56, 72), (42, 92), (71, 92)], np.float32)
PICTURE = np.random.default_rng(3).integers(0, 256, (112, 112, 3), dtype=np.uint8)


class ScriptedSession:
    """Answers with one fixed row and keeps what it was fed."""

    def __init__(self, row) -> None:
        self.row = np.asarray([row], np.float32)
        self.fed: list[np.ndarray] = []

    def get_inputs(self):
        return [SimpleNamespace(name="data", shape=[1, 3, 112, 112])]

    def get_outputs(self):
        return [SimpleNamespace(name="fc1", shape=[1, self.row.shape[1]])]

    def run(self, outputs, feed):
        self.fed.append(feed["data"])
        return [self.row]


def test_the_network_is_fed_rgb_from_0_to_255_and_its_answer_is_made_unit() -> None:
    session = ScriptedSession([3, 0, 4, 0])
    chip = np.zeros((112, 112, 3), np.uint8)
    chip[..., 0] = 255  # blue
    assert OnnxEmbedder(session, SFACE).embed_aligned([chip])[0].tolist() == pytest.approx([0.6, 0, 0.8, 0])
    assert session.fed[0].shape == (1, 3, 112, 112)
    assert session.fed[0][0, :, 0, 0].tolist() == [0, 0, 255]


def test_a_centre_is_subtracted_between_two_normalisations() -> None:
    model = replace(SFACE, centre=(0.6, 0.0, 0.0, 0.0))
    found = OnnxEmbedder(ScriptedSession([3, 0, 4, 0]), model).embed_aligned([PICTURE])
    assert found[0].tolist() == pytest.approx([0, 0, 1, 0])


@pytest.mark.parametrize("row", [[0.0] * 4, [np.nan, 1, 1, 1], [np.inf, 1, 1, 1], [1e-30] * 4])
def test_an_answer_without_direction_is_refused_not_compared(row) -> None:
    with pytest.raises(FrameRefused, match="no usable embedding"):
        OnnxEmbedder(ScriptedSession(row), SFACE).embed(PICTURE, POINTS)


def test_an_embedding_that_equals_the_centre_is_refused() -> None:
    model = replace(SFACE, centre=(1.0, 0.0, 0.0, 0.0))
    with pytest.raises(FrameRefused):
        OnnxEmbedder(ScriptedSession([5, 0, 0, 0]), model).embed(PICTURE, POINTS)


@given(st.lists(st.floats(width=32), min_size=4, max_size=4))
def test_whatever_the_network_says_an_embedding_is_finite_and_unit_or_refused(row: list[float]) -> None:
    try:
        found = unit(np.array([row], np.float32))
    except FrameRefused:
        return
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)


def test_a_chip_of_another_size_is_refused() -> None:
    with pytest.raises(FrameRefused, match="112x112"):
        OnnxEmbedder(ScriptedSession([1, 0, 0, 0]), SFACE).embed_aligned([PICTURE[:100]])


def test_no_chips_give_no_embeddings() -> None:
    assert OnnxEmbedder(ScriptedSession([1, 0, 0, 0]), SFACE).embed_aligned([]).shape == (0, 4)


def test_a_network_of_another_length_is_refused() -> None:
    with pytest.raises(ModelCorrupt, match="5 numbers"):
        OnnxEmbedder(ScriptedSession([1] * 5), SFACE)


def test_what_changes_an_embedding_changes_the_model_id() -> None:
    ids = {
        SFACE.model_id,
        replace(SFACE, sha256="0" * 64, known_as="").model_id,
        replace(SFACE, aligner="dlib150").model_id,
        replace(SFACE, name="other").model_id,
        replace(SFACE, centre=(0.1, 0.0, 0.0, 0.0)).model_id,
        replace(SFACE, centre=(0.2, 0.0, 0.0, 0.0)).model_id,
    }
    assert len(ids) == 6


def test_a_file_that_gives_the_same_embeddings_keeps_the_earlier_id() -> None:
    earlier = replace(SFACE, known_as="")
    assert replace(earlier, sha256="0" * 64, known_as=earlier.sha256[:12]).model_id == earlier.model_id


def test_a_detector_is_not_an_embedder_and_an_unknown_name_is_none(tmp_path) -> None:
    with pytest.raises(ModelCorrupt, match="is a detector"):
        load_embedder("yunet", tmp_path)
    with pytest.raises(InstallError, match="sface, "):
        load_embedder("arcface", tmp_path)
    with pytest.raises(ModelMissing, match="facegate models install"):
        load_embedder("sface", tmp_path)


@pytest.fixture(scope="module")
def faces() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    names = ("obama", "obama2", "obama3", "biden", "astronaut")
    need_models("yunet", "sface", *names)
    detector, manifest = load_detector(), load_manifest()
    images = {name: present(cv2.imread(str(checked(manifest.asset(name))))) for name in names}
    return {name: (image, detector.detect(image)[0].landmarks) for name, image in images.items()}


@pytest.mark.models
def test_one_person_is_more_alike_than_two_by_a_wide_margin(faces) -> None:
    embedder = load_embedder()
    found = {name: embedder.embed(*face) for name, face in faces.items()}
    same = [found[a] @ found[b] for a, b in (("obama", "obama2"), ("obama", "obama3"), ("obama2", "obama3"))]
    other = [found[a] @ found[b] for a in ("obama", "obama2", "obama3") for b in ("biden", "astronaut")]
    assert min(same) > max(other) + 0.3


@pytest.mark.models
def test_an_embedding_does_not_depend_on_its_neighbours(faces) -> None:
    embedder = load_embedder()
    chips = [align(image, landmarks, embedder.aligner) for image, landmarks in faces.values()]
    together = embedder.embed_aligned(chips)
    alone = np.concatenate([embedder.embed_aligned([chip]) for chip in chips])
    assert np.array_equal(together, alone)


@pytest.mark.models
def test_several_threads_at_once_get_what_one_gets():
    """The panel's enrolment shares the embedder with the recognising thread."""
    need_models("sface")
    embedder = load_embedder("sface")
    pictures = [np.roll(PICTURE, 7 * n, axis=0) for n in range(6)]
    alone = [embedder.embed(picture, POINTS) for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda picture: embedder.embed(picture, POINTS), pictures * 5))

    assert all(np.array_equal(a, b) for a, b in zip(alone * 5, together, strict=True))


def test_who_asks_again_about_the_same_face_of_the_same_picture_gets_the_same_answer_for_nothing() -> None:
    session = ScriptedSession([3, 0, 4, 0])
    embedder = OnnxEmbedder(session, SFACE)
    first = embedder.embed(PICTURE, POINTS)
    assert embedder.embed(PICTURE, POINTS.copy()).tolist() == first.tolist()
    assert len(session.fed) == 1
    embedder.embed(PICTURE, POINTS + np.float32(0.5))
    embedder.embed(PICTURE.copy(), POINTS + np.float32(0.5))
    assert len(session.fed) == 3


@pytest.mark.parametrize(("row", "is_faint"), [([3, 0, 4, 0], False), ([3, 0, 3.9, 0], True)])
def test_the_length_of_an_embedding_says_how_much_the_network_found_in_a_face(row, is_faint) -> None:
    session = ScriptedSession(row)
    model = replace(SFACE, clear_norm=5.0, centre=(0.5, 0.0, 0.0, 0.0))
    embedder = OnnxEmbedder(session, model)
    probe = embedder.probe(PICTURE, POINTS)
    assert probe.feature_norm == pytest.approx(np.linalg.norm(row))
    assert probe.is_faint is is_faint
    assert probe.embedding.tolist() == embedder.embed_aligned([PICTURE])[0].tolist()
    assert embedder.probe(PICTURE, POINTS.copy()).feature_norm == probe.feature_norm
    assert len(session.fed) == 2
    assert "embedding" not in repr(probe)


def test_a_length_that_nobody_measured_says_nothing() -> None:
    probe = OnnxEmbedder(ScriptedSession([1, 0, 0, 0]), replace(SFACE, clear_norm=0.0)).probe(PICTURE, POINTS)
    assert (probe.feature_norm, probe.is_faint) == (None, False)


@pytest.mark.models
def test_much_is_found_in_a_portrait_and_little_in_one_out_of_focus(faces) -> None:
    embedder = load_embedder()
    for image, landmarks in faces.values():
        eyes = float(np.hypot(*(landmarks[1] - landmarks[0])))
        sharp = embedder.probe(image, landmarks)
        blurred = embedder.probe(cv2.GaussianBlur(image, (0, 0), 0.2 * eyes), landmarks)
        assert (sharp.is_faint, blurred.is_faint) == (False, True)
        assert present(blurred.feature_norm) < present(sharp.feature_norm)
