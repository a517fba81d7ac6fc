"""The words of the display at the gate, English and Chinese: short, to be read in passing."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from edge.domain import Reason
from edge.enrol.guidance import GUIDANCE, Guidance, Words
from edge.enrol.session import HINDRANCES
from edge.faces.liveness.prompts import TEXTS
from edge.panel.gate_screen import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.panel.gate_screen import Shown

OTHER_WAY = Words("Use your PIN or card, or ring the bell.", "请使用密码或门卡，或按铃。")

TITLES: Mapping[Stage, Words] = MappingProxyType(
    {
        Stage.IDLE: Words("Look at the camera", "请看摄像头"),
        Stage.GRANTED: Words("Welcome", "欢迎"),
        Stage.REFUSED: Words("Not recognised", "未能识别"),
        Stage.PIN_WANTED: Words("Your PIN, please", "请输入密码"),
        Stage.RUNG: Words("The bell has rung", "已按铃"),
    }
)
TEXT: Mapping[Stage, Words] = MappingProxyType(
    {
        Stage.IDLE: Words("Or use PIN, card or bell.", "也可使用密码、门卡或按铃。"),
        Stage.GRANTED: Words("The door is open.", "门已打开。"),
        Stage.PIN_WANTED: Words(
            "Your face was recognised. Type flat number and PIN.", "已识别人脸，请输入房号和密码。"
        ),
        Stage.RUNG: Words("Please wait.", "请稍候。"),
    }
)

ADVICE: Mapping[Reason, tuple[Words, Words]] = MappingProxyType(
    {
        Reason.NOT_FACING: (TITLES[Stage.IDLE], GUIDANCE[Guidance.LOOK_HERE]),
        Reason.LOW_QUALITY: (TITLES[Stage.REFUSED], GUIDANCE[Guidance.HOLD_STILL]),
        Reason.PAD_NO_RESPONSE: (TITLES[Stage.REFUSED], GUIDANCE[Guidance.UNCOVER]),
        Reason.INCORRECT_AUTHENTICATION_FACTOR: (
            Words("That did not match", "房号与密码不符"),
            Words("Check flat number and PIN, or ring the bell.", "请核对房号和密码，或按铃。"),
        ),
        Reason.LOCKOUT_MAX_ATTEMPTS: (
            Words("Too many tries", "尝试次数过多"),
            Words("Wait a moment, or ring the bell.", "请稍后再试，或按铃。"),
        ),
        Reason.OUT_OF_TIME_RANGE: (
            Words("Not at this time", "当前时段不可通行"),
            Words("Ring the bell for help.", "如需帮助请按铃。"),
        ),
        Reason.THREAT_LEVEL: (
            Words("The door is locked", "此门已封锁"),
            Words("Ring the bell for help.", "如需帮助请按铃。"),
        ),
    }
)
"""What helps, by reason. Everything else is told to use another way in: a display tells no stranger why."""

BUTTONS: Mapping[str, Words] = MappingProxyType(
    {
        "pin": Words("PIN", "密码"),
        "bell": Words("Bell", "按铃"),
        "number": Words("Flat number, then OK", "请输入房号，然后确认"),
        "secret": Words("PIN, then OK", "请输入密码，然后确认"),
        "ok": Words("OK", "确认"),
        "erase": Words("Erase", "删除"),
        "cancel": Words("Cancel", "取消"),
        "typed": Words("{count} digits typed", "已输入 {count} 位"),
        "language": Words("中文", "English"),
        "offline": Words(
            "The display has lost the door. Use your card or key.", "显示屏与门禁断开，请使用门卡或钥匙。"
        ),
    }
)

ARROWS: Mapping[str, str] = MappingProxyType(
    {"turn_left": "left", "turn_right": "right", "come_closer": "closer", "too_far": "closer"}
)
"""The picture beside a prompt; left is the visitor's, which is the display's left as he faces it."""


def lines(shown: Shown, language: str, notice: str) -> tuple[str, str]:
    """Return (title, text) in `language` (`en` or `zh`); `notice` replaces the text while idle."""
    title, text = _words(shown)
    told = text.in_(language) if text else ""
    if shown.stage is Stage.IDLE and notice:
        told = notice
    named = shown.name if shown.stage is Stage.GRANTED else None
    joint = ", " if language == "en" else "，"
    return title.in_(language) + (f"{joint}{named}" if named else ""), told


def picture(shown: Shown) -> str:
    """Return the name of the picture: `left`, `right`, `closer`, or the stage's own."""
    if shown.prompt is not None:
        return ARROWS.get(shown.prompt.name, "look")
    if shown.flaw is not None and HINDRANCES.get(shown.flaw) is Guidance.COME_CLOSER:
        return "closer"
    return {Stage.GRANTED: "tick", Stage.REFUSED: "cross", Stage.RUNG: "bell"}.get(shown.stage, "look")


def _words(shown: Shown) -> tuple[Words, Words | None]:
    if shown.prompt is not None:
        text = TEXTS[shown.prompt.name]
        return Words(text["en"], text["zh"]), None
    if shown.flaw is not None:
        return GUIDANCE[HINDRANCES.get(shown.flaw, Guidance.LOOK_HERE)], OTHER_WAY
    if shown.stage is Stage.REFUSED and shown.reason is not None:
        return ADVICE.get(shown.reason, (TITLES[Stage.REFUSED], OTHER_WAY))
    return TITLES.get(shown.stage, TITLES[Stage.IDLE]), TEXT.get(shown.stage)
