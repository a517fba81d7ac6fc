"""What the door asks of the visitor: shown on its display, spoken by its loudspeaker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.faces.liveness.gate import Hindrance
from edge.words import Message

if TYPE_CHECKING:
    from edge.domain import Liveness


@dataclass(frozen=True, slots=True)
class Prompt:
    """One thing to tell the visitor of `track_id` now.

    `name` is that of a step, a hindrance or a stage of the challenge; its text is `prompt.<name>`.
    `number` and `count` say which step of how many, both 0 outside a step; `seconds` how long
    the visitor has for it.
    """

    track_id: int
    name: str
    number: int = 0
    count: int = 0
    seconds: float = 0.0

    @property
    def message(self) -> Message:
        """What to show and say."""
        return Message(f"prompt.{self.name}")


def what_helps(liveness: Liveness | None) -> str | None:
    """Return the name of the prompt that helps whoever could not be judged, None when nothing is known to.

    It is what spoilt most frames, or the light.
    """
    if liveness is None:
        return None
    if liveness.cues.get("bad_light"):
        return "bad_light"
    spoilt = {one.value: liveness.cues.get(f"frames_{one.value}", 0.0) for one in Hindrance}
    worst = max(spoilt, key=lambda name: spoilt[name])
    return worst if spoilt[worst] else None
