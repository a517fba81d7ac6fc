"""What is kept of an entry: one type to write and read it, and the same stored bytes as ever."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.controller import DoorController
from edge.domain import Decision, Frame, Reason, Verdict
from edge.entry_facts import EntryFacts
from edge.runtime.clock import ManualClock
from edge.store.payload import canonical
from tests.test_controller import Rules, Sees, Wire, written

JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
OLDER: dict[str, dict[str, Any]] = {
    "0.1.0, a face": {
        "track": 3,
        "frame": 71,
        "similarity": 0.61,
        "unlock_seconds": 5.0,
        "rule": "level resident",
    },
    "a PIN": {"method": "pin", "rule": "level resident", "unlock_seconds": 15, "number": "12"},
    "a refused card": {
        "method": "card",
        "rule_code": "rule.unknown",
        "unlock_seconds": 0.0,
        "card": "w26:1:2",
    },
    "counted while the disk was full": {"folded": 9, "first": "2026-03-01T08:00:00Z", "method": "face"},
    "of a later version": {"method": "palm", "unlock_seconds": 5.0, "vein": [1, 2], "first_seen": 10.5},
}


@pytest.mark.parametrize("name", OLDER)
def test_an_entry_of_another_version_is_read_and_loses_nothing(name: str) -> None:
    facts = EntryFacts.read(OLDER[name])
    assert canonical(facts.stored()) == canonical(OLDER[name])
    assert facts.method == OLDER[name].get("method")
    assert facts.unlock_seconds == OLDER[name].get("unlock_seconds")


def test_an_entry_from_before_there_were_other_ways_in_is_one_by_face() -> None:
    assert EntryFacts.read({"similarity": 0.6}).is_by_face
    assert EntryFacts.read({"method": "face"}).is_by_face
    assert not EntryFacts.read({"method": "card"}).is_by_face


@given(st.dictionaries(st.sampled_from(["method", "unlock_seconds", "first_seen", "card", "rule"]), JSON))
def test_no_entry_is_too_odd_to_be_read(data: dict[str, Any]) -> None:
    facts = EntryFacts.read(data)
    assert facts.method is None or isinstance(facts.method, str)
    for number in (facts.unlock_seconds, facts.first_seen):
        assert number is None or math.isfinite(number)


def test_an_entry_by_face_is_stored_as_it_always_was() -> None:
    """The bytes that hash and signature cover, literally."""
    wire, clock = Wire(), ManualClock()
    at = datetime(2026, 1, 5, 12, tzinfo=UTC)
    decision = Decision(
        Verdict.GRANT, Reason.GRANTED, 1, 0, 0.0, at, 1, "anna", 0.8, "bela", 0.2, 0.5, 0.6, 1,
        detail={"first_seen": 1.5},
    )  # fmt: skip
    controller = DoorController(Sees(decision), Rules(), written(wire, clock), wire, clock)
    controller.handle(Frame(np.zeros((1, 1, 3), np.uint8), 0, 0.0, at))
    assert canonical(wire.inner.drafts[0].data) == EXPECTED


EXPECTED = (
    '{"faces_in_view":1,"first_seen":1.5,"frame":0,"margin":0.6,"method":"face","rule":"group seven '
    'needs face and PIN","rule_code":{"group":"seven","id":"rule.needs_pin"},"runner_up":"bela","run'
    'ner_up_similarity":0.2,"shots":1,"similarity":0.8,"threshold":0.5,"track":1,"unlock_seconds":5.'
    "0}"
)
