from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from edge.domain import DoorEvent, Reason
from edge.events import Kind
from edge.policy.explain import explain, explain_reason
from edge.words import LANGUAGES, message, names, say

SHANGHAI = ZoneInfo("Asia/Shanghai")
AT = datetime(2026, 6, 1, 12, 0, 3, tzinfo=UTC)
FACE = {
    "method": "face",
    "track": 7,
    "frame": 881,
    "faces_in_view": 2,
    "shots": 3,
    "similarity": 0.712345,
    "runner_up": "berta",
    "runner_up_similarity": 0.301,
    "threshold": 0.5123,
    "margin": 0.411345,
    "basis": "fpir 0.001 over 1500 residents",
    "nearest": "anna",
    "quality": {
        "interocular_px": 61.5,
        "sharpness": 88.25,
        "yaw_deg": -4.0,
        "pitch_deg": 2.5,
        "roll_deg": 0.75,
        "brightness": 131.0,
    },
    "liveness": {"score": 0.93, "moire": 0.11, "depth": 0.52},
    "rule": "level resident, schedule always",
    "unlock_seconds": 5.0,
}


def event(kind="access.granted", reason="granted", who="anna", clock="synced", **data) -> DoorEvent:
    return DoorEvent(
        "id", "stream", 12, kind, AT, "boot", 0, clock, "north", who, reason, data, "prev", "hash"
    )


def told(entry, language="en", zone=UTC) -> str:
    """Return all of an explanation as one text: the sentence and every fact."""
    found = explain(entry, language, zone)
    return "\n".join([found.sentence, *(f"{name}: {value}" for name, value in found.facts)])


def test_a_grant_is_one_sentence_and_a_table():
    found = explain(event(**FACE))
    assert found.at == "2026-06-01 12:00:03 (UTC)"
    assert found.sentence == "north opened for anna (face)."
    assert found.facts == (
        ("Similarity", "0.7123"),
        ("Threshold", "0.5123"),
        ("Most similar person (below the threshold this is not an identification)", "anna"),
        ("Second most similar person", "berta"),
        ("Their similarity", "0.301"),
        ("Difference between the two", "0.4113"),
        ("Pictures of the face used", "3"),
        ("Method", "face"),
        ("Track number", "7"),
        ("Frame number", "881"),
        ("Faces in view", "2"),
        ("How the threshold was set", "fpir 0.001 over 1500 residents"),
        ("Distance between the eyes (px)", "61.5"),
        ("Sharpness", "88.25"),
        ("Turned sideways (°)", "-4"),
        ("Turned up (°)", "2.5"),
        ("Tilted (°)", "0.75"),
        ("Brightness (0 to 255)", "131"),
        ("Liveness score", "0.93"),
        ("Liveness check · moire", "0.11"),
        ("Liveness check · depth", "0.52"),
        ("Rule that decided", "level resident, schedule always"),
        ("Unlocked for (s)", "5"),
    )


def test_what_liveness_said_is_told_by_the_whole_names_of_networks_and_in_words():
    """`silentface-2.7` was told as `silentface-2 · 7`, and what the numbers are in English alone."""
    seen = {"silentface-2.7": 0.98, "frames": 4.0, "looks": 2.31, "threshold": 0.5}
    assert dict(explain(event(liveness=seen), "zh").facts) == {
        "活体检测 · silentface-2.7": "0.98",
        "活体检测采用的画面数": "4",
        "相当于独立观察的次数": "2.31",
        "活体检测阈值": "0.5",
    }
    assert dict(explain(event(odd={"a.b": {"c": 1}})).facts) == {"odd · a · b · c": "1"}


def test_a_refusal_told_in_chinese():
    found = explain(event("access.denied", "unknown_credential", None, "unknown", **FACE), "zh", SHANGHAI)
    assert found.at == "2026-06-01 20:00:03（北京时间）"
    assert found.sentence == "未识别人员 刷脸未通过（north）：人脸未匹配到已录入人员。"
    facts = dict(found.facts)
    assert facts["相似度"] == "0.7123"
    assert facts["阈值"] == "0.5123"
    assert facts["设备时间"] == "未校准"
    assert "anna" not in found.sentence, "whoever was nearest was not there"
    refusal = explain(event("access.denied", "unknown_credential", None, unlock_seconds=0.0), "zh")
    assert not [name for name, _ in refusal.facts if "开锁" in name]


