"""What the display at the gate says: short, to be read in passing."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from edge.domain import Flaw, Reason
from edge.enrol.guidance import Guidance
from edge.enrol.session import HINDRANCES
from edge.panel.gate_screen import Stage
from edge.words import Message, has, message, say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.panel.gate_screen import ScreenState

OTHER_WAY = Message("screen.other_way")
NOT_RECOGNISED = Message("screen.refused.title")

ADVICE: Mapping[Reason, tuple[Message, Message]] = MappingProxyType(
    {
        Reason.NOT_FACING: (Guidance.LOOK_HERE.message, OTHER_WAY),
        Reason.LOW_QUALITY: (Guidance.HOLD_STILL.message, OTHER_WAY),
        **{
            reason: (Message(f"screen.{reason}.title"), Message(f"screen.{reason}.text"))
            for reason in (
                Reason.INCORRECT_AUTHENTICATION_FACTOR,
                Reason.LOCKOUT_MAX_ATTEMPTS,
                Reason.OUT_OF_TIME_RANGE,
                Reason.THREAT_LEVEL,
            )
        },
    }
)
"""What helps, by reason. Every other refusal only names the other ways in: no stranger is told why."""

AT_CAMERA: Mapping[Reason, tuple[Message, Message]] = MappingProxyType(
    {Reason.LOCKOUT_MAX_ATTEMPTS: (NOT_RECOGNISED, OTHER_WAY)}
)
"""What differs where a face was refused: its pause leaves card and PIN open."""

PASSERS_BY: Mapping[Flaw, Guidance] = MappingProxyType({**HINDRANCES, Flaw.NOT_FACING: Guidance.LOOK_HERE})
"""What a face at the gate is told. Nobody was asked to turn there, so nobody turned too far."""

ARROWS: Mapping[str, str] = MappingProxyType(
    {"turn_left": "left", "turn_right": "right", "come_closer": "closer", "too_far": "closer"}
)
"""The picture beside a prompt. Left is the visitor's left, which is also the display's as they face it."""


PICTURES: Mapping[Stage, str] = MappingProxyType(
    {
        Stage.GRANTED: "tick",
        Stage.REFUSED: "cross",
        Stage.RUNG: "bell",
        Stage.BLIND: "ways",
        Stage.PIN_WANTED: "keys",
    }
)


def lines(shown: ScreenState, language: str, notice: str) -> tuple[str, str]:
    """Return (title, text) in `language`; `notice` replaces the text while idle."""
    title, text = _messages(shown)
    told = text.said(language) if text else ""
    return title.said(language), notice if shown.stage is Stage.IDLE and notice else told


def spoken(title: str, text: str, language: str) -> str:
    """Return what a loudspeaker says: title and text as sentences."""
    bare = title.rstrip(".。")
    return say("screen.sentence", language, title=bare, text=text).strip()


def picture(shown: ScreenState) -> str:
    """Return the name of the picture: `left`, `right`, `closer`, or the stage's (`ways`: other ways in)."""
    if shown.prompt is not None:
        return ARROWS.get(shown.prompt.name, "look")
    if shown.flaw is not None and HINDRANCES.get(shown.flaw) is Guidance.COME_CLOSER:
        return "closer"
    return PICTURES.get(shown.stage, "look")


def _messages(shown: ScreenState) -> tuple[Message, Message | None]:
    if shown.prompt is not None:
        return shown.prompt.message, OTHER_WAY if shown.stage is Stage.REFUSED else None
    if shown.flaw is not None:
        return PASSERS_BY.get(shown.flaw, Guidance.LOOK_HERE).message, OTHER_WAY
    if shown.stage is Stage.REFUSED and shown.reason is not None:
        told = ADVICE.get(shown.reason, (NOT_RECOGNISED, OTHER_WAY))
        return AT_CAMERA.get(shown.reason, told) if shown.by_face else told
    stage = shown.stage if has(f"screen.{shown.stage}.title") else Stage.IDLE
    text = Message(f"screen.{stage}.text") if has(f"screen.{stage}.text") else None
    if stage is Stage.GRANTED and shown.name:
        return message("screen.granted.named", name=shown.name), text
    return Message(f"screen.{stage}.title"), text
