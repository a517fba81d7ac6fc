"""A flat picture is explained by a homography, a head is not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.domain import Box
from edge.faces.liveness.planarity import FLAT_RESIDUAL, TurnFollower
from tests.present import present

BOX = Box(270, 160, 370, 290)


def texture(seed: int = 2) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (60, 80), np.uint8)
    grey = cv2.resize(noise, (640, 480), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))


def flat_turn(image: np.ndarray, degrees: float, frames: int = 12) -> list[np.ndarray]:
    """The picture turned about its vertical middle, seen through a lens."""
    shots = []
    for angle in np.radians(np.linspace(0, degrees, frames)):
        f = 700.0
        turned = np.array([[np.cos(angle), 0, 0], [0, 1, 0], [-np.sin(angle) / f, 0, 1.0]])
        centre, back = np.eye(3), np.eye(3)
        centre[:2, 2], back[:2, 2] = (-320, -240), (320, 240)
        shots.append(cv2.warpPerspective(image, back @ turned @ centre, (640, 480)))
    return shots


def head_turn(image: np.ndarray, degrees: float, frames: int = 12) -> list[np.ndarray]:
    """The same picture on a bulge 0.5 face widths deep: near parts move more than far ones."""
    rows, columns = np.mgrid[0:480, 0:640].astype(np.float32)
    depth = 50 * np.exp(-(((columns - 320) / 45) ** 2 + ((rows - 225) / 60) ** 2))
    return [
        cv2.remap(image, (columns - depth * np.sin(angle)).astype(np.float32), rows, cv2.INTER_LINEAR)
        for angle in np.radians(np.linspace(0, degrees, frames))
    ]


def relief(shots: list[np.ndarray]) -> float | None:
    follower = TurnFollower(shots[0], BOX)
    for shot in shots[1:]:
        follower.follow(shot)
    return follower.residual()


@pytest.mark.parametrize("degrees", [-30, -20, 20, 30])
class TestRelief:
    def test_a_turning_photograph_is_flat(self, degrees):
        assert present(relief(flat_turn(texture(), degrees))) < FLAT_RESIDUAL

    def test_a_turning_head_is_not(self, degrees):
        assert present(relief(head_turn(texture(), degrees))) > FLAT_RESIDUAL


class TestNothingToFollow:
    def test_a_face_without_corners_cannot_be_judged(self):
        blank = np.full((480, 640, 3), 128, np.uint8)

        assert relief([blank, blank]) is None

    def test_a_face_that_is_exchanged_cannot_be_judged(self):
        assert relief([texture(1), texture(9)]) is None

    def test_a_face_at_the_very_edge_is_followed_without_error(self):
        follower = TurnFollower(texture(), Box(-40, -60, 60, 70))
        follower.follow(texture())

        residual = follower.residual()
        assert residual is None or residual < FLAT_RESIDUAL