def test_a_near_miss_does_not_look_like_a_hit():
    text = told(event("access.denied", "unknown_credential", None, similarity=0.51219, threshold=0.5123))
    assert "0.5122" in text
    assert "0.5123" in text


TOLD_RESTORED = (
    "Restored from the backup of 2026-05-01 10:00:00; a new event file was started. 3 older events "
    "had not been sent."
)
TOLD_OUT_OF_HOURS = (
    "north stayed shut for anna (card): it was outside the permitted hours (level 保洁, schedule 工作日)."
)
TOLD_DURESS = (
    "Duress alarm: anna typed the duress PIN at north; the door opened. Check at once and call the "
    "police. Do not mention it in front of anybody."
)


def coded(name, **values):
    return message(f"rule.{name}", **values).recorded("rule")


@pytest.mark.parametrize(
    ("entry", "english", "chinese"),
    [
        (
            event(who="berta", method="pin", unlock_seconds=5.0, number="12"),
            "north opened for berta (PIN).",
            "berta 开门密码，north 已开门。",
        ),
        (
            replace(event(who=None), data={"method": "pass", "host": "anna", "kind": "courier"}),
            "north opened for a visitor of anna (courier, visitor pass).",
            "访客（快递，被访人 anna）凭访客码开门（north）。",
        ),
        (
            event(who=None, method="remote", by="desk-zhang"),
            "desk-zhang opened north remotely.",
            "desk-zhang 远程开门（north）。",
        ),
        (
            event("access.denied", "unknown_credential", None, method="card", card="77"),
            "north stayed shut for somebody not recognised (card). This card is not registered.",
            "未识别人员 刷卡未通过（north）：该门卡未登记。",
        ),
        (
            event("access.denied", "incorrect_authentication_factor", None, method="pin", number="1203"),
            "Flat 1203: wrong flat number or PIN. north stayed shut.",
            "房号 1203 开门密码错误，north 未开门。",
        ),
        (
            event(
                "access.denied",
                "authentication_factor_timeout",
                method="face+pin",
                **coded("no_pin", seconds="20"),
            ),
            "The face of anna was recognised at north, but no PIN was typed within 20 s.",
            "anna 刷脸通过，20 秒内未输入开门密码，north 未开门。",
        ),
        (
            event(
                "access.denied",
                "out_of_time_range",
                method="card",
                **coded("level", level="保洁", schedule="工作日"),
            ),
            TOLD_OUT_OF_HOURS,
            "anna 刷卡未通过（north）：当时不在允许时段（权限组“保洁”，时段“工作日”）。",
        ),
        (
            event("alarm.duress", None, "anna", method="pin", opened=True),
            TOLD_DURESS,
            "胁迫报警：anna 在 north 输入胁迫密码，门已打开。请立即核实并报警（110），不要当面提及。",
        ),
        (
            event("door.held", None, None, alarms=["door_open_too_long"], open_seconds=30.012, count_week=3),
            "north has been open for 30 s, which is too long (number 3 this week).",
            "开门超时：north 已开 30 秒，本周第 3 次。",
        ),
        (
            event("door.mode", None, None, mode="locked_down", by="desk-zhang"),
            "desk-zhang set north to: locked down.",
            "desk-zhang 将 north 设为封锁。",
        ),
        (
            event("health.camera", None, None, state="lost", detail="rtsp://cam: no frame for 5 s"),
            "Camera lost. Recognition pauses; card and PIN still work.",
            "摄像头离线。刷脸暂停，刷卡和开门密码仍可用。",
        ),
        (
            event(
                "journal.restored", None, None, unsent=3, backup_of="2026-05-01T02:00:00+00:00", old_hash="x"
            ),
            TOLD_RESTORED,
            "已从 2026-05-01 10:00:00 的备份恢复，重新开始记录；有 3 条旧记录尚未上传。",
        ),
        (
            event("face.erased", None, "anna", why="unused"),
            "The face of anna was deleted: not used for a year.",
            "anna 的人脸特征已删除：一年未用。",
        ),
        (
            event("resident.changed", None, "anna", by="li"),
            "Access changed (north). Person: anna. By: li.",
            "north：人员权限已变更。人员：anna。操作人：li。",
        ),
    ],
    ids=lambda value: value.kind if isinstance(value, DoorEvent) else "",
)
def test_what_happened_in_one_sentence(entry, english, chinese):
    assert explain(entry, "en", SHANGHAI).sentence == english
    assert explain(entry, "zh", SHANGHAI).sentence == chinese


