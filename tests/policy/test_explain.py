from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain import DoorEvent, Reason
from edge.events import Kind
from edge.policy.explain import explain, explain_reason
from edge.policy.reasons import KIND_WORDS, REASONS

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


def test_a_grant_told_in_english():
    assert explain(event(**FACE)) == (
        "At 2026-06-01 12:00:03 UTC the door north let in anna by face. "
        "Everything the door asks for was fulfilled. "
        "The closest resident was anna with a similarity of 0.7123; 0.5123 was needed "
        "(fpir 0.001 over 1500 residents), and the next other resident was berta with 0.301, "
        "a lead of 0.4113. "
        "3 picture(s) of the face stand behind this, with 2 face(s) in view. "
        "The face: 61.5 px between the eyes, sharpness 88.25, turned -4° sideways, 2.5° up, tilted 0.75°, "
        "brightness 131 of 255. "
        "Liveness: score 0.93, moire 0.11, depth 0.52. "
        "The rule that decided: level resident, schedule always. "
        "The lock was released for 5 s. "
        "Also recorded: track 7, frame 881."
    )


def test_a_refusal_told_in_chinese():
    text = explain(event("access.denied", "unknown_credential", None, "unknown", **FACE), "zh")
    assert text.startswith("2026-06-01 12:00:03 UTC，门 north 拒绝了未能确认身份的来人（人脸）。")
    assert "相似度 0.7123，要求不低于 0.5123" in text
    assert "当时门禁时钟未同步（unknown）。" in text
    assert "开锁" not in text


def test_a_near_miss_does_not_look_like_a_hit():
    text = explain(event("access.denied", "unknown_credential", None, similarity=0.51219, threshold=0.5123))
    assert "0.5122" in text
    assert "0.5123" in text


def test_other_ways_in():
    pin = explain(
        event(
            who="berta", method="pin", rule="level resident, schedule always", unlock_seconds=5.0, number="12"
        )
    )
    assert "let in berta by PIN" in pin
    assert "number 12" in pin
    guest = explain(event(who=None, method="pass", host="anna", pass_id="3132"))
    assert "let in a guest of anna by visitor pass" in guest
    assert "pass_id 3132" in guest


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_reason_is_explained_in_both_languages(reason, language):
    words = explain_reason(reason, language)
    assert len(words) > 5
    assert ("\u4e00" <= words[0] <= "\u9fff") == (language == "zh")
    assert words in explain(event("access.denied", str(reason)), language)


def test_no_two_reasons_are_told_alike():
    for column in (0, 1):
        assert len({words[column] for words in REASONS.values()}) == len(Reason)


@pytest.mark.parametrize("kind", [kind for kind in Kind if not kind.startswith("access.")])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_kind_of_event_is_explained(kind, language):
    text = explain(event(kind, None, None, count=3), language)
    column = 0 if language == "en" else 1
    assert KIND_WORDS[kind][column] in text
    assert "north" in text
    assert "count 3" in text


def test_a_kind_and_a_reason_of_another_version_are_named_as_they_are():
    text = explain(event("lift.called", "moon_phase", None, floor=4))
    assert (
        text
        == "At 2026-06-01 12:00:03 UTC at the door north: lift.called. moon_phase. Also recorded: floor 4."
    )


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
    text = explain(event(kind, "granted", who, **data), language)
    told = {float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)}
    missing = {number for number in numbers_in(data) if number not in told and number != 0}
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
    text = explain(event(**alone | {"runner_up_similarity": -1.0, "margin": 1.7123}))
    assert "with no other resident to compare" in text
    assert "lead" not in text
    assert "runner_up" not in text
