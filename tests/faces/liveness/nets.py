"""Networks whose answer a test decides, and a check made of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

from edge.errors import FrameRefused
from edge.faces.liveness.check import PassiveCheck
from edge.faces.liveness.demands import Demands
from edge.faces.liveness.nets import SPECS, PassiveNet
from tests.fakes.scene import COLOURS, START, Actor, Scene, axis

if TYPE_CHECKING:
    from edge.domain import Box, Face, Frame, Image, Liveness
    from edge.ports import LivenessCheck


class Eye(PassiveNet):
    """A network that looks at the colour under the box: some actors are alive, some are phones."""

    def __init__(self, alive: dict[int, float], name: str = "faceplugin") -> None:
        self.spec = SPECS[name]
        self.alive = dict(alive)  # its own: tests change what it says
        self.calls = 0
        self.is_broken = False

    def score(self, image: Image, box: Box) -> float:
        self.calls += 1
        if self.is_broken:
            raise FrameRefused("not finite")
        x, y = box.centre
        pixel = image[int(y), int(x)].astype(int)
        for colour, score in self.alive.items():
            if abs(pixel - COLOURS[colour]).max() < 45:
                return score
        return 0.0


class Visit:
    """One track before one check: frames at `fps`, each seen and shown by an actor."""

    def __init__(self, check: LivenessCheck, scene: Scene, track_id: int = 1, fps: float = 15.0) -> None:
        self.check, self.scene, self.track_id, self.fps = check, scene, track_id, fps
        self.seq = 0
        self.resident_id: str | None = None

    def show(
        self,
        actor: Actor,
        frames: int,
        *,
        width: float = 130,
        alone: bool = True,
        left: float = 250,
        asked: bool = True,
    ) -> None:
        """Show an actor for some frames; `asked` says whether a verdict is wanted meanwhile."""
        for _ in range(frames):
            frame = self.scene.frame(self.seq, (actor, left + self.seq % 3, 120, width))
            self.seq += 1
            self.check.observe(frame, self.face(frame, actor), self.track_id, alone)
            if asked:
                self.assess()

    def face(self, frame: Frame, actor: Actor) -> Face:
        (face,) = Scene([actor]).detect(frame.image)
        return face

    def away(self, seconds: float) -> None:
        self.seq += round(seconds * self.fps)

    def assess(self) -> Liveness | None:
        """Ask for the verdict; who passes is who they are taken for, as the pipeline then finds."""
        said = self.check.assess(self.track_id, self.resident_id)
        if said is not None and said.passed and self.resident_id is not None:
            self.check.confirm(self.track_id, self.resident_id)
        return said


def setup(alive: dict[int, float], actors: list[Actor], **kwargs) -> SimpleNamespace:
    scene = Scene(actors)
    eye = Eye(alive)
    check = PassiveCheck([eye], scene, **{"demands": TRUSTED, **kwargs})
    return SimpleNamespace(scene=scene, eye=eye, check=check, visit=Visit(check, scene), start=START)


ANNA, PHONE, MALLORY = Actor(0, axis(0)), Actor(1, axis(0)), Actor(2, axis(2))
"""Anna; a phone that shows her, so the recogniser takes it for Anna; somebody else, alive."""
CLEARLY, ENOUGH = 7, 9
"""Frames at 15 a second until a clear face passes, and until any face gets a verdict: every third or
second one is scored, and 0.4 or 0.53 s hold enough independent looks."""

TRUSTED = Demands(weak="accept")
"""What one network says is enough: most tests are not about that."""

ALIVE = {0: 0.95, 1: 0.05, 2: 0.95}
"""How alive the network finds each of them."""


def scene(alive=ALIVE, **kwargs):
    return setup(alive, [ANNA, PHONE, MALLORY], **kwargs)