def test_the_rule_is_told_in_the_readers_language():
    entry = event("access.denied", "no_access_rights", **coded("no_level", method="card", held="none"))
    assert dict(explain(entry).facts)["Rule that decided"] == "no level for this door by card (has: none)"
    assert dict(explain(entry, "zh").facts)["适用规则"] == "没有用card通过本门的权限组（现有：none）"
    old = event("access.denied", "no_access_rights", rule="level resident, schedule always")
    assert dict(explain(old, "zh").facts)["适用规则"] == "level resident, schedule always"


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_is_explained_in_every_language(reason, language):
    words = explain_reason(reason, language)
    assert len(words) > 3
    assert any("\u4e00" <= letter <= "\u9fff" for letter in words) == (language == "zh")
    assert words in explain(
        event("access.denied", str(reason), method="face+pin"), language
    ).sentence or has_own(reason)


def has_own(reason) -> bool:
    return f"access.denied.{reason}" in names("tell.")


def test_no_two_reasons_are_told_alike():
    for language in LANGUAGES:
        assert len({explain_reason(reason, language) for reason in Reason}) == len(Reason)


KINDS = names("event.")


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_kind_of_event_is_explained(kind, language):
    found = explain(event(kind, None, None, count=3), language)
    assert found.title == say(f"event.{kind}", language)
    assert "north" in found.sentence
    assert "3" in [value for _, value in found.facts]


def test_a_kind_and_a_reason_of_another_version_are_named_as_they_are():
    found = explain(event("lift.called", "moon_phase", None, floor=4))
    assert found.sentence == "lift.called (north)."
    assert found.facts == (("floor", "4"), ("Reason", "moon_phase"))
    assert explain_reason("moon_phase", "zh") == "moon_phase。"
    future = {"id": "rule.of_another_version", "x": 1}
    assert explain(event("lift.called", None, None, rule_code=future)).facts


KEYS = st.one_of(st.sampled_from([*FACE, "host", "number"]), st.text("abcdefgh_", min_size=1, max_size=9))
NUMBERS = st.one_of(st.integers(-9999, 9999), st.floats(-1e4, 1e4).map(lambda x: round(x, 3)))
VALUES = st.one_of(
    NUMBERS, st.text("xyz{}%", max_size=6), st.booleans(), st.none(), st.lists(NUMBERS, max_size=3)
)


@given(
    data=st.dictionaries(KEYS, VALUES | st.dictionaries(KEYS, VALUES, max_size=4), max_size=10),
    kind=st.sampled_from(["access.granted", "access.denied", "door.held"]),
    who=st.sampled_from([None, "anna"]),
    language=st.sampled_from(["en", "zh"]),
)
def test_every_number_is_told_whatever_the_entry_holds(data, kind, who, language):
    assume(data.get("runner_up_similarity") != -1)
    text = told(event(kind, "granted", who, **data), language)
    found = {float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)}
    missing = {number for number in numbers_in(data) if number not in found and number != 0}
    assert not missing, text


def numbers_in(value) -> list[float]:
    if isinstance(value, dict):
        return [number for item in value.values() for number in numbers_in(item)]
    if isinstance(value, list):
        return [number for item in value for number in numbers_in(item)]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return [float(value)] if is_number else []


def test_one_resident_alone_has_no_lead():
    alone = {name: value for name, value in FACE.items() if name != "runner_up"}
    facts = dict(explain(event(**alone | {"runner_up_similarity": -1.0, "margin": 1.7123})).facts)
    assert facts["Second most similar person"] == "nobody"
    assert "Difference between the two" not in facts
