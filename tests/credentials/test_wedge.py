"""Card readers that type: a card is read whole, under one name, or not at all."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.credentials.card import Card
from edge.credentials.device import EVENT, KEYS, KeyDevice
from edge.credentials.keypad import MAX_CARD_KEYS, WEDGE_SECONDS, Wedge

CODES = {sign: code for code, sign in KEYS.items() if len(sign) == 1 and code < 60}
ENTER, SHIFT = 28, 42


def read(text, refused=None, step=0.01):
    """Return what the wedge makes of `text` and Enter."""
    wedge, now = Wedge((refused if refused is not None else []).append), 0.0
    card = None
    for sign in [*text, "#"]:
        card = wedge.press(sign, now)
        now += step
    return card


@given(st.text("0123456789ABCDEF", min_size=1, max_size=MAX_CARD_KEYS))
def test_every_card_of_hex_digits_keeps_its_own_name(text):
    assert read(text) == Card(f"hid:{text}")


@pytest.mark.parametrize("text", ["04:A1", "51G6", "12*4", "12?4", "1" * (MAX_CARD_KEYS + 1), "1" * 100])
def test_what_is_not_read_whole_is_refused_and_told(text):
    refused: list[str] = []
    assert read(text, refused) is None
    assert len(refused) == 1
    assert "no card" in refused[0]


def test_a_card_typed_by_hand_is_none():
    refused: list[str] = []
    assert read("4711", refused, step=WEDGE_SECONDS / 3) is None
    assert refused


def test_what_somebody_left_behind_does_not_join_the_next_card():
    wedge = Wedge()
    wedge.press("9", 0.0)
    for n, sign in enumerate("4711"):
        wedge.press(sign, 5.0 + n * 0.01)
    assert wedge.press("#", 5.05) == Card("hid:4711")


@pytest.fixture
def pipe(tmp_path):
    path = tmp_path / "reader"
    os.mkfifo(path)
    device = KeyDevice(path)
    writer = os.open(path, os.O_WRONLY)
    yield device, writer
    os.close(writer)
    device.close()


def typed(text):
    """Return the input events of a reader that types `text` and Enter, capitals with Shift."""
    events = b""
    for sign in text:
        code = CODES[sign.upper()]
        keys = [(code, 1), (code, 0)]
        if sign.isupper():
            keys = [(SHIFT, 1), *keys, (SHIFT, 0)]
        events += b"".join(EVENT.pack(0, 0, 1, *key) for key in keys)
    return events + EVENT.pack(0, 0, 1, ENTER, 1) + EVENT.pack(0, 0, 1, ENTER, 0)


CARDS = ["0563537489", "51e69621", "51E69621", "5a1b6c9d6f21", "04A1B2C3", "04F1E2D3", "3A"]


@pytest.mark.parametrize("text", CARDS)
def test_a_reader_s_keys_become_its_card(pipe, text):
    device, writer = pipe
    os.write(writer, typed(text))
    wedge, card, now = Wedge(), None, 0.0
    while (key := device.read(0.05)) is not None:
        card = wedge.press(key, now) or card
        now += 0.001
    assert card == Card(f"hid:{text.upper()}")


def test_a_sign_that_is_no_digit_is_not_read_as_one(pipe):
    device, writer = pipe
    os.write(
        writer,
        b"".join(EVENT.pack(0, 0, 1, *key) for key in [(SHIFT, 1), (2, 1), (2, 0), (SHIFT, 0), (12, 1)]),
    )
    assert [device.read(0.05), device.read(0.05)] == ["?", "?"]


@pytest.mark.parametrize("chord", [29, 56, 97, 100])
def test_a_reader_that_spells_signs_with_alt_is_refused_and_not_read_by_the_digits(pipe, chord):
    device, writer = pipe
    codes = [(chord, 1), *((code, value) for code in (82, 77, 76) for value in (1, 0)), (chord, 0)]
    events = b"".join(EVENT.pack(0, 0, 1, *key) for key in codes)
    os.write(writer, events + typed("51"))
    refused: list[str]
    refused, heard = [], []
    wedge, now = Wedge(refused.append), 0.0
    while (key := device.read(0.05)) is not None:
        heard.append(wedge.press(key, now))
        now += 0.001
    assert not any(heard)
    assert len(refused) == 1
