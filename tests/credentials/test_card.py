from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.credentials.card import Card, card_id, parse_wiegand
from tests.credentials.wires import SIZES, wire
from tests.present import present


@given(st.sampled_from(tuple(SIZES)), st.integers(0, 255), st.integers(0, 65535))
def test_a_card_is_read_as_it_was_sent(bits, facility, number):
    assert parse_wiegand(wire(bits, facility, number)) == Card(f"w{bits}:{facility}:{number}")


@given(st.sampled_from(tuple(SIZES)), st.integers(0, 255), st.integers(0, 65535), st.data())
def test_one_wrong_bit_is_noticed(bits, facility, number, data):
    sent = wire(bits, facility, number)
    place = data.draw(st.integers(0, bits - 1))
    sent[place] ^= 1
    assert parse_wiegand(sent) is None


@given(st.lists(st.integers(-1, 2), max_size=60))
def test_noise_is_no_card(bits):
    card = parse_wiegand(bits)
    assert card is None or len(bits) in SIZES


@given(st.sampled_from(tuple(SIZES)), st.data())
def test_every_name_that_a_reader_gives_is_accepted(bits, data):
    facility, number = (data.draw(st.integers(0, 2**size - 1)) for size in SIZES[bits])
    name = present(parse_wiegand(wire(bits, facility, number))).id
    assert card_id(name) == name
    assert card_id(f"hid:{facility:010}") == f"hid:{facility:010}"


@pytest.mark.parametrize("length", [0, 1, 25, 27, 33, 35, 36, 38])
def test_other_lengths_are_no_card(length):
    assert parse_wiegand([0] * length) is None


@given(st.integers(0, 65535), st.integers(0, 524287))
def test_all_of_a_37_bit_card_counts(facility, number):
    assert parse_wiegand(wire(37, facility, number)) == Card(f"w37:{facility}:{number}")


@pytest.mark.parametrize("length", SIZES)
@pytest.mark.parametrize("level", [0, 1])
def test_a_cut_wire_is_no_card(length, level):
    assert parse_wiegand([level] * length) is None


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("hid:51e69621", "hid:51E69621"),
        ("W26:017:04711", "w26:17:4711"),
        ("w32:4294967295", "w32:4294967295"),
        ("w26：17：4711", "w26:17:4711"),
        ("Ｗ２６：０１７：０４７１１", "w26:17:4711"),
        ("017,04711", "w26:17:4711"),
        ("０１７，０４７１１", "w26:17:4711"),
        ("hid：0009876544\u200b", "hid:0009876544"),
        ("hid:51:E6:96:21", "hid:51E69621"),
        ("hid:04 a1 b2 c3", "hid:04A1B2C3"),
        ("hid:0x51E69621", "hid:51E69621"),
        ("hid:51-e6-96-21", "hid:51E69621"),
    ],
)
def test_a_card_has_one_name_however_it_is_written(written, name):
    assert card_id(written) == name


@pytest.mark.parametrize(
    "written",
    [
        "hid:",
        "hid:51g",
        "hid:1.38E+10",
        "hid:123:4",
        "17,4711",
        "0001118823 017,04711",
        "hid:0x",
        "hid:1-23",
        "hid:12-3",
        "hid:0004711 51",
        "w26:1",
        "w26:256:1",
        "w32:4294967296",
        "x:1",
        "",
        "hid:" + "1" * 33,
    ],
)
def test_what_no_reader_gives_is_no_name(written):
    with pytest.raises(ValueError, match=r"no card is named so|does not fit"):
        card_id(written)


@given(st.integers(0, 2**32 - 1))
def test_32_bits_are_a_number_as_they_are(number):
    assert parse_wiegand([number >> n & 1 for n in range(31, -1, -1)]) == Card(f"w32:{number}")


@pytest.mark.parametrize(
    ("typed", "meant"), [("0001118823", "hid:0001118823"), ("51:e6:96:21", "hid:51E69621")]
)
def test_a_bare_number_is_told_with_the_name_that_it_may_mean(typed, meant):
    with pytest.raises(ValueError, match=f"did you mean {meant}\\?"):
        card_id(typed)
