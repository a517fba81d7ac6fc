"""Plays the story of one seed from its beginning to its end."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.aside import simulated
from tests.world.ending import end
from tests.world.faults import ACTS
from tests.world.story import HISTORY_LINES, Broken, World

if TYPE_CHECKING:
    from tests.io.card import Card


@dataclass(frozen=True, slots=True)
class Told:
    """How a story ended: what was broken (None: nothing), its last lines, and how many days it took."""

    broken: str | None
    history: list[str]
    days: float


def play(seed: int, card: Card, acts: int) -> Told:
    """Play the story of this seed, of so many acts at most, on a new card."""
    shutil.rmtree(card.folder, ignore_errors=True)
    card.play()
    world = World(seed, card)
    broken = None
    with simulated(world.threads):
        try:
            _tell(world, acts)
        except Broken as promise:
            broken = str(promise)
        finally:
            world.card_does()
            world.abandon()
    return Told(broken, world.history[-HISTORY_LINES:], world.days)


def _tell(world: World, acts: int) -> None:
    world.start()
    world.run(2.0)
    for _ in range(world.rng.randint(acts // 4, acts)):
        (act,) = world.rng.choices(list(ACTS), list(ACTS.values()))
        act(world)
    end(world)
