"""Which way up a face is: told for every picture, and no turned face is a reference or a probe."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.domain import Box, Face, Frame
from edge.enrol.shots import ShotTaker
from edge.errors import EnrolmentRefused
from edge.faces.detector import load_detector
from edge.faces.embedder import load_embedder
from edge.faces.looking import TURNS, Looker
from tests.fakes.scene import FRONTAL, START
from tests.places import need_models, shared_data
from tests.present import present


class Partial:
    """Finds one face in any picture; scores it by where the picture's bright edge is."""

    def __init__(self, upright: float, turned: float):
        self.upright, self.turned = upright, turned

    def detect(self, image):
        height, width = image.shape[:2]
        is_upright = image[: height // 4].mean() > image[-height // 4 :].mean() + 10
        box = Box(width * 0.25, height * 0.2, width * 0.75, height * 0.8)
        landmarks = (FRONTAL * (box.width, box.height) + (box.left, box.top)).astype(np.float32)
        return [Face(box, landmarks, self.upright if is_upright else self.turned)]


def picture() -> np.ndarray:
    """Bright at the top: upright."""
    image = np.full((480, 640, 3), 60, np.uint8)
    image[:240] = 200
    return image


def turned_by(image: np.ndarray, degrees: int) -> np.ndarray:
    return np.ascontiguousarray(cv2.rotate(image, TURNS[degrees]))


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_turned_picture_is_told_from_an_upright_one(degrees):
    looker = Looker(Partial(0.88, 0.7), 20.0)
    image = turned_by(picture(), degrees)
    assert looker.turn_of(image, present(looker.close_up(image, looker.glance(image)[0]))) == 360 - degrees


def test_an_upright_picture_needs_no_turn_nor_does_one_where_nothing_is_better():
    for detector in (Partial(0.88, 0.7), Partial(0.7, 0.7), Partial(0.95, 0.97)):
        looker = Looker(detector, 20.0)
        image = picture()
        assert looker.turn_of(image, present(looker.close_up(image, looker.glance(image)[0]))) == 0


class TestPhotographs:
    """Of people, by the models themselves."""

    @pytest.fixture
    def photos(self) -> list[np.ndarray]:
        need_models()
        people = sorted(shared_data("lfw").iterdir())[5:300:25]
        return [present(cv2.imread(str(min(person.iterdir())))) for person in people]

    @pytest.fixture
    def taker(self) -> ShotTaker:
        need_models()
        return ShotTaker(load_detector(), load_embedder("sface"))

    @pytest.mark.parametrize("degrees", [90, 180, 270])
    def test_a_turned_photo_gives_the_reference_of_the_upright_one(self, photos, taker, degrees):
        same = []
        for number, photo in enumerate(photos):
            try:
                upright = taker.from_image(photo, f"{number}.jpg")
            except EnrolmentRefused:
                continue
            turned = taker.from_image(turned_by(photo, degrees), f"{number}-turned.jpg")
            same.append(float(upright.embedding @ turned.embedding))
        assert len(same) >= 8
        assert min(same) > 0.95

    def test_a_clip_that_stands_on_its_head_is_refused_with_the_way_out(self, photos, taker):
        frames = [Frame(turned_by(photos[0], 180), n, n / 5, START) for n in range(5)]
        with pytest.raises(EnrolmentRefused, match=r"not upright.*camera\.rotate"):
            taker.from_clip(frames, "clip.mp4")
