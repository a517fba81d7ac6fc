"""What the journal's card may do to the events, and to nothing else that shares their connection."""

import pytest

from edge.broker.settings import BrokerSettings
from edge.errors import JournalUnavailable
from edge.sync.publisher import AGAIN_SECONDS, EventPump
from edge.wire.messages import EventAck, Message
from tests.fakes.line import Line
from tests.hub.crowd import MemoryOutbox

SETTINGS = BrokerSettings("localhost", "front")


class Card(MemoryOutbox):
    """A journal on a card that may give nothing, or take nothing."""

    can_read = can_write = True

    def __init__(self):
        self._name = ""
        super().__init__("front", 5)
        self.happen(5)

    @property
    def stream(self):
        self._require(self.can_read)
        return self._name

    @stream.setter
    def stream(self, name):
        self._name = name

    def newest(self):
        self._require(self.can_read)
        return super().newest()

    def done_upto(self):
        self._require(self.can_read)
        return super().done_upto()

    def pending(self, after, limit):
        self._require(self.can_read)
        return super().pending(after, limit)

    def mark_done(self, upto):
        self._require(self.can_write)
        super().mark_done(upto)

    def _require(self, is_well):
        if not is_well:
            raise JournalUnavailable("the card fails")


@pytest.fixture
def card():
    return Card()


@pytest.fixture
def line():
    return Line()


def confirmed(pump, card, upto, now):
    payload = EventAck(card._name, upto, None).encode()
    pump.received(Message("facegate/v1/front/evt/ack", payload, False), now)


def test_a_journal_that_the_card_does_not_give_at_the_start_holds_up_its_events_alone(card, line):
    """The door was offline for the property: nobody could open it, or lock it down, from afar."""
    card.can_read = False
    pump = EventPump(card, SETTINGS)
    pump.opened(line, 0.0)
    pump.step(line, 0.0)
    assert line.sent == []
    problems = [pump.journal_problem]
    card.can_read = True
    pump.step(line, AGAIN_SECONDS)
    confirmed(pump, card, 5, AGAIN_SECONDS)
    assert len(line.sent) == 5
    assert card.done == 5
    assert [*problems, pump.journal_problem] == ["the card fails", None]


def test_a_journal_that_fails_while_connected_does_not_end_the_connection(card, line):
    pump = EventPump(card, SETTINGS)
    pump.opened(line, 0.0)
    pump.step(line, 0.0)
    for mid in range(1, 6):
        pump.taken(mid, None, 0.5)
    card.can_read = False
    for second in range(1, 20):
        pump.step(line, float(second))
        confirmed(pump, card, 5, float(second))
    assert card.done == 0
    card.can_read = True
    pump.step(line, 30.0)
    confirmed(pump, card, 5, 30.0)
    assert (card.done, pump.done) == (5, 5)


def test_a_card_that_is_read_only_hears_later_what_arrived_and_events_go_on(card, line):
    card.happened = 3
    pump = EventPump(card, SETTINGS)
    pump.opened(line, 0.0)
    pump.step(line, 0.0)
    card.can_write = False
    confirmed(pump, card, 3, 1.0)
    card.happen(2)
    pump.step(line, 2.0)
    assert (len(line.sent), pump.done, card.done) == (5, 3, 0)
    card.can_write = True
    pump.step(line, 2.0 + AGAIN_SECONDS)
    assert card.done == 3
    confirmed(pump, card, 5, 8.0)
    assert card.done == 5
