"""A picture that both recognition and liveness embed is embedded once, and the same face is compared."""

from __future__ import annotations

import numpy as np
import pytest

from edge.domain import Box, Face
from edge.faces.liveness.check import PassiveCheck
from tests.faces.liveness.nets import ANNA, CLEARLY, MALLORY, PHONE, TRUSTED, Visit, scene

SCREEN = (640, 480)


class Watched:
    """An embedder that remembers what it was shown: a whole picture, with landmarks, or a cut of one."""

    def __init__(self, embedder) -> None:
        self._embedder = embedder
        self.model_id = embedder.model_id
        self.whole: list[np.ndarray] = []
        self.cuts = 0

    def embed(self, image, landmarks):
        if image.shape[1::-1] == SCREEN:
            self.whole.append(landmarks)
        else:
            self.cuts += 1
        return self._embedder.embed(image, landmarks)


def closer_landmarks(face: Face) -> np.ndarray:
    return face.landmarks + np.float32(0.25)


def seen_closely(image, face):
    return Face(face.box, closer_landmarks(face), face.score)


def walk_up(closer, *actors):
    """Return the world and its embedder after these actors stood there, the last one until the end."""
    world = scene()
    watched = Watched(world.scene)
    check = PassiveCheck([world.eye], watched, demands=TRUSTED)
    check.closer = closer
    world.visit = Visit(check, world.scene)
    for actor, frames in actors:
        world.visit.show(actor, frames)
    return world, watched


def test_first_and_last_are_embedded_as_recognition_does_and_the_middle_from_its_witness():
    world, watched = walk_up(seen_closely, (ANNA, CLEARLY))

    assert world.visit.assess().passed
    assert (len(watched.whole), watched.cuts) == (2, 1)


def test_the_landmarks_are_those_of_the_close_look_of_that_very_frame():
    world, watched = walk_up(seen_closely, (ANNA, CLEARLY))

    last = world.scene.frame(world.visit.seq - 1, (ANNA, 250 + (world.visit.seq - 1) % 3, 120, 130))
    (face,) = world.scene.detect(last.image)
    assert np.array_equal(watched.whole[-1], closer_landmarks(face))


@pytest.mark.parametrize(
    "closer",
    [
        lambda image, face: None,
        lambda image, face: Face(Box(0, 0, 60, 60), face.landmarks, face.score),
    ],
    ids=["nobody", "somebody beside"],
)
def test_who_is_not_seen_closely_is_embedded_from_the_witness(closer):
    world, watched = walk_up(closer, (ANNA, CLEARLY))

    assert world.visit.assess().passed
    assert (len(watched.whole), watched.cuts) == (0, 3)


@pytest.mark.parametrize("exchanged", [1, 2, 3, 4, 5, 6])
def test_a_face_exchanged_on_the_way_does_not_pass_whenever_that_was(exchanged):
    world, _ = walk_up(seen_closely, (MALLORY, CLEARLY - exchanged), (ANNA, exchanged))

    verdict = world.visit.assess()

    assert verdict is None or not verdict.passed


@pytest.mark.parametrize("exchanged", [1, 2, 3])
def test_a_phone_held_up_at_the_end_does_not_pass(exchanged):
    world, _ = walk_up(seen_closely, (ANNA, CLEARLY - exchanged), (PHONE, exchanged))

    verdict = world.visit.assess()

    assert verdict is None or not verdict.passed
