"""What a hub takes from a door: enough to store it anywhere, and nothing that any database refuses."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import SyncError
from facegate_hub.batches import parse_batch
from tests.sync.contract import errors

LEAST = {"v": 1, "stream": "s", "seq": 1, "type": "x", "prev": "0", "hash": "1"}


def parsed(**changes):
    return parse_batch("front", json.dumps(LEAST | changes).encode()).rows[0]


def test_an_event_with_the_least_there_must_be_is_taken_and_doubted_elsewhere():
    """Refusing it for ever would stop the door's whole stream; the document asks more of a door."""
    assert parsed()["kind"] == "x"
    assert errors("events", LEAST)


@pytest.mark.parametrize("name", ["type", "stream", "prev", "hash"])
def test_a_zero_byte_or_half_a_character_where_it_is_a_column_is_refused(name):
    for text in ("a\x00b", "a\ud800b"):
        with pytest.raises(SyncError, match=name):
            parsed(**{name: text})


def test_half_a_character_anywhere_is_refused_before_it_reaches_a_database():
    """One commit holds the events of many doors: one that cannot be stored must not fail them all."""
    with pytest.raises(SyncError, match="surrogates not allowed"):
        parsed(data={"by": "\udfff"})


def test_an_odd_time_or_reason_is_kept_in_the_body_only():
    row = parsed(ts="a\x00", reason=["x"], resident="r\n")
    assert (row["at"], row["reason"], row["resident"]) == (None, None, None)
    assert json.loads(row["body"])["ts"] == "a\x00"
    assert "\x00" not in row["body"]


@given(st.dictionaries(st.sampled_from([*LEAST, "ts", "data"]), st.text() | st.integers() | st.none()))
def test_whatever_is_taken_can_be_stored(changes):
    """Text that is UTF-8 without a zero byte, numbers of 64 bits."""
    try:
        row = parsed(**changes)
    except SyncError:
        return
    for value in row.values():
        if isinstance(value, str):
            assert "\x00" not in value
            value.encode()
    assert 0 < row["seq"] < 2**53
