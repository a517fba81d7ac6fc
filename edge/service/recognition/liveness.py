"""The door's liveness check: its networks, whom it asks for a challenge, and on which display."""

from __future__ import annotations

from random import SystemRandom
from typing import TYPE_CHECKING, Any, Protocol

from edge.events import Kind
from edge.faces.liveness.active import Asking
from edge.faces.liveness.demands import Demands
from edge.faces.liveness.failures import Failures
from edge.faces.liveness.load import LivenessWish, load_liveness
from edge.faces.quality import QualityLimits

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from edge.config.settings import RecognitionSection
    from edge.faces.liveness.failures import Pause
    from edge.faces.liveness.load import LoadedLiveness
    from edge.faces.liveness.prompts import Prompt
    from edge.service.recognition.recogniser import Models


class Screen(Protocol):
    """The display at the gate, as a challenge needs it. No call waits."""

    @property
    def is_watched(self) -> bool:
        """True while a visitor sees it: only then can they answer."""

    def prompt(self, prompt: Prompt | None) -> None:
        """Show and speak what is asked, or clear it."""


def asking_on(screen: Screen, needs_challenge: Callable[[str | None, datetime], bool]) -> Asking:
    """Return how this door asks: steps and pauses come from the system's random source."""
    return Asking(needs_challenge, screen.prompt, SystemRandom(), can_ask=lambda: screen.is_watched)


PAUSE_EVENTS = {
    "began": Kind.ACCESS_LIVENESS_PAUSED,
    "ended": Kind.ACCESS_LIVENESS_RESUMED,
    "alarm": Kind.ACCESS_LIVENESS_ALARM,
}
"""What is journaled of the pauses after refused faces (`edge.faces.liveness.failures`)."""


def make_liveness(
    section: RecognitionSection,
    models: Models,
    needs_challenge: Callable[[str | None, datetime], bool],
    screen: Screen,
    report: Callable[[str], None],
    note: Callable[[Kind, str | None, dict[str, Any]], object] = lambda _kind, _who, _data: None,
) -> LoadedLiveness:
    """Return the liveness of a door that asks on `screen`; without a check only where the site wrote `off`.

    `needs_challenge` says of a resident (by id) and a moment (UTC) whether the access rules want
    an answer from them. `note` journals an event by kind, resident and data.
    """

    def tell(pause: Pause) -> None:
        numbers = {"seconds": pause.seconds, "failures": pause.failures}
        data = {name: value for name, value in numbers.items() if value}
        note(PAUSE_EVENTS[pause.kind], pause.resident_id, data)

    demands = Demands(section.weak_liveness, section.monochrome)
    asking = asking_on(screen, needs_challenge)
    closer = models.closer(QualityLimits(min_interocular_px=section.min_interocular_px))
    wanted = LivenessWish(section.liveness, section.liveness_networks, demands, asking, closer)
    return load_liveness(wanted, models.embedder, report, failures=Failures(tell=tell))
