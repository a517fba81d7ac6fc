"""A reader on two wires: cards come through, whatever else the wires bring does not."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.credentials.card import Card, parse_wiegand
from edge.credentials.wiegand import (
    FRAME_GAP_SECONDS,
    MAX_BITS,
    MAX_PULSES,
    MIN_BIT_SECONDS,
    BadFrame,
    WiegandFrames,
    WiegandReader,
    WiegandWiring,
)
from edge.errors import ReaderLost
from tests.credentials.wires import SIZES, PacedPins, pulses, wire

BITS = [0, 1]
CARD = wire(26, 17, 4711)


def heard(timed_bits, formats=frozenset(SIZES)):
    """Feed the pulses and end the last frame; return everything that came out."""
    frames = WiegandFrames(formats)
    found = [frames.pulse(bit, at) for bit, at in timed_bits]
    found.append(frames.end())
    assert not frames.is_open
    return [one for one in found if one is not None]


cards = st.sampled_from(tuple(SIZES)).flatmap(
    lambda bits: st.tuples(st.just(bits), st.integers(0, 255), st.integers(0, 65535))
)
intervals = st.floats(2e-4, 0.02)  # SIA AC-01


@given(st.lists(cards, min_size=1, max_size=4), st.data())
def test_cards_at_any_legal_rhythm_one_after_the_other(shown, data):
    sent, now = [], 5.0
    for card in shown:
        for bit in wire(*card):
            now += data.draw(intervals)
            sent.append((bit, now))
        now += FRAME_GAP_SECONDS + data.draw(st.floats(0.01, 2))
    assert heard(sent) == [Card(f"w{bits}:{facility}:{number}") for bits, facility, number in shown]


@given(cards, st.randoms(use_true_random=False))
def test_edges_delivered_out_of_order_are_put_in_order(card, random):
    sent = pulses(wire(*card))
    late = [(place + random.uniform(0, 4), pulse) for place, pulse in enumerate(sent)]
    delivered = [pulse for _, pulse in sorted(late)]
    assert heard(delivered) == [Card("w{}:{}:{}".format(*card))]


@given(st.lists(st.tuples(st.sampled_from(BITS), st.floats(0, 0.2)), max_size=300))
def test_whatever_comes_in_only_a_whole_frame_is_a_card(steps):
    now, sent = 0.0, []
    for bit, pause in steps:
        now += pause
        sent.append((bit, now))
    frames: list[list[tuple[int, float]]] = [[]]
    for (bit, at), (_, before) in zip(sent, [(0, 0.0), *sent], strict=False):
        if at - before > FRAME_GAP_SECONDS:
            frames.append([])
        frames[-1].append((bit, at))
    expected = [parse_wiegand([b for b, _ in f]) for f in frames if f and is_steady([at for _, at in f])]
    assert [one for one in heard(sent) if isinstance(one, Card)] == [card for card in expected if card]


def is_steady(times):
    return all(later - earlier >= MIN_BIT_SECONDS for earlier, later in itertools.pairwise(times))


@given(cards, st.data())
def test_a_lost_bit_a_spurious_one_and_a_flipped_one_are_noticed(card, data):
    bits = wire(*card)
    place = data.draw(st.integers(0, len(bits) - 1))
    for broken in (
        bits[:place] + bits[place + 1 :],
        [*bits[:place], data.draw(st.sampled_from(BITS)), *bits[place:]],
        [*bits[:place], 1 - bits[place], *bits[place + 1 :]],
    ):
        assert [type(one) for one in heard(pulses(broken))] == [BadFrame]


@pytest.mark.parametrize("place", range(26))
def test_both_lines_at_once_are_no_bit(place):
    sent = pulses(CARD)
    sent.insert(place, (1 - CARD[place], sent[place][1] + 2e-5))
    (noise,) = heard(sent)
    assert "on top of each other" in noise.why


@given(st.integers(MAX_BITS + 1, 2000))
def test_a_frame_that_never_ends_is_bounded_and_refused(length):
    frames = WiegandFrames()
    for bit, at in pulses([1] * length):
        assert frames.pulse(bit, at) is None
    assert frames.end() == BadFrame(f"more than {MAX_BITS} bits without a pause")


def test_half_a_frame_does_not_spoil_the_next():
    sent = pulses(CARD[:13]) + pulses(CARD, start=1.0 + 0.013 + FRAME_GAP_SECONDS + 0.001)
    noise, card = heard(sent)
    assert "13 bits" in noise.why
    assert card == Card("w26:17:4711")


def test_a_card_in_two_halves_is_no_card():
    first, second = pulses(CARD[:13]), pulses(CARD[13:], start=2.0)
    assert [type(one) for one in heard(first + second)] == [BadFrame, BadFrame]


def test_only_the_lengths_of_the_site_count():
    assert heard(pulses(CARD), frozenset({34})) == [
        BadFrame("26 bits where 34 are expected: noise, a cut wire or another format")
    ]


class Reader:
    """A reader on fake pins, and why it refused what."""

    def __init__(self) -> None:
        self.refused: list[str]
        self.pins, self.refused = PacedPins(), []
        self.reader = WiegandReader(WiegandWiring(5, 6), self.pins, self.refused.append)

    def read(self, seconds: float = 0.1) -> Card | None:
        return self.reader.read(seconds)


def test_cards_and_noise_on_pins():
    door = Reader()
    door.pins.send(pulses(CARD))
    assert door.read(20) == Card("w26:17:4711")
    door.pins.send(pulses(CARD[:20], start=9.0))
    assert door.read() is None
    assert ["20 bits" in why for why in door.refused] == [True]
    door.pins.send(pulses(wire(37, 65535, 524287), start=19.0))
    assert door.read(20) == Card("w37:65535:524287")
    door.reader.close()
    door.reader.close()


def test_the_pins_are_inputs_with_a_pull_to_3_3_volts():
    door = Reader()
    for number in door.pins.numbers:
        pin = door.pins.pin(number)
        assert (pin.function, pin.pull, pin.edges) == ("input", "up", "falling")
    door.reader.close()


def test_lines_that_never_rest_are_given_up_in_bounded_time():
    door = Reader()
    door.pins.send((place % 2, 1.0 + place * 1e-5) for place in range(10 * MAX_PULSES))
    with pytest.raises(ReaderLost, match="never rest"):
        door.read(20)
    door.reader.close()


def test_a_line_that_rests_low_is_a_lost_reader():
    door = Reader()
    door.pins.pin(6).drive_low()
    assert door.read(0.3) is None  # the edge itself is noise
    assert door.read(0.01) is None  # one look may fall into a pulse
    with pytest.raises(ReaderLost, match=r"GPIO6 rests low: the level shifter has no power"):
        door.read(0.01)
    door.reader.close()


def test_a_line_that_cannot_be_claimed_or_read_is_a_lost_reader():
    with pytest.raises(ReaderLost, match="GPIO99 cannot be claimed"):
        WiegandReader(WiegandWiring(99, 6), PacedPins(), print)
    door = Reader()
    door.pins.pin(5)._get_state = lambda: (_ for _ in ()).throw(OSError("gone"))
    with pytest.raises(ReaderLost, match="GPIO5 cannot be read: gone"):
        door.read(0.01)
