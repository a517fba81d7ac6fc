"""What the person being enrolled is told, and why an enrolment was refused: closed lists, two languages."""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Words(NamedTuple):
    """One sentence in both languages."""

    en: str
    zh: str

    def in_(self, language: str) -> str:
        """Return the sentence in `language` (`en` or `zh`); English for any other."""
        return self.zh if language == "zh" else self.en


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
"""What an installer may override with a reason. Who it is and that he is alive, nobody may."""

GUIDANCE: Mapping[Guidance, Words] = MappingProxyType(
    {
        Guidance.LOOK_HERE: Words("Look straight at the camera.", "请正对摄像头。"),
        Guidance.HOLD_STILL: Words("Hold still.", "请保持不动。"),
        Guidance.TURN_LEFT: Words("Turn your head a little to your left.", "请向您的左侧稍微转头。"),
        Guidance.TURN_RIGHT: Words("Turn your head a little to your right.", "请向您的右侧稍微转头。"),
        Guidance.TURN_LESS: Words(
            "A little less: turn back towards the camera.", "幅度小一点，请稍微转回来。"
        ),
        Guidance.CHIN_UP: Words("Lift your chin a little.", "请稍微抬头。"),
        Guidance.CHIN_DOWN: Words("Lower your chin a little.", "请稍微低头。"),
        Guidance.COME_CLOSER: Words("Come closer.", "请靠近一点。"),
        Guidance.MIDDLE: Words("Move into the middle of the picture.", "请移到画面中央。"),
        Guidance.TOO_DARK: Words(
            "Too dark: put light in front of the face.", "光线太暗：请让光从正面照到脸上。"
        ),
        Guidance.TOO_BRIGHT: Words("Too bright: turn away from the light.", "光线太强：请避开强光。"),
        Guidance.UNCOVER: Words(
            "Show the whole face: no mask, no hand.", "请露出整张脸，不要戴口罩或用手遮挡。"
        ),
        Guidance.NOT_UPRIGHT: Words(
            "The camera's picture is turned: set camera.rotate.",
            "摄像头画面方向不正：请设置 camera.rotate。",
        ),
        Guidance.ONE_PERSON: Words("One person only, please.", "请只留一个人在画面中。"),
        Guidance.NOBODY: Words("Step in front of the camera.", "请站到摄像头前。"),
        Guidance.SAME_PERSON: Words("This looks like another person.", "画面中似乎换了人。"),
        Guidance.WAIT: Words("One moment: look at the camera.", "请稍候，请正对摄像头。"),
        Guidance.DONE: Words("Done, thank you.", "完成，谢谢。"),
    }
)

REFUSALS: Mapping[Refusal, Words] = MappingProxyType(
    {
        Refusal.TIMED_OUT: Words(
            "Not enough good pictures in the time given. What stood in the way most often: {most}",
            "规定时间内没有采集到足够的合格画面。最常见的原因：{most_zh}",
        ),
        Refusal.NOT_ONE_PERSON: Words(
            "The pictures do not show one and the same person. Begin again, alone in front of the camera.",
            "采集到的画面不是同一个人。请单独站在摄像头前重新开始。",
        ),
        Refusal.NOT_LIVE: Words(
            "It could not be shown that a living person stands here, not a picture or a screen.",
            "无法确认面前是真人，而非照片或屏幕。",
        ),
        Refusal.LIVENESS_UNCLEAR: Words(
            "Whether a living person stands here could not be judged; no suspicion. Begin again: closer, "
            "in even light, and look at the camera between the turns.",
            "无法判断是否为真人，并非怀疑。请靠近一些，在均匀的光线下重新开始，转头之间请正对摄像头。",
        ),
        Refusal.LIVENESS_UNAVAILABLE: Words(
            "The check for living persons is not installed here, so nobody is enrolled at the camera.",
            "此设备未安装活体检测，因此无法在摄像头前登记。",
        ),
        Refusal.LOOK_ALIKE: Words(
            "Too close to {other} (similarity {similarity}, the door's threshold is {threshold}): "
            "is this the same person under another number? If not, face and PIN together are safe.",
            "与 {other} 过于相似（相似度 {similarity}，门禁阈值 {threshold}）："
            "是否为同一人使用了另一编号？如果不是，请改用人脸加密码。",
        ),
        Refusal.TOO_WEAK: Words(
            "The door would miss this person in {miss} of looks. Begin again in better light, closer.",
            "门禁在 {miss} 的比对中会认不出此人。请在更好的光线下靠近一些重新采集。",
        ),
    }
)
