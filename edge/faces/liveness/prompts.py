"""What the door asks of the visitor: shown on its display, spoken by its loudspeaker."""

from __future__ import annotations

from dataclasses import dataclass

from edge.words import Message


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
