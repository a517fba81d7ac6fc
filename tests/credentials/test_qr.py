"""A pass is drawn, held before a camera at an angle and in bad light, read, and verified."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
import pytest
import segno
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.credentials.qr import ALONE, HINTS, LOOK_EVERY_SECONDS, QrReader
from edge.domain import Frame
from edge.policy.passes import Pass, door_marks, is_like_a_pass, issue, read_pass

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
PASS = Pass(b"abcdefgh", "anna", NOON, NOON + timedelta(hours=4), 1, door_marks=door_marks(["gate"]))
TEXT = issue(PASS, KEY.private_bytes_raw())


def drawn(text: str, module_px: int = 8):
    matrix = np.array([list(row) for row in segno.make(text, error="l", boost_error=False).matrix], np.uint8)
    bordered = np.pad(1 - matrix, 4, constant_values=1) * 255
    return cv2.cvtColor(np.kron(bordered, np.ones((module_px, module_px), np.uint8)), cv2.COLOR_GRAY2BGR)


def held(
    code, *, tilt: float = 0.0, size: int = 380, brightness: float = 1.0, noise: float = 4.0, seed: int = 1
):
    """Return a 1280x720 frame of a phone showing `code`, tilted, dim and noisy."""
    scene = np.full((720, 1280, 3), 90, np.uint8)
    side = code.shape[0]
    shrink = tilt * size / 2
    square = np.array([[0, 0], [size, shrink], [size, size - shrink], [0, size]], np.float32)
    corners = square + np.array([430, 170], np.float32)
    warp = cv2.getPerspectiveTransform(
        np.array([[0, 0], [side, 0], [side, side], [0, side]], np.float32), corners
    )
    cv2.warpPerspective(code, warp, (1280, 720), scene, cv2.INTER_AREA, cv2.BORDER_TRANSPARENT)
    grain = np.random.default_rng(seed).normal(0, noise, scene.shape)
    return np.clip(scene * brightness + grain, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    "scene",
    [
        {},
        {"tilt": 0.15},
        {"size": 300},
        {"brightness": 0.35},
        {"noise": 12.0},
        {"tilt": 0.1, "size": 340, "brightness": 0.6, "noise": 8.0},
    ],
)
def test_a_pass_shown_to_the_camera_is_read_and_verified(scene):
    text = QrReader().decode(held(drawn(TEXT), **scene))
    assert text is not None
    assert read_pass(text, [KEY.public_key().public_bytes_raw()]) == PASS


def test_faces_walls_and_noise_are_no_code():
    reader = QrReader()
    rng = np.random.default_rng(7)
    assert reader.decode(np.full((720, 1280, 3), 90, np.uint8)) is None
    for _ in range(5):
        assert reader.decode(rng.integers(0, 256, (240, 320, 3), np.uint8)) is None


def test_damaged_codes_never_raise():
    rng = np.random.default_rng(11)
    code, reader = held(drawn(TEXT), size=300), QrReader()
    for _ in range(15):
        image = code.copy()
        for x, y, w, h in rng.integers(0, 300, (4, 4)):
            image[170 + y : 170 + y + h, 430 + x : 430 + x + w] = rng.integers(0, 256, 3)
        text = reader.decode(image)
        assert text is None or text == TEXT


def test_a_long_code_of_somebody_else_is_ignored():
    assert QrReader().decode(held(drawn("x" * 600, 4), size=700)) is None


def test_it_looks_a_few_times_a_second():
    reader, image = QrReader(lambda: 0.0), held(drawn(TEXT))
    answers = [reader.read(Frame(image, n, n * LOOK_EVERY_SECONDS / 4, NOON)) for n in range(9)]
    assert [answer is not None for answer in answers] == [True, False, False, False] * 2 + [True]


def test_dear_looks_are_made_more_seldom():
    times = iter(range(100))  # by this clock every look takes a second
    reader, image = QrReader(lambda: float(next(times))), held(drawn(TEXT))
    answers = [reader.read(Frame(image, n, float(n), NOON)) for n in range(9)]
    assert [place for place, answer in enumerate(answers) if answer] == [0, 4, 8]


@pytest.mark.parametrize("size", [300, 340, 380])
def test_a_pass_on_a_phone_in_dark_mode_is_read_as_often(size):
    read = sum(QrReader().decode(held(255 - drawn(TEXT), size=size, seed=seed)) == TEXT for seed in range(6))
    assert read >= 5


@pytest.mark.parametrize("is_dark", [False, True])
def test_a_pass_that_stands_perfectly_still_is_read(is_dark):
    """One picture, over and over: what the first look misses the same look misses for ever."""
    unread = []
    for size in range(230, 390, 20):
        code = drawn(TEXT)
        image, reader = held(255 - code if is_dark else code, size=size, seed=size), QrReader(lambda: 0.0)
        if reader.decode(image) != TEXT:
            continue
        turns = range(len(ALONE) * len(HINTS))
        looks = (reader.read(Frame(image, n, n * LOOK_EVERY_SECONDS, NOON)) for n in turns)
        if TEXT not in looks:
            unread.append(size)
    assert unread == []


def test_looks_take_turns_between_dark_and_light_until_one_is_read():
    reader, image = QrReader(lambda: 0.0), held(255 - drawn(TEXT))
    seen = [reader.read(Frame(image, n, n * LOOK_EVERY_SECONDS, NOON)) for n in range(5)]
    assert seen == [None, TEXT, TEXT, TEXT, TEXT]


def hall(code, poster=None, side=150):
    """Return a 640x480 frame of a phone showing `code` (None: nobody) and a poster with a code."""
    scene = np.full((480, 640, 3), 110, np.uint8)
    if poster is not None:
        scene[20 : 20 + side, 20 : 20 + side] = cv2.resize(poster, (side, side), interpolation=cv2.INTER_AREA)
    if code is not None:
        scene[90:390, 230:530] = cv2.resize(code, (300, 300), interpolation=cv2.INTER_AREA)
    grain = np.random.default_rng(3).normal(0, 4, scene.shape)
    return np.clip(scene + grain, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("side", [150, 180])
def test_a_poster_with_a_code_keeps_no_pass_from_being_read(side, dark):
    """OpenCV took the corners of both for one code; and what it read of the poster ended the search."""
    poster = drawn("https://example.org/notices/2026")
    reader = QrReader(lambda: 0.0, is_like_a_pass)
    for n in range(8):  # nobody is there
        read = reader.read(Frame(hall(None, poster, side), n, float(n), NOON))
        assert read in (None, "https://example.org/notices/2026")
    shown = hall(255 - drawn(TEXT) if dark else drawn(TEXT), poster, side)
    seen = [reader.read(Frame(shown, n, 100 + n * LOOK_EVERY_SECONDS, NOON)) for n in range(30)]
    assert TEXT in seen[:24], "within six seconds"
    assert set(seen[seen.index(TEXT) :]) == {TEXT}, "then at each look"


def test_a_pass_beside_another_code_on_the_same_telephone_is_read():
    other, reader = drawn("https://example.org/visit", 12), QrReader(lambda: 0.0, is_like_a_pass)
    other = cv2.resize(other, (300, 300), interpolation=cv2.INTER_AREA)
    shown = np.full((480, 800, 3), 245, np.uint8)
    shown[90:390, 80:380] = other
    shown[90:390, 420:720] = cv2.resize(drawn(TEXT), (300, 300), interpolation=cv2.INTER_AREA)
    assert QrReader().decode(shown) != TEXT
    assert TEXT in [reader.read(Frame(shown, n, n * LOOK_EVERY_SECONDS, NOON)) for n in range(60)]
    assert QrReader(is_wanted=is_like_a_pass).search(shown) == TEXT


def test_a_large_picture_of_a_pass_is_searched_at_a_smaller_size():
    large = cv2.resize(drawn(TEXT), (4000, 4000), interpolation=cv2.INTER_NEAREST)
    assert QrReader().search(large) == TEXT
    assert QrReader().search(np.full((3000, 4000, 3), 90, np.uint8)) is None
