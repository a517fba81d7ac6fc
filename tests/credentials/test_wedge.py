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


TAB, CONTROL, LINE_ENDS = 15, 29, {"I": 23, "J": 36, "M": 50}


def strokes(*codes):
    return b"".join(EVENT.pack(0, 0, 1, code, value) for code in codes for value in (1, 0))


def heard(device, refused=None):
    wedge, cards, now = Wedge((refused if refused is not None else []).append), [], 0.0
    while (key := device.read(0.05)) is not None:
        cards.append(wedge.press(key, now))
        now += 0.001
    return [card for card in cards if card is not None]


def test_a_reader_that_ends_cards_with_tab_is_read(pipe):
    device, writer = pipe
    refused: list[str] = []
    os.write(writer, strokes(2, 3, 4, 5, TAB) + strokes(6, 7, 8, 9, TAB, ENTER))
    assert heard(device, refused) == [Card("hid:1234"), Card("hid:5678")]
    assert not refused


@pytest.mark.parametrize("letter", LINE_ENDS)
def test_a_reader_that_types_the_end_of_a_line_with_control_is_read(pipe, letter):
    device, writer = pipe
    end = EVENT.pack(0, 0, 1, CONTROL, 1) + strokes(LINE_ENDS[letter]) + EVENT.pack(0, 0, 1, CONTROL, 0)
    os.write(writer, strokes(2, 3, 4, 5) + end + strokes(6, 7, 8, 9) + end)
    assert heard(device) == [Card("hid:1234"), Card("hid:5678")]


def test_letters_that_end_lines_with_control_are_letters_without_and_nothing_with_alt(pipe):
    device, writer = pipe
    alt = EVENT.pack(0, 0, 1, 56, 1) + EVENT.pack(0, 0, 1, CONTROL, 1)
    os.write(writer, strokes(*LINE_ENDS.values()) + alt + strokes(*LINE_ENDS.values()))
    assert [device.read(0.05) for _ in range(6)] == ["I", "J", "M", "?", "?", "?"]


def test_a_reader_that_never_ends_a_card_is_told_of_at_the_next_one():
    refused: list[str] = []
    wedge = Wedge(refused.append)
    for start in (0.0, 5.0):
        for n, sign in enumerate("0012345678"):
            assert wedge.press(sign, start + n * 0.01) is None
    assert len(refused) == 1
    assert "10 signs without an end" in refused[0]
    assert "Enter" in refused[0]


@pytest.mark.parametrize(("text", "step"), [("471", 0.01), ("47110815", 0.5)])
def test_of_fingers_that_go_away_nothing_is_told(text, step):
    refused: list[str] = []
    wedge = Wedge(refused.append)
    for n, sign in enumerate(text):
        wedge.press(sign, n * step)
    wedge.press("1", 60.0)
    assert refused == []


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
