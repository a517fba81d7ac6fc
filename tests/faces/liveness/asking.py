"""A door that asks, and somebody who answers: shared by tests of the challenge."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import TYPE_CHECKING

from edge.faces.liveness.active import ActiveCheck, Asking
from edge.faces.liveness.challenge import ChallengeStep
from tests.faces.liveness.nets import Visit, setup
from tests.fakes.scene import Actor, axis

if TYPE_CHECKING:
    from edge.domain import Liveness
    from edge.faces.liveness.prompts import Prompt

TURNED = {"turn_left": 0.31, "turn_right": -0.31}


class Depth:
    """What the camera would see of a turning head, or of paper."""

    def __init__(self, residual: float | None) -> None:
        self.value = residual

    def follow(self, image) -> None:
        """Nothing to learn from a coloured card."""

    def residual(self) -> float | None:
        return self.value


class Door:
    """A check that asks, and the screen in front of it."""

    def __init__(
        self, *, strict: bool = True, seed: int = 1, depth: float | None = 0.05, score: float = 0.95
    ) -> None:
        self.anna, self.phone, self.mallory = Actor(0, axis(0)), Actor(1, axis(0)), Actor(2, axis(2))
        world = setup({0: score, 1: 0.9, 2: 0.95}, [self.anna, self.phone, self.mallory])
        self.shown: list[Prompt | None] = []
        self.strict: set[str | None] = {None, "berta"} if strict else {"berta"}
        self.screen = True
        asking = Asking(
            lambda who, at: who in self.strict,
            self.shown.append,
            Random(seed),
            lambda image, box: Depth(depth),
            lambda: self.screen,
        )
        self.check = ActiveCheck(world.check, asking)
        self.visit = Visit(self.check, world.scene)
        self.eye = world.eye
        self.moves: list[tuple[float, float]] = []
        self.better: tuple[str, float] | None = None
        self.width = 130.0

    @property
    def prompt(self) -> str | None:
        last = self.shown[-1] if self.shown else None
        return None if last is None else last.name

    @property
    def names(self) -> Counter[str]:
        return Counter(prompt.name for prompt in self.shown if prompt)

    def show_better_after(self, name: str, score: float) -> None:
        """From the prompt `name` on, the network sees Anna as alive as `score`."""
        self.better = name, score

    def frame(self, actor: Actor, **kwargs) -> Liveness | None:
        if self.better and self.prompt == self.better[0]:
            self.eye.alive[0] = self.better[1]
        self.visit.show(actor, 1, width=self.width, **kwargs)
        return self.visit.assess()

    def answer(self, actor: Actor, *, wrongly: bool = False, seconds: float = 40) -> Liveness | None:
        """Do as the screen says, half a second after it says so."""
        since, last = 0, None
        for index in range(int(seconds * 15)):
            if self.prompt != last:
                since, last = index, self.prompt
            actor.turned = 0.0
            if last in TURNED and index - since > 8:
                actor.turned = TURNED[last] * (-1 if wrongly else 1)
            if last == ChallengeStep.CLOSER and index - since > 8:
                self.width = 170.0 if not wrongly else 130.0
            self.moves.append((actor.turned, self.width))
            verdict = self.frame(actor)
            if verdict is not None:
                return verdict
        return None
