"""YuNet's decoding on scripted outputs, and the real network on the demo photos."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from edge.errors import FrameRefused, ModelCorrupt
from edge.faces.detector import YuNet, load_detector
from edge.faces.manifest import load_manifest
from edge.faces.weights import checked
from tests.places import need_models

STRIDES = (8, 16, 32)
OUTPUTS = [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in STRIDES]


class ScriptedSession:
    """Answers with empty grids of the right size, and what was set in single cells."""

    def __init__(self, outputs: list[str] = OUTPUTS) -> None:
        self.outputs = outputs
        self.cells: dict[tuple[int, int, int], tuple[float, list[float], list[float]]] = {}
        self.shapes: list[tuple[int, ...]] = []

    def get_inputs(self):
        return [SimpleNamespace(name="input", shape=[1, 3, "height", "width"])]

    def get_outputs(self):
        return [SimpleNamespace(name=name, shape=[]) for name in self.outputs]

    def run(self, outputs, feed):
        blob = feed["input"]
        self.shapes.append(blob.shape)
        found = {}
        for stride in STRIDES:
            rows, columns = blob.shape[2] // stride, blob.shape[3] // stride
            for kind, width in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
                found[f"{kind}_{stride}"] = np.zeros((1, rows * columns, width), np.float32)
            for (at, row, column), (score, box, points) in self.cells.items():
                if at == stride:
                    cell = row * columns + column
                    found[f"cls_{stride}"][0, cell], found[f"obj_{stride}"][0, cell] = score, score
                    found[f"bbox_{stride}"][0, cell], found[f"kps_{stride}"][0, cell] = box, points
        return [found[name] for name in self.outputs]


def picture(width: int = 64, height: int = 64) -> np.ndarray:
    return np.zeros((height, width, 3), np.uint8)


def test_a_cell_is_decoded_in_units_of_its_stride() -> None:
    session = ScriptedSession()
    session.cells[16, 1, 2] = (0.9, [0.5, 0.25, np.log(2), np.log(3)], [0, 0, 1, 0, 0.5, 0.5, 0, 1, 1, 1])
    (face,) = YuNet(session).detect(picture())
    assert face.box.centre == pytest.approx((40, 20))
    assert (face.box.width, face.box.height) == pytest.approx((32, 48))
    assert face.landmarks.tolist() == [[32, 16], [48, 16], [40, 24], [32, 32], [48, 32]]
    assert face.score == pytest.approx(0.9)


def test_the_best_of_overlapping_faces_stays_and_the_best_comes_first() -> None:
    session = ScriptedSession()
    box, points = [0.0, 0.0, np.log(2), np.log(2)], [0.0] * 10
    session.cells |= {(8, 2, 2): (0.7, box, points), (8, 2, 3): (0.8, [-0.9, 0, *box[2:]], points)}
    session.cells[8, 6, 6] = (0.95, box, points)
    assert [round(face.score, 2) for face in YuNet(session).detect(picture())] == [0.95, 0.8]


@pytest.mark.parametrize("score", [0.59, float("nan")])
def test_a_low_or_unreadable_score_is_no_face(score: float) -> None:
    session = ScriptedSession()
    session.cells[8, 1, 1] = (score, [0.0] * 4, [0.0] * 10)
    assert YuNet(session).detect(picture()) == []


@pytest.mark.parametrize("box", [[np.nan, 0, 0, 0], [0, 0, 200, 0], [np.inf, 0, 0, 0]])
def test_a_box_that_is_not_finite_is_dropped(box: list[float]) -> None:
    session = ScriptedSession()
    session.cells[8, 1, 1] = (0.9, box, [0.0] * 10)
    assert YuNet(session).detect(picture()) == []


def test_sides_are_padded_to_the_coarsest_grid() -> None:
    session = ScriptedSession()
    YuNet(session).detect(picture(33, 1))
    assert session.shapes == [(1, 3, 32, 64)]


def test_a_huge_picture_is_reduced_and_the_faces_are_in_its_own_pixels() -> None:
    session = ScriptedSession()
    session.cells[32, 10, 10] = (0.9, [0.0, 0.0, 0.0, 0.0], [0.0] * 10)
    (face,) = YuNet(session).detect(picture(7680, 4320))
    assert max(session.shapes[0]) == 1280
    assert face.box.centre == pytest.approx((320 * 6, 320 * 6))


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((0, 10, 3), np.uint8),
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
        None,
    ],
)
def test_what_is_no_picture_is_refused(image) -> None:
    with pytest.raises(FrameRefused, match="not a picture"):
        YuNet(ScriptedSession()).detect(image)


def test_another_network_is_refused() -> None:
    with pytest.raises(ModelCorrupt, match="kps_8"):
        YuNet(ScriptedSession([name for name in OUTPUTS if name != "kps_8"]))


@pytest.mark.models
@pytest.mark.parametrize("name", ["obama", "biden", "astronaut"])
def test_the_real_network_finds_the_one_face_and_its_eyes(name: str) -> None:
    need_models("yunet", name)
    image = cv2.imread(str(checked(load_manifest().asset(name))))
    assert image is not None
    (face,) = load_detector().detect(image)
    right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks
    assert face.score > 0.9
    assert right_eye[0] < nose[0] < left_eye[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])


@pytest.mark.models
def test_the_real_network_sees_the_same_face_at_every_size() -> None:
    need_models("yunet", "obama")
    image = cv2.imread(str(checked(load_manifest().asset("obama"))))
    detector = load_detector()
    assert image is not None
    whole = detector.detect(image)[0]
    for scale in (0.8, 0.5, 0.25):
        small = detector.detect(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))[0]
        assert np.abs(small.landmarks / scale - whole.landmarks).max() < 0.1 * whole.interocular_px


@pytest.mark.models
def test_noise_of_any_size_gives_no_face_and_no_error() -> None:
    need_models("yunet")
    detector, random = load_detector(), np.random.default_rng(1)
    for height, width in ((1, 1), (1, 700), (31, 33), (480, 640)):
        assert detector.detect(random.integers(0, 256, (height, width, 3), dtype=np.uint8)) == []
