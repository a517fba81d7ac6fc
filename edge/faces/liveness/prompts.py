"""What the door's screen shows and its loudspeaker says, in English and Chinese."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

TEXTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "look": {"en": "Please look at the camera and keep still.", "zh": "请正对摄像头，保持不动。"},
        "turn_left": {"en": "Please turn your head to your left.", "zh": "请向左转头。"},
        "turn_right": {"en": "Please turn your head to your right.", "zh": "请向右转头。"},
        "come_closer": {"en": "Please come a little closer.", "zh": "请靠近一点。"},
        "again": {"en": "That was not it. Please try once more.", "zh": "动作不符，请再试一次。"},
        "thanks": {"en": "Thank you. Please look at the camera.", "zh": "谢谢，请正对摄像头。"},
        "failed": {"en": "Please use your card or PIN.", "zh": "请使用门卡或密码。"},
        "too_far": {"en": "Please come closer.", "zh": "请走近一些。"},
        "at_edge": {"en": "Please stand in the middle of the picture.", "zh": "请站到画面中央。"},
        "not_alone": {"en": "One at a time, please.", "zh": "请一人一次。"},
        "unsure": {"en": "Please uncover your face and look here.", "zh": "请露出面部并看向这里。"},
        "turned": {"en": "Please look at the camera.", "zh": "请正对摄像头。"},
        "bad_light": {
            "en": "The light is difficult here. Please turn towards the light.",
            "zh": "光线不佳，请面向光源。",
        },
    }
)
"""By name, then by language. The names are those of steps, hindrances and stages of a challenge."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One thing to tell the visitor of `track_id` now. `name` is a key of `TEXTS`.

    `number` and `count` say which step of how many, both 0 outside a step; `seconds` how long
    the visitor has for it.
    """

    track_id: int
    name: str
    number: int = 0
    count: int = 0
    seconds: float = 0.0

    @property
    def texts(self) -> Mapping[str, str]:
        """The words, by language code."""
        return TEXTS[self.name]
