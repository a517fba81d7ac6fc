"""Ten thousand damaged or odd frames: no exception leaves the loop and nobody is let in.

Each of them is decoded and checked; sixty of each kind go through the real networks and the door.
`FACEGATE_ODD_FRAMES_EACH=10000 pytest tests/replay/test_odd_frames.py` shows the door all of them.
"""

from __future__ import annotations

import os
from collections import Counter
from datetime import timedelta

import cv2
import numpy as np
import pytest

from edge.camera.check import validate_frame
from edge.camera.file import RECORDING_START
from edge.camera.image import decode_image
from edge.demo.story import enrol_resident, photo
from edge.domain import Frame, Verdict
from edge.enrol.shots import ShotTaker
from edge.errors import FrameRefused
from edge.replay.door import Recognition, ReplayDoor
from edge.service.recognition.recogniser import ErrorRate, build_matcher, open_models
from tests.places import need_models

pytestmark = [pytest.mark.models, pytest.mark.slow]
FRAMES = 10_000
SHOWN_OF_EACH_KIND = int(os.environ.get("FACEGATE_ODD_FRAMES_EACH", "60"))
ODD_SHAPES = [(1, 1, 3), (1, 640, 3), (480, 1, 3), (17, 33, 3), (480, 640), (480, 640, 1), (480, 640, 4)]


@pytest.fixture(scope="module")
def door() -> ReplayDoor:
    need_models("yunet", "sface", "obama", "obama2", "biden", "astronaut")
    models = open_models()
    residents = enrol_resident(ShotTaker(models.detector, models.embedder))
    matcher = build_matcher(models, ErrorRate(), residents)
    return ReplayDoor(Recognition(models.detector, models.embedder, matcher))


def odd_pictures(rng: np.random.Generator):
    """Strangers' pictures, damaged in every way that a camera or a cable has been seen to do it, by kind."""
    strangers = [cv2.resize(photo(name), (320, 240)) for name in ("biden", "astronaut")]
    whole = [cv2.imencode(".jpg", picture)[1].tobytes() for picture in strangers]
    for n in range(FRAMES):
        kind = n % 5
        if n % 2500 == 0:
            yield "8K", rng.integers(0, 256, (4320, 7680, 3), np.uint8)
        elif kind == 0:
            yield "truncated", truncated(whole[n % 2], rng)
        elif kind == 1:
            yield "flipped", flipped(whole[n % 2], rng)
        elif kind == 2:
            shape = ODD_SHAPES[n % len(ODD_SHAPES)]
            yield f"noise {shape}", rng.integers(0, 256, shape, np.uint8)
        elif kind == 3:
            yield "torn", torn(strangers[n % 2], rng)
        else:
            yield "one colour", np.full((240, 320, 3), n % 256, np.uint8)


def truncated(data: bytes, rng: np.random.Generator) -> bytes:
    return data[: rng.integers(1, len(data))]


def flipped(data: bytes, rng: np.random.Generator) -> bytes:
    damaged = bytearray(data)
    for at in rng.integers(0, len(data), 20):
        damaged[at] = rng.integers(256)
    return bytes(damaged)


def torn(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Half of one frame and half of something else, as a lost packet shows it."""
    mixed = picture.copy()
    row = rng.integers(1, 240)
    mixed[row:] = np.roll(picture, rng.integers(1, 320), axis=1)[row:]
    return mixed


def test_nothing_breaks_and_nobody_is_let_in(door):
    pictures: Counter[str] = Counter()
    for n, (kind, odd) in enumerate(odd_pictures(np.random.default_rng(11))):
        try:
            image = decode_image(odd) if isinstance(odd, bytes) else validate_frame(odd)
        except FrameRefused:
            continue
        assert image.dtype == np.uint8
        assert image.shape[2:] == (3,)
        pictures[kind] += 1
        if pictures[kind] > SHOWN_OF_EACH_KIND:
            continue
        frame = Frame(image, n, n / 15, RECORDING_START + timedelta(seconds=n / 15))
        outcomes = door.handle(frame)
        assert not [o for o in outcomes if o.decision.verdict is Verdict.GRANT]
    assert sum(pictures.values()) > FRAMES // 3
    assert set(pictures) >= {"8K", "flipped", "torn", "one colour", "noise (480, 640)", "noise (480, 640, 4)"}
    assert door.lock.history == ()
