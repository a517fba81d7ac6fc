"""A call that hangs holds up its own thread only; who asked goes on."""

import threading

import pytest

from edge.aside import Aside, TooSlow, simulated
from tests.fakes.deadlines import Deadlines
from tests.waiting import PATIENCE


@pytest.fixture
def gate():
    """Opens what hangs, at the latest when the test ends."""
    event = threading.Event()
    yield event
    event.set()


def test_an_answer_in_time_comes_back_and_so_does_an_error():
    aside = Aside("disk")
    assert aside.ask(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        aside.ask(lambda: 1 // 0)
    assert not aside.is_overdue


@pytest.fixture
def deadlines(gate):
    with simulated(Deadlines(gate)):
        yield


@pytest.mark.usefixtures("deadlines")
def test_who_asks_a_hanging_disk_goes_on_and_who_asks_next_does_not_wait_at_all(gate):
    aside, calls = Aside("disk"), []
    with pytest.raises(TooSlow, match="within 1 s"):
        aside.ask(gate.wait)
    assert aside.is_overdue
    with pytest.raises(TooSlow, match="earlier question"):
        aside.ask(lambda: calls.append("never made"))
    gate.set()
    aside.hand_over(lambda: calls.append("made")).wait(PATIENCE)
    assert aside.ask(lambda: "well again") == "well again"
    assert calls == ["made"]


@pytest.mark.usefixtures("deadlines")
def test_a_late_answer_can_still_be_had(gate):
    aside = Aside("disk")
    asked = aside.hand_over(lambda: gate.wait() and "late")
    with pytest.raises(TooSlow):
        asked.wait(0.01)
    gate.set()
    assert asked.wait(PATIENCE) == "late"
