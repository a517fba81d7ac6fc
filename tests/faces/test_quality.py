"""Pose from a turned three-dimensional head, and every flaw by its name."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from edge.domain import Box, Face, Flaw
from edge.faces.quality import QualityLimits, Zone, face_scale_px, intent_flaws, measure, pose

# Right eye, left eye, nose tip, mouth corners of an adult in eye distances; x right, y down, z to the camera.
HEAD = np.array([(-0.5, 0, 0), (0.5, 0, 0), (0, 0.573, 0.55), (-0.4, 1.16, 0), (0.4, 1.16, 0)])


def turned(yaw: float = 0, pitch: float = 0, roll: float = 0, eye_px: float = 60, at=(320, 200)) -> Face:
    y, p, r = (math.radians(angle) for angle in (yaw, pitch, roll))
    about_y = np.array([[math.cos(y), 0, math.sin(y)], [0, 1, 0], [-math.sin(y), 0, math.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(p), -math.sin(p)], [0, math.sin(p), math.cos(p)]])
    about_z = np.array([[math.cos(r), -math.sin(r), 0], [math.sin(r), math.cos(r), 0], [0, 0, 1]])
    points = (HEAD @ (about_z @ about_x @ about_y).T)[:, :2] * eye_px + at
    width = 2.4 * eye_px
    box = Box(at[0] - width / 2, at[1] - width / 2, at[0] + width / 2, at[1] + width * 0.7)
    return Face(box, points.astype(np.float32), 0.9)


@pytest.mark.parametrize("yaw", [-40, -20, 0, 20, 40])
def test_yaw_follows_a_turning_head(yaw):
    assert pose(turned(yaw=yaw).landmarks)[0] == pytest.approx(yaw, abs=4)


@pytest.mark.parametrize("pitch", [-25, -10, 0, 10, 25])
def test_pitch_follows_a_nodding_head(pitch):
    assert pose(turned(pitch=pitch).landmarks)[1] == pytest.approx(pitch, abs=8)


@pytest.mark.parametrize("roll", [-30, 0, 30])
def test_roll_is_that_of_the_eye_line(roll):
    assert pose(turned(roll=roll).landmarks)[2] == pytest.approx(roll, abs=1)


def test_turning_the_head_does_not_make_a_person_farther_away():
    assert face_scale_px(turned(yaw=40)) == pytest.approx(face_scale_px(turned()), rel=0.05)


@pytest.mark.parametrize(
    ("face", "limits", "flaw"),
    [
        (turned(eye_px=15), QualityLimits(), Flaw.TOO_FAR),
        (turned(yaw=50), QualityLimits(), Flaw.NOT_FACING),
        (turned(roll=60), QualityLimits(), Flaw.NOT_FACING),
        (turned(), QualityLimits(zone=Zone(0.6, 0, 1, 1)), Flaw.OUTSIDE_ZONE),
        (turned(at=(20, 200)), QualityLimits(), Flaw.AT_EDGE),
    ],
)
def test_the_intent_gate_names_what_it_misses(face, limits, flaw):
    assert intent_flaws(face, limits, 640, 480) == (flaw,)


def test_who_is_near_facing_and_in_the_zone_means_it():
    assert intent_flaws(turned(yaw=15), QualityLimits(), 640, 480) == ()


def textured(level: int = 120, contrast: int = 60, blur: int = 0) -> np.ndarray:
    noise = np.random.default_rng(1).integers(-contrast, contrast, (480, 640, 1))
    image = np.clip(level + np.repeat(noise, 3, axis=2), 0, 255).astype(np.uint8)
    return cv2.GaussianBlur(image, (0, 0), blur) if blur else image


@pytest.mark.parametrize(
    ("image", "flaw"),
    [
        (textured(level=8, contrast=6), Flaw.TOO_DARK),
        (textured(level=250, contrast=4), Flaw.TOO_BRIGHT),
        (np.full((480, 640, 3), 120, np.uint8), Flaw.BLURRED),
    ],
)
def test_light_and_blur_are_named(image, flaw):
    assert flaw in measure(image, turned(), QualityLimits()).flaws


def test_a_dark_face_that_can_still_be_recognised_is_not_too_dark():
    assert Flaw.TOO_DARK not in measure(textured(level=20, contrast=8), turned(), QualityLimits()).flaws


def test_blur_lowers_sharpness_steadily():
    values = [measure(textured(blur=blur), turned(), QualityLimits()).sharpness for blur in (0, 2, 6, 12)]

    assert values == sorted(values, reverse=True)


def test_a_face_outside_the_picture_is_unusable_not_an_error():
    far = turned(at=(5000, 5000))

    assert not measure(textured(), far, QualityLimits()).is_usable
