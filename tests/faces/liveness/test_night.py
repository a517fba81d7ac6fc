"""Pictures without colour: let in by some way, never accused, as the site chose."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
import pytest

from edge.domain import Reason
from edge.faces.liveness.check import PassiveCheck
from edge.faces.liveness.demands import Demands
from edge.faces.liveness.fusion import STRONG_NETWORKS
from tests.faces.liveness.nets import ANNA, ENOUGH, Eye
from tests.fakes.scene import Scene, axis

if TYPE_CHECKING:
    from edge.domain import Box, Image


class GreyEmbedder:
    """Everybody is Anna, except for `other`: colours do not tell them apart at night."""

    model_id = "scene"

    def __init__(self) -> None:
        self.other = False

    def embed(self, image, landmarks):
        return axis(1) if self.other else axis(0)


Monochrome = Literal["ask", "one_network", "refuse"]


class NightEye(Eye):
    """A network that finds every grey picture equally alive."""

    def __init__(self, score: float, name: str) -> None:
        super().__init__({}, name)
        self.always = score

    def score(self, image: Image, box: Box) -> float:
        self.calls += 1
        return self.always


class Night:
    """The default networks before a camera that gives grey pictures."""

    def __init__(self, monochrome: Monochrome = "ask", *, alive: float = 0.95) -> None:
        self.scene = Scene([ANNA])
        self.eyes = {name: NightEye(alive, name) for name in STRONG_NETWORKS}
        self.embedder = GreyEmbedder()
        demands = Demands(monochrome=monochrome)
        self.check = PassiveCheck(list(self.eyes.values()), self.embedder, demands=demands)
        self.seq = 0

    def show(self, frames: int, *, grey: bool = True):
        """Return the last verdict that was not None."""
        verdict = None
        for _ in range(frames):
            frame = self.scene.frame(self.seq, (ANNA, 250 + self.seq % 3, 120, 130))
            (face,) = self.scene.detect(frame.image)
            self.seq += 1
            if grey:
                flat = cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY)
                frame = replace(frame, image=np.dstack([flat] * 3))
            self.check.observe(frame, face, 1, True)
            verdict = self.check.assess(1, "anna") or verdict
        return verdict


class TestNight:
    def test_by_default_more_is_asked_and_nothing_scored(self):
        night = Night()

        verdict = night.show(ENOUGH)

        assert verdict.wants_more
        assert verdict.cues["monochrome"] == 1.0
        assert [eye.calls for eye in night.eyes.values()] == [0, 0, 0]

    @pytest.mark.parametrize("monochrome", ["ask", "one_network", "refuse"])
    def test_nobody_is_accused_however_dead_the_networks_find_them(self, monochrome):
        night = Night(monochrome, alive=0.01)

        reasons = {night.show(1) and night.show(1).reason for _ in range(60)} - {None}

        assert Reason.PRESENTATION_ATTACK not in reasons
        assert reasons == {
            Reason.PAD_NO_RESPONSE if monochrome == "refuse" else Reason.SECOND_FACTOR_REQUIRED
        }

    def test_one_network_may_decide_where_the_site_wrote_so(self):
        assert Night("one_network").show(ENOUGH).passed
        assert Night("one_network", alive=0.4).show(ENOUGH).wants_more

    def test_only_that_network_runs(self):
        night = Night("one_network")

        night.show(ENOUGH)

        assert {name for name, eye in night.eyes.items() if eye.calls} == {"faceplugin"}

    def test_a_face_exchanged_on_the_way_gets_nothing(self):
        night = Night()
        night.show(ENOUGH - 1)

        night.embedder.other = True

        assert night.show(1) is None

    def test_by_day_the_networks_decide_again_at_once(self):
        night = Night()
        assert night.show(ENOUGH).wants_more

        verdict = night.show(ENOUGH, grey=False)

        assert verdict.passed
        assert "monochrome" not in verdict.cues
