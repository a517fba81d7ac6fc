"""A door joins its property when it can: what is missing at the start is tried again, the door lives on."""

import random
import threading
from typing import Any

import pytest

from edge.errors import ConfigError, JournalUnavailable
from edge.service.property.joining import Joining
from tests.waiting import wait_until


class Link:
    """A link that only notes."""

    def __init__(self, history):
        self.history = history
        self.lives = True

    def is_alive(self):
        return self.lives

    def start(self):
        self.history.append("start")

    def stop(self):
        self.history.append("stop")

    def state(self):
        return {"outbox": {"waiting": 0}}


class Hasty(random.Random):
    """Waits next to nothing between tries."""

    def uniform(self, a, b):
        return 0.001


@pytest.fixture
def history():
    return []


def joining(history, *failures, problems=None):
    """Return one whose link cannot be made as often as there are failures."""
    left = list(failures)

    def make():
        history.append("make")
        if left:
            raise left.pop(0)
        links.append(Link(history))
        return links[-1]

    links: list[Any] = []
    one = Joining(make, (problems if problems is not None else []).append, Hasty(), look_seconds=0.001)
    return one, links


def test_a_door_in_order_has_joined_before_it_is_ready(history):
    one, _ = joining(history)
    one.start()
    assert history == ["make", "start"]
    assert one.state() == {"outbox": {"waiting": 0}}
    one.stop()
    assert history[-1] == "stop"


def test_a_card_that_hangs_at_the_start_keeps_no_door_from_starting(history):
    """Everybody stood outside until the card answered: what lets residents in is started after the link."""
    card = threading.Event()

    def make() -> Any:
        card.wait()
        return Link(history)

    one = Joining(make, lambda _problem: None, Hasty(), look_seconds=0.001, first_seconds=0.01)
    one.start()
    assert history == []
    card.set()
    wait_until(lambda: history == ["start"])
    one.stop()
    assert history == ["start", "stop"]


def test_a_full_card_at_the_start_is_tried_again_and_said_once(history):
    problems: list[str] = []
    full = [JournalUnavailable("disk full")] * 3
    one, _ = joining(history, *full, ConfigError("no password"), ValueError("a bug"), problems=problems)
    one.start()
    wait_until(lambda: "start" in history)
    one.stop()
    assert history == ["make"] * 6 + ["start", "stop"]
    assert problems == ["disk full", "no password", "internal error: ValueError('a bug')"]


def test_a_link_that_died_is_replaced_and_said(history):
    problems: list[str] = []
    one, links = joining(history, problems=problems)
    one.start()
    links[0].lives = False
    wait_until(lambda: len(links) == 2)
    one.stop()
    assert history == ["make", "start", "stop", "make", "start", "stop"]
    assert problems == ["connection lost; reconnecting"]


class Unstartable(Link):
    """A link whose threads cannot be started, or ended."""

    def start(self):
        super().start()
        raise RuntimeError("can't start new thread")

    def stop(self):
        super().stop()
        raise RuntimeError("cannot join thread before it is started")


def test_a_link_that_cannot_be_started_keeps_no_door_from_starting_and_is_tried_again(history):
    links: list[Any] = [Unstartable(history), Link(history)]
    one = Joining(lambda: links.pop(0), lambda _problem: None, Hasty(), look_seconds=0.001)
    one.start()
    wait_until(lambda: not links and history.count("start") == 2)
    assert history == ["start", "stop", "start"]
    assert one.state() == {"outbox": {"waiting": 0}}
    one.stop()


def test_who_never_joined_stops_at_once(history):
    one, _ = joining(history, *[ConfigError("no password")] * 100_000)
    one.start()
    with pytest.raises(JournalUnavailable, match="not joined"):
        one.state()
    one.stop()
    assert "start" not in history
    assert not any(thread.name == "joining" for thread in threading.enumerate())
