from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.credentials.card import Card, parse_wiegand


def wire(bits: int, facility: int, number: int) -> list[int]:
    """Return the bits a reader sends, written the long way round."""
    sizes = {26: (8, 16), 34: (16, 16)}[bits]
    payload = f"{facility:0{sizes[0]}b}{number:0{sizes[1]}b}"
    half = len(payload) // 2
    first = payload[:half].count("1") % 2
    last = 1 - payload[half:].count("1") % 2
    return [first, *map(int, payload), last]


@given(st.sampled_from((26, 34)), st.integers(0, 255), st.integers(0, 65535))
def test_a_card_is_read_as_it_was_sent(bits, facility, number):
    assert parse_wiegand(wire(bits, facility, number)) == Card(f"w{bits}:{facility}:{number}")


@given(st.sampled_from((26, 34)), st.integers(0, 255), st.integers(0, 65535), st.data())
def test_one_wrong_bit_is_noticed(bits, facility, number, data):
    sent = wire(bits, facility, number)
    place = data.draw(st.integers(0, bits - 1))
    sent[place] ^= 1
    assert parse_wiegand(sent) is None


@given(st.lists(st.integers(-1, 2), max_size=60))
def test_noise_is_no_card(bits):
    card = parse_wiegand(bits)
    assert card is None or len(bits) in (26, 34)


@pytest.mark.parametrize("length", [0, 1, 25, 27, 33, 35, 37])
def test_other_lengths_are_no_card(length):
    assert parse_wiegand([0] * length) is None


def test_a_cut_wire_is_no_card():
    assert parse_wiegand([0] * 26) is None
    assert parse_wiegand([1] * 26) is None
