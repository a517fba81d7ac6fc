from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.credentials.card import Card
from edge.credentials.keypad import IDLE_SECONDS, LOST, MAX_KEYS, WEDGE_SECONDS, Keypad, TypedPin, Wedge


def typed(text: str, keypad: Keypad | None = None, start: float = 0.0) -> list[TypedPin]:
    keypad = keypad or Keypad()
    answers = [keypad.press(key, start + n / 4) for n, key in enumerate(text)]
    return [answer for answer in answers if answer]


def test_number_star_pin_hash():
    assert typed("1203*483920#") == [TypedPin("1203", "483920")]


def test_lines_that_lack_something_are_dropped_and_the_next_one_counts():
    for rubbish in ("#", "1203#", "*483920#", "1203*#", "**#"):
        assert typed(rubbish + "7*90210446#") == [TypedPin("7", "90210446")]


def test_clear_starts_again():
    keypad = Keypad()
    typed("99*1", keypad)
    keypad.press("clear", 2.0)
    assert keypad.typed == 0
    assert typed("7*90210446#", keypad, 3.0) == [TypedPin("7", "90210446")]


def test_a_half_typed_line_is_not_left_to_the_next_person():
    keypad = Keypad()
    typed("1203*4839", keypad)
    assert typed("20#", keypad, 3.0 + IDLE_SECONDS) == []


def test_leaning_on_a_key_fills_nothing():
    keypad = Keypad()
    typed("5" * 1000, keypad)
    assert keypad.typed <= MAX_KEYS


@pytest.mark.parametrize("before", ["12", "12*48", ""])
def test_a_line_of_which_keys_were_lost_is_no_other_number(before):
    keypad = Keypad()
    typed(before, keypad)
    keypad.press(LOST, 1.0)
    assert typed("03*483920#", keypad, 1.1) == []
    assert typed("7*90210446#", keypad, 5.0) == [TypedPin("7", "90210446")]


def test_after_lost_keys_a_pause_or_clear_begins_a_line():
    keypad = Keypad()
    keypad.press(LOST, 1.0)
    keypad.press("clear", 1.2)
    assert typed("7*90210446#", keypad, 1.5) == [TypedPin("7", "90210446")]
    keypad.press(LOST, 30.0)
    assert typed("7*90210446#", keypad, 31.0 + IDLE_SECONDS) == [TypedPin("7", "90210446")]


def test_the_end_of_a_line_that_is_too_long_is_no_number():
    keypad = Keypad()
    assert typed("5" * (MAX_KEYS + 1) + "7*90210446#", keypad) == []
    assert typed("7*90210446#", keypad, 20.0) == [TypedPin("7", "90210446")]


def test_the_pin_is_not_shown():
    assert "483920" not in repr(typed("1203*483920#"))


@given(
    st.lists(
        st.tuples(st.sampled_from([*"0123456789*#", "clear", "x", LOST]), st.floats(0, 20)), max_size=200
    )
)
def test_no_sequence_of_keys_breaks_it(keys):
    keypad, wedge, now = Keypad(), Wedge(), 0.0
    for key, gap in keys:
        now += gap
        line = keypad.press(key, now)
        wedge.press(key, now)
        assert line is None or (line.number and line.pin)
        assert keypad.typed <= MAX_KEYS


def test_a_wedge_types_a_card_in_one_go():
    wedge = Wedge()
    answers = [wedge.press(key, n * 0.01) for n, key in enumerate("0004711#")]
    assert answers[-1] == Card("hid:0004711")


def test_a_person_at_the_wedge_s_keys_is_no_card():
    wedge = Wedge()
    answers = [wedge.press(key, n * WEDGE_SECONDS) for n, key in enumerate("4711#")]
    assert answers == [None] * 5
