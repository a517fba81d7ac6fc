"""What the person being enrolled is told, and why an enrolment was refused: two closed lists."""

from __future__ import annotations

from enum import StrEnum

from edge.words import Message


class Guidance(StrEnum):
    """What to do now, one at a time."""

    LOOK_HERE = "look_here"
    HOLD_STILL = "hold_still"
    TURN_LEFT = "turn_left"
    TURN_RIGHT = "turn_right"
    TURN_LESS = "turn_less"
    CHIN_UP = "chin_up"
    CHIN_DOWN = "chin_down"
    COME_CLOSER = "come_closer"
    MIDDLE = "middle"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    UNCOVER = "uncover"
    NOT_UPRIGHT = "not_upright"
    ONE_PERSON = "one_person"
    NOBODY = "nobody"
    SAME_PERSON = "same_person"
    WAIT = "wait"
    DONE = "done"

    @property
    def message(self) -> Message:
        """What to tell the person."""
        return Message(f"guidance.{self}")


class Refusal(StrEnum):
    """Why no templates came of a session."""

    TIMED_OUT = "timed_out"
    NOT_ONE_PERSON = "not_one_person"
    NOT_LIVE = "not_live"
    LIVENESS_UNCLEAR = "liveness_unclear"
    LIVENESS_UNAVAILABLE = "liveness_unavailable"
    LOOK_ALIKE = "look_alike"
    TOO_WEAK = "too_weak"


OVERRIDABLE = frozenset({Refusal.LOOK_ALIKE, Refusal.TOO_WEAK})
"""What an installer may override with a reason. Nobody may override identity or liveness."""
