"""The converted network against dlib itself: descriptors recorded on the demo photos."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.faces.detector import load_detector
from edge.faces.embedder import OnnxEmbedder
from edge.faces.manifest import load_manifest
from edge.faces.weights import checked, open_session
from tests.places import need_models

PHOTOS = ("obama", "obama2", "obama3", "biden", "astronaut")
pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def found() -> dict[str, np.ndarray]:
    need_models("yunet", "dlib-resnet", *PHOTOS)
    detector = load_detector()
    network = replace(load_manifest().model("dlib-resnet"), centre=())  # what dlib computes has none
    embedder = OnnxEmbedder(open_session(checked(network)), network)
    rows = {}
    for name in PHOTOS:
        image = cv2.imread(str(checked(load_manifest().asset(name))))
        assert image is not None
        rows[name] = embedder.embed(image, detector.detect(image)[0].landmarks)
    return rows


@pytest.fixture(scope="module")
def recorded() -> dict[str, dict[str, list[float]]]:
    return json.loads(Path(__file__).with_name("dlib_reference.json").read_text())


def cosine(one: np.ndarray, recorded: list[float]) -> float:
    other = np.asarray(recorded)
    return float(one @ other / np.linalg.norm(other))


@pytest.mark.parametrize("name", PHOTOS)
def test_the_converted_network_computes_what_dlib_computes(name, found, recorded) -> None:
    assert cosine(found[name], recorded["chips"][name]) >= 0.9999


@pytest.mark.parametrize("name", PHOTOS)
def test_an_encoding_made_by_dlib_alone_is_close_to_ours_of_the_same_photo(name, found, recorded) -> None:
    assert cosine(found[name], recorded["native"][name]) >= 0.96


def test_one_person_is_more_alike_than_two(found) -> None:
    assert found["obama"] @ found["obama2"] > 0.93 > found["obama"] @ found["biden"]
