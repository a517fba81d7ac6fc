"""The device is a named pipe here: the bytes are the kernel's, only the wire is ours."""

from __future__ import annotations

import os
from string import ascii_uppercase

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.credentials.card import Card
from edge.credentials.device import EV_KEY, EV_SYN, EVENT, SYN_DROPPED, KeyDevice
from edge.credentials.keypad import Wedge
from edge.errors import ReaderLost

FD_SETSIZE = 1024
"""Descriptors from here on select(2) does not take."""


class Wire:
    """The far end of an input device."""

    def __init__(self, path) -> None:
        os.mkfifo(path)
        self.device = KeyDevice(path)
        self._fd = os.open(path, os.O_WRONLY)

    def send(self, *events: tuple[int, int, int]) -> None:
        os.write(self._fd, b"".join(EVENT.pack(1, 2, *event) for event in events))

    def tap(self, *codes: int) -> None:
        self.send(*(event for code in codes for event in ((EV_KEY, code, 1), (0, 0, 0), (EV_KEY, code, 0))))

    def unplug(self) -> None:
        os.close(self._fd)

    def keys(self) -> list[str]:
        found = []
        while (key := self.device.read(0.0)) is not None:
            found.append(key)
        return found


@pytest.fixture
def wire(tmp_path):
    wire = Wire(tmp_path / "event0")
    yield wire
    wire.device.close()
    wire.device.close()


def test_digits_star_and_enter_of_both_blocks(wire):
    wire.tap(2, 11, 79, 82, 55, 28, 96, 14)
    assert wire.keys() == ["1", "0", "1", "0", "*", "#", "#", "clear"]


def test_a_door_with_a_thousand_open_files_reads_its_keypad(tmp_path):
    held = [os.open(os.devnull, os.O_RDONLY)]
    try:
        while held[-1] < FD_SETSIZE:
            held.append(os.dup(held[0]))
        wire = Wire(tmp_path / "event0")
        wire.tap(2)
        assert wire.keys() == ["1"]
        wire.unplug()
        with pytest.raises(ReaderLost):
            wire.keys()
        wire.device.close()
    finally:
        for one in held:
            os.close(one)


def test_a_held_key_is_one_key_and_other_events_are_none(wire):
    wire.send((EV_KEY, 6, 1), (EV_KEY, 6, 2), (EV_KEY, 6, 2), (EV_KEY, 6, 0), (4, 4, 458781), (EV_KEY, 30, 1))
    assert wire.keys() == ["5", "A"]


def test_shift_makes_star_and_hash(wire):
    wire.send((EV_KEY, 42, 1), (EV_KEY, 9, 1), (EV_KEY, 4, 1), (EV_KEY, 42, 0), (EV_KEY, 9, 1))
    assert wire.keys() == ["*", "#", "8"]


def test_after_dropped_events_no_key_is_held_and_the_line_is_spoiled(wire):
    """The release of shift is among what the kernel dropped; a card is read whole or not at all."""
    refused: list[str] = []
    wedge = Wedge(refused.append)
    wire.send((EV_KEY, 42, 1), (EV_KEY, 30, 1), (EV_SYN, SYN_DROPPED, 0))
    wire.tap(2, 3, 28)
    typed = wire.keys()
    assert [wedge.press(key, 1.0) for key in typed][-1] is None
    assert "other signs" in refused[0]
    wire.tap(2, 3, 28)
    typed = wire.keys()
    assert [wedge.press(key, 2.0) for key in typed][-1] == Card("hid:12")


def test_nothing_typed_is_nothing(wire):
    assert wire.device.read(0.01) is None


def test_an_unplugged_keypad_says_so(wire):
    wire.unplug()
    with pytest.raises(ReaderLost, match="check the cable"):
        wire.device.read(0.1)


def test_a_keypad_that_is_not_there_says_so(tmp_path):
    with pytest.raises(ReaderLost, match="event9"):
        KeyDevice(tmp_path / "event9")


def test_a_file_that_is_no_input_device_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ReaderLost, match="not there"):
        KeyDevice(tmp_path / "file")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(*[st.integers(0, 65535)] * 2, st.integers(-(2**31), 2**31 - 1)), max_size=60))
def test_any_events_give_keys_or_nothing(wire, events):
    wire.send(*events)
    assert set(wire.keys()) <= {*"0123456789*#?", *ascii_uppercase, "clear"}
