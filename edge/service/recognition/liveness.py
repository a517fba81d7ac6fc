"""The door's liveness check: its networks, whom it asks for a challenge, and on which display."""

from __future__ import annotations

from random import SystemRandom
from typing import TYPE_CHECKING, Protocol

from edge.faces.liveness.active import Asking
from edge.faces.liveness.load import load_liveness

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from edge.config.settings import Recognition
    from edge.faces.liveness.prompts import Prompt
    from edge.ports import Embedder, LivenessCheck


class Screen(Protocol):
    """The display at the gate, as a challenge needs it. No call waits."""

    @property
    def is_watched(self) -> bool:
        """True while a visitor sees it: only then can he answer."""

    def prompt(self, prompt: Prompt | None) -> None:
        """Show and speak what is asked, or clear it."""


def asking_on(screen: Screen, needs_challenge: Callable[[str | None, datetime], bool]) -> Asking:
    """Return how this door asks: steps and pauses come from the system's random source."""
    return Asking(needs_challenge, screen.prompt, SystemRandom(), can_ask=lambda: screen.is_watched)


def make_liveness(
    section: Recognition,
    embedder: Embedder,
    needs_challenge: Callable[[str | None, datetime], bool],
    screen: Screen,
    report: Callable[[str], None],
) -> LivenessCheck | None:
    """Return the check of a door that asks on `screen`; None only where the site wrote `off`.

    `needs_challenge` says of a resident (by id) and a moment (UTC) whether the access rules want
    an answer from him.
    """
    asking = asking_on(screen, needs_challenge)
    return load_liveness(
        section.liveness, embedder, report, networks=section.liveness_networks, asking=asking
    )
