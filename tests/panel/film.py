"""A film that is played as the panel's camera."""

from __future__ import annotations

from dataclasses import replace

from edge.enrol.poses import Pose
from tests.fakes.scene import Actor


class Film:
    """A camera in which an actor does what the guidance asks for. Frames come faster than real ones."""

    problem = None

    def __init__(self, panel, actor, side=0.18):
        self.panel, self.actor, self.side = panel, actor, side
        self.others = ()
        self.seq = 0

    def lease(self):
        pass

    def newest(self):
        self.seq += 1
        now = self.panel.desk.studio.now
        wanted = now.progress.wanted if now and now.progress else None
        turns: dict[Pose | None, float] = {Pose.LEFT: self.side, Pose.RIGHT: -self.side}
        self.actor.turned = turns.get(wanted, 0.0)  # nobody is asked for anything outside an enrolment
        placed = [(Actor(self.actor.colour, self.actor.embedding), 260, 150, 120), *self.others]
        return replace(self.panel.scene.frame(self.seq, *placed), seq=self.seq)
