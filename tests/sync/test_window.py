"""Bookkeeping of what is on its way: nothing skipped, nothing forgotten."""

import random

from hypothesis import given
from hypothesis import strategies as st

from edge.broker.backoff import Backoff
from edge.broker.settings import Ack
from edge.sync.window import MOST_EVENTS, MOST_MESSAGES, MOST_PATIENCE_SECONDS, InFlightWindow

PLENTY = 65535


def started(policy, done=0):
    window = InFlightWindow(policy, done)
    window.start(0.0, PLENTY)
    return window


def test_only_the_hub_moves_progress_when_the_application_acknowledges():
    """PUBACK frees a place, but the event stays ours until it is stored."""
    window = started(Ack.APPLICATION)
    window.launched(1, 100, 0.0)
    assert window.broker_took(1, 0.1) is False
    assert (window.done, window.unconfirmed) == (0, 0)
    assert window.hub_stored(60, 0.2) is True
    assert window.done == 60


def test_only_the_broker_moves_progress_when_it_is_trusted():
    """And only without a gap: the second message counts after the first."""
    window = started(Ack.BROKER)
    window.launched(1, 1, 0.0)
    window.launched(2, 2, 0.0)
    assert window.broker_took(2, 0.1) is False
    assert window.broker_took(1, 0.1) is True
    assert window.done == 2
    assert window.hub_stored(99, 0.2) is False


def test_under_way_is_bounded_by_events_and_by_messages():
    """Whatever the broker announces, at most twenty messages and five hundred events."""
    window = started(Ack.APPLICATION)
    window.launched(1, MOST_EVENTS - 5, 0.0)
    assert window.room == 5
    window.start(0.0, PLENTY)
    for mid in range(MOST_MESSAGES):
        window.launched(mid, mid + 1, 0.0)
    assert window.room == 0
    window.broker_took(3, 0.0)
    assert window.room > 0
    window.start(0.0, 1)
    window.launched(9, 1, 0.0)
    assert window.room == 0


def test_silence_sends_again_with_growing_patience():
    """3, 6, 12 ... 60 seconds; an answer resets it."""
    window, now, waits = started(Ack.APPLICATION), 0.0, []
    for _ in range(7):
        window.launched(1, 10, now)
        began = now
        while not window.is_stalled(now):
            now += 0.5
        waits.append(now - began)
        window.lose_patience(now)
        assert window.sent == window.done == 0
    assert waits == [3, 6, 12, 24, 48, MOST_PATIENCE_SECONDS, MOST_PATIENCE_SECONDS]
    window.launched(1, 10, now)
    window.hub_stored(5, now)
    assert window.is_stalled(now + 3.0)


def test_nothing_under_way_is_never_a_stall():
    """An idle night does not count as silence."""
    window = started(Ack.APPLICATION)
    assert not window.is_stalled(1e6)
    window.launched(1, 1, 1e6)
    assert not window.is_stalled(1e6 + 2.9)


def test_of_what_was_never_sent_nothing_is_believed():
    """A forged acknowledgement must not make the door forget what never left; a true one of more waits."""
    window = InFlightWindow(Ack.APPLICATION)
    window.start(0.0, 20)
    assert window.hub_stored(800, 0.1) is False
    assert window.done == 0
    window.launched(1, 100, 0.2)
    window.lose_patience(4.0)
    assert window.hub_stored(800, 4.1) is True
    assert (window.done, window.sent) == (100, 100)


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(1, 100)),
        st.tuples(st.just("take"), st.integers(0, 40)),
        st.tuples(st.just("store"), st.integers(0, 600)),
        st.tuples(st.just("lose"), st.just(0)),
        st.tuples(st.just("start"), st.integers(1, 30)),
    ),
    max_size=60,
)


@given(st.sampled_from(Ack), OPERATIONS)
def test_progress_never_goes_back_and_never_skips(policy, operations):
    """Whatever order of sending, answers and losses: done <= sent, and done only grows."""
    window, mid, now = started(policy), 0, 0.0
    for name, number in operations:
        before, now = window.done, now + 0.1
        if name == "send" and window.room:
            mid += 1
            window.launched(mid, window.sent + min(number, window.room), now)
        elif name == "take":
            window.broker_took(mid - number, now)
        elif name == "store":
            window.hub_stored(number, now)
        elif name == "lose":
            window.lose_patience(now)
        elif name == "start":
            window.start(now, number)
        assert before <= window.done <= window.sent
        assert window.sent - window.done <= MOST_EVENTS
        assert 0 <= window.unconfirmed <= MOST_MESSAGES


def test_a_slow_line_is_not_given_up_and_a_dead_one_is():
    """A PUBACK after 6 s is late; none after 15 s is no line."""
    window = started(Ack.APPLICATION)
    window.launched(1, 100, 0.0)
    assert (window.is_stalled(6.0), window.is_link_dead(6.0)) == (True, False)
    assert window.is_link_dead(15.0)
    window.broker_took(1, 15.0)
    assert not window.is_link_dead(15.0)


def test_waits_are_spread_and_bounded():
    """Full jitter between nothing and 1, 2, 4 ... 15 seconds; success starts over."""
    backoff = Backoff(random.Random(7))
    waits = [backoff.next() for _ in range(200)]
    assert all(wait <= min(15, 2.0**n) for n, wait in enumerate(waits))
    assert max(waits) > 7
    assert len({round(wait, 6) for wait in waits}) == len(waits)
    backoff.reset()
    assert backoff.next() <= 1.0
