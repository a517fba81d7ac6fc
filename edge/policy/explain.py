"""Why the door did what it did: one journal entry told in one paragraph, with every number.

A pure function of the entry: it asks no model, no rule and no clock, so an old decision is told
by the numbers it was made with.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from edge.domain import Reason
from edge.events import Kind
from edge.policy.reasons import REASONS, Words, kind_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import tzinfo

    from edge.domain import DoorEvent

Language: TypeAlias = Literal["en", "zh"]

SENTENCES = {
    "granted": Words(
        "At {at} the door {door} let in {who}{method}.", "{at}，门 {door} 放行了{who}{method}。"
    ),
    "denied": Words(
        "At {at} the door {door} refused {who}{method}.", "{at}，门 {door} 拒绝了{who}{method}。"
    ),
    "other": Words(
        "At {at} at the door {door}: {what}{who}{method}.", "{at}，门 {door}：{what}{who}{method}。"
    ),
    "somebody": Words("somebody it could not name", "未能确认身份的来人"),
    "about": Words(" ({who})", "（{who}）"),
    "guest": Words("a guest of {host}", "{host} 的访客"),
    "by": Words(" by {method}", "（{method}）"),
    "nobody": Words("nobody", "无人"),
    "compared": Words(
        "The closest resident was {nearest} with a similarity of {similarity}; {threshold} was needed",
        "最相似的住户为 {nearest}，相似度 {similarity}，要求不低于 {threshold}",
    ),
    "basis": Words(" ({basis})", "（{basis}）"),
    "runner_up": Words(
        ", and the next other resident was {runner_up} with {runner_up_similarity}",
        "；其次为 {runner_up}，相似度 {runner_up_similarity}",
    ),
    "margin": Words(", a lead of {margin}", "，领先 {margin}"),
    "alone": Words(", with no other resident to compare", "，没有其他住户可供比较"),
    "shots": Words("{shots} picture(s) of the face stand behind this", "判定依据 {shots} 张人脸画面"),
    "faces": Words(", with {faces_in_view} face(s) in view", "，画面中共有 {faces_in_view} 张人脸"),
    "quality": Words(
        "The face: {interocular_px} px between the eyes, sharpness {sharpness}, turned {yaw_deg}° sideways, "
        "{pitch_deg}° up, tilted {roll_deg}°, brightness {brightness} of 255.",
        "人脸：两眼间距 {interocular_px} 像素，清晰度 {sharpness}，左右偏转 {yaw_deg}°，俯仰 {pitch_deg}°，"
        "倾斜 {roll_deg}°，亮度 {brightness}（满值 255）。",
    ),
    "liveness": Words("Liveness: {cues}.", "活体检测：{cues}。"),
    "rule": Words("The rule that decided: {rule}.", "依据的规则：{rule}。"),
    "unlocked": Words("The lock was released for {unlock_seconds} s.", "开锁 {unlock_seconds} 秒。"),
    "clock": Words(
        "The door's clock was not synchronised then ({clock}).", "当时门禁时钟未同步（{clock}）。"
    ),
    "rest": Words("Also recorded: {rest}.", "另记录：{rest}。"),
}

METHODS = {
    "face": Words("face", "人脸"),
    "face+pin": Words("face and PIN", "人脸加密码"),
    "pin": Words("PIN", "密码"),
    "card": Words("card", "卡"),
    "pass": Words("visitor pass", "访客通行证"),
}
QUALITY = ("interocular_px", "sharpness", "yaw_deg", "pitch_deg", "roll_deg", "brightness")
STOP = Words(".", "。")


def explain(event: DoorEvent, language: Language = "en", zone: tzinfo = UTC) -> str:
    """Return one paragraph that says why, with every value the entry holds, in the time of `zone`."""
    teller = _Teller(event, 0 if language == "en" else 1, zone)
    joint = " " if language == "en" else ""
    return joint.join(sentence for sentence in teller.sentences() if sentence)


def explain_reason(reason: str, language: Language = "en") -> str:
    """Return the sentence of a reason; a reason this version does not know is named as it is."""
    words = REASONS[Reason(reason)] if reason in set(Reason) else Words(reason + ".", reason + "。")
    return words.en if language == "en" else words.zh


class _Teller:
    """Tells one entry, ticking off what was said so that nothing is left out."""

    def __init__(self, event: DoorEvent, column: int, zone: tzinfo) -> None:
        self._event = event
        self._zone = zone
        self._column = column
        self._left: dict[str, Any] = dict(event.data)

    def sentences(self) -> Iterator[str]:
        yield self._opening()
        if self._event.reason is not None:
            yield explain_reason(self._event.reason, "zh" if self._column else "en")
        parts: tuple[Callable[[], str], ...] = (
            self._comparison,
            self._shots,
            self._quality,
            self._liveness,
            lambda: self._if_any("rule", "rule"),
            self._lock,
            self._clock,
            self._rest,
        )
        for part in parts:
            yield part()

    def _say(self, name: str, **values: object) -> str:
        told = {key: _shown(value) for key, value in values.items()}
        return SENTENCES[name][self._column].format(**told)

    def _take(self, *names: str) -> dict[str, Any] | None:
        """Return these values and tick them off, or None when one is missing."""
        if any(self._left.get(name) is None for name in names):
            return None
        return {name: self._left.pop(name) for name in names}

    def _if_any(self, name: str, *keys: str) -> str:
        values = self._take(*keys)
        return self._say(name, **values) if values else ""

    def _opening(self) -> str:
        kind = self._event.kind
        who, method = self._who(), self._method()
        at = f"{self._event.at.astimezone(self._zone):%Y-%m-%d %H:%M:%S} {self._zone}"
        if kind in (Kind.ACCESS_GRANTED, Kind.ACCESS_DENIED):
            name = kind.partition(".")[2]
            named = who or self._say("somebody")
            return self._say(name, at=at, door=self._event.door_id, who=named, method=method)
        what = kind_words(kind)[self._column]
        about = self._say("about", who=who) if who else ""
        return self._say("other", at=at, door=self._event.door_id, what=what, who=about, method=method)

    def _who(self) -> str:
        if self._event.resident_id is not None:
            return self._event.resident_id
        return self._if_any("guest", "host")

    def _method(self) -> str:
        taken = self._take("method")
        if taken is None:
            return ""
        method = str(taken["method"])
        return self._say("by", method=METHODS.get(method, Words(method, method))[self._column])

    def _comparison(self) -> str:
        values = self._take("similarity", "threshold")
        if values is None:
            return ""
        nearest = self._left.pop("nearest", None) or self._event.resident_id or self._say("nobody")
        text = self._say("compared", nearest=nearest, **values) + self._if_any("basis", "basis")
        return text + self._lead() + STOP[self._column]

    def _lead(self) -> str:
        """Tell the lead over the next resident; with one resident alone the event has a lead over nobody."""
        if self._left.get("runner_up") is None and self._left.get("runner_up_similarity") == -1:
            del self._left["runner_up_similarity"]
            self._left.pop("margin", None)
            return self._say("alone")
        text = self._if_any("runner_up", "runner_up", "runner_up_similarity")
        return text + self._if_any("margin", "margin")

    def _shots(self) -> str:
        text = self._if_any("shots", "shots")
        return text + self._if_any("faces", "faces_in_view") + STOP[self._column] if text else ""

    def _quality(self) -> str:
        quality = self._left.get("quality")
        if not isinstance(quality, dict) or not set(QUALITY) <= set(quality):
            return ""
        del self._left["quality"]
        return self._say("quality", **{name: quality[name] for name in QUALITY})

    def _liveness(self) -> str:
        values = self._take("liveness")
        return self._say("liveness", cues=_listed(values["liveness"])) if values else ""

    def _lock(self) -> str:
        if self._event.kind != Kind.ACCESS_GRANTED:
            return ""
        return self._if_any("unlocked", "unlock_seconds")

    def _clock(self) -> str:
        return "" if self._event.clock == "synced" else self._say("clock", clock=self._event.clock)

    def _rest(self) -> str:
        if self._event.kind == Kind.ACCESS_DENIED and not self._left.get("unlock_seconds"):
            self._left.pop("unlock_seconds", None)  # a refusal unlocks for no time at all
        return self._say("rest", rest=_listed(self._left)) if self._left else ""


def _listed(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_listed(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return " / ".join(map(_listed, value))
    return _shown(value)


def _shown(value: object) -> str:
    """Return a number as people read it: four decimals tell a near miss from a hit."""
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    return f"{value:.4f}".rstrip("0").rstrip(".")
