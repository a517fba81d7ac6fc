"""Parsing what the broker delivers, and packing what we send."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.broker.settings import BrokerSettings
from edge.errors import ConfigError, SyncError
from edge.wire.messages import MAX_BATCH_BYTES, MAX_BATCH_EVENTS, EventAck, batch, parse_object


@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_a_sync_error(payload):
    """Never another exception, whatever arrives."""
    with contextlib.suppress(SyncError):
        assert isinstance(parse_object(payload), dict)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[1]",
        b"\xff",
        b"[" * 100_000,
        b'{"stream": "s"}',
        b'{"stream": "s", "upto": -1}',
        b'{"stream": "s", "upto": true}',
        b'{"stream": "s", "upto": 1.0}',
        b'{"stream": 1, "upto": 1}',
        b'{"stream": "s", "upto": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_wrong_acknowledgement_is_refused(payload):
    """Each mistake is a `SyncError`."""
    with pytest.raises(SyncError):
        EventAck.parse(payload)


def test_one_entry_is_an_object_and_several_are_an_array():
    """Simple subscribers get simple messages."""
    assert batch([(4, '{"a":1}')]) == (4, b'{"a":1}')
    assert batch([(4, '{"a":1}'), (5, '{"b":2}')]) == (5, b'[{"a":1},{"b":2}]')


@given(st.lists(st.integers(1, 60_000), min_size=1, max_size=150))
def test_a_batch_fits_and_takes_from_the_front(sizes):
    """At most 100 entries and 128 KiB, but always at least one."""
    entries = [(seq, json.dumps("x" * size)) for seq, size in enumerate(sizes, 1)]
    upto, payload = batch(entries)
    assert 1 <= upto <= MAX_BATCH_EVENTS
    assert upto == 1 or len(payload) <= MAX_BATCH_BYTES
    found = json.loads(payload)
    assert [found] == [json.loads(entries[0][1])] if upto == 1 else len(found) == upto


@pytest.mark.parametrize("device_id", ["", "a/b", "a+b", "#", "-a", "a b", "ä", "x" * 65])
def test_a_device_id_that_would_break_topics_is_refused(device_id):
    """It is part of each topic and of the certificate."""
    with pytest.raises(ConfigError, match="device id"):
        BrokerSettings("localhost", device_id)


def test_the_password_is_not_shown():
    """Settings end up in logs."""
    assert "hunter2" not in repr(BrokerSettings("localhost", "door-1", password="hunter2"))
