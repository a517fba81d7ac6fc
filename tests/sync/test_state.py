"""When the state of a door is told: at once on a connection, on a change, and every minute."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edge.broker.session import BrokerSession
from edge.broker.settings import BrokerSettings
from edge.errors import StoreError
from edge.sync.state import REPEAT_SECONDS, StateReporter

SETTINGS = BrokerSettings("127.0.0.1", "door-1")


class Wire(BrokerSession):
    """A session that remembers what it published."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any, bool]] = []

    def publish(
        self, topic: str, payload: bytes, *, retain: bool = False, done: int = 0, proof: str = ""
    ) -> int:
        self.sent.append((topic, json.loads(payload), retain))
        return len(self.sent)


class Told:
    """A reporter, its state and a clock in steps of a second."""

    def __init__(self):
        self.wire, self.state, self.now = Wire(), {"camera": "ok", "outbox": 0}, 100.0
        self.fails = False
        self.reporter = StateReporter(SETTINGS, self.read, ("outbox",))
        self.reporter.opened(self.wire, self.now)

    def read(self):
        if self.fails:
            raise StoreError("residents.db: locked")
        return dict(self.state)

    def wait(self, seconds):
        for _ in range(round(seconds)):
            self.now += 1.0
            self.reporter.step(self.wire, self.now)
        return len(self.wire.sent)


@pytest.fixture
def told():
    reporter = Told()
    assert reporter.wait(1) == 1
    return reporter


def test_a_card_that_fails_fills_no_log(told, caplog):
    """A line at each look was one a second, for as long as the card failed."""
    told.fails = True
    told.wait(300)
    assert 1 <= len([line for line in caplog.messages if "is not told" in line]) <= 6


def test_it_is_retained_and_carries_a_version(told):
    assert told.wire.sent == [("facegate/v1/door-1/state", {"v": 1, "camera": "ok", "outbox": 0}, True)]


def test_a_change_is_told_and_silence_only_once_a_minute(told):
    assert told.wait(30) == 1
    told.state["camera"] = "lost"
    assert told.wait(1) == 2
    assert told.wait(REPEAT_SECONDS - 1) == 2
    assert told.wait(1) == 3


def test_a_counter_alone_is_no_news_but_goes_along(told):
    told.state["outbox"] = 7
    assert told.wait(30) == 1
    told.state["camera"] = "lost"
    told.wait(1)
    assert told.wire.sent[-1][1]["outbox"] == 7


def test_a_new_connection_is_told_at_once(told):
    told.reporter.opened(told.wire, told.now)
    assert told.wait(1) == 2


def test_a_state_that_cannot_be_read_is_told_later(told):
    told.fails, told.state["camera"] = True, "lost"
    assert told.wait(5) == 1
    told.fails = False
    assert told.wait(1) == 2
